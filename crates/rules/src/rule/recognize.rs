//! `MATCH_RECOGNIZE` (ISO/IEC 9075-2:2016, row pattern recognition; explained in ISO/IEC
//! TR 19075-5) as a sequence, so far as it means the same.
//!
//! `PATTERN (A X* B)` with `X` defined as a row that is not `B` says that `B` follows
//! `A` with anything between: SQL takes the first `B` after an `A`, and so does a
//! sequence. Matches end at exactly the same rows as long as conditions speak of their
//! own row alone, and nothing is forbidden after the second step; which of several `A` is
//! shown differs (a sequence shows the last), and a row whose key is NULL takes no part.
//! All else is refused, with what to write instead.

mod conditions;

use super::sequence::{MAX_STEPS, Sequence, Step};
use conditions::{Conditions, Defined};
use sqlparser::ast::{
    AfterMatchSkip, Expr, GroupByExpr, Ident, MatchRecognizePattern as Pattern,
    MatchRecognizeSymbol, OrderByExpr, Query, RepetitionQuantifier, RowsPerMatch, Select,
    SelectItem, SetExpr, Statement, SymbolDefinition, TableFactor,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

/// What is wrong: code, line of the SQL from 1 (0 if unknown), message, help.
pub(super) type Wrong = (&'static str, u32, String, &'static str);

const FORM: &str = "write SELECT * FROM table MATCH_RECOGNIZE (PARTITION BY keys ORDER BY event_time PATTERN (A X* B) DEFINE …), see docs/sql.md";

fn wrong<T>(code: &'static str, message: &str, help: &'static str) -> Result<T, Wrong> {
    Err((code, 0, message.to_owned(), help))
}

/// Is it such a query?
pub(super) fn is_one(sql: &str) -> bool {
    let mut words = sql.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.any(|w| w.eq_ignore_ascii_case("match_recognize"))
}

/// Reads the query; its first line stands on `line` of the rule's file, indented by `indent`.
pub(super) fn read(sql: &str, (line, indent): (u32, u32)) -> Result<Sequence, Wrong> {
    let statements = Parser::parse_sql(&GenericDialect {}, sql).map_err(|e| {
        let text = e.to_string();
        let at = text.rsplit_once("Line: ").map_or("", |(_, rest)| rest);
        let digits: String = at.chars().take_while(char::is_ascii_digit).collect();
        let text = text.trim_start_matches("sql parser error: ");
        let text = text.split(" at Line:").next().unwrap_or(text).to_owned();
        ("TT-SQL-040", digits.parse().unwrap_or(0), text, FORM)
    })?;
    let [Statement::Query(query)] = statements.as_slice() else {
        return wrong("TT-SQL-040", "not one SELECT", FORM);
    };
    let TableFactor::MatchRecognize {
        table,
        partition_by,
        order_by,
        measures,
        rows_per_match,
        after_match_skip,
        pattern,
        symbols,
        alias: None,
    } = only(query)?
    else {
        return wrong("TT-SQL-040", "something else than MATCH_RECOGNIZE", FORM);
    };
    let TableFactor::Table {
        name, alias: None, ..
    } = &**table
    else {
        return wrong("TT-SQL-040", "it does not read one table", FORM);
    };
    if !measures.is_empty() {
        return wrong(
            "TT-SQL-042",
            "MEASURES: an alert has the rows of all steps",
            "leave it out; the sentence may speak of any step's row: {a.object}",
        );
    }
    if let Some(RowsPerMatch::AllRows(_)) = rows_per_match {
        return wrong(
            "TT-SQL-042",
            "ALL ROWS PER MATCH: an alert is one for a match",
            "leave it out, or write ONE ROW PER MATCH",
        );
    }
    if !matches!(after_match_skip, None | Some(AfterMatchSkip::PastLastRow)) {
        return wrong(
            "TT-SQL-042",
            "a row belongs to one match",
            "leave it out, or write AFTER MATCH SKIP PAST LAST ROW",
        );
    }
    let by = keys(partition_by, order_by)?;
    let table = name.to_string().to_lowercase();
    let elements = elements(pattern)?;
    sequence(&table, &by, &elements, symbols, (line, indent))
}

/// The FROM of a SELECT that has nothing else.
fn only(query: &Query) -> Result<&TableFactor, Wrong> {
    let more = "only MATCH_RECOGNIZE can stand in FROM, and nothing beside it: no join, WHERE, GROUP BY, ORDER BY";
    let SetExpr::Select(select) = &*query.body else {
        return wrong("TT-SQL-040", more, FORM);
    };
    let Select {
        distinct: None,
        projection,
        from,
        selection: None,
        group_by,
        having: None,
        qualify: None,
        ..
    } = &**select
    else {
        return wrong("TT-SQL-040", more, FORM);
    };
    let grouped = !matches!(group_by, GroupByExpr::Expressions(all, _) if all.is_empty());
    let rest = query.with.is_some()
        || query.order_by.is_some()
        || query.limit_clause.is_some()
        || query.fetch.is_some();
    match (from.as_slice(), projection.as_slice()) {
        ([from], [SelectItem::Wildcard(_)]) if from.joins.is_empty() && !grouped && !rest => {
            Ok(&from.relation)
        }
        (_, [SelectItem::Wildcard(_)]) => wrong("TT-SQL-040", more, FORM),
        _ => wrong(
            "TT-SQL-040",
            "an alert shows the whole row",
            "write SELECT *",
        ),
    }
}

/// Columns of PARTITION BY; the order must be that of time.
fn keys(partition_by: &[Expr], order_by: &[OrderByExpr]) -> Result<Vec<String>, Wrong> {
    let by_time = match order_by {
        [one] => {
            one.options.asc != Some(false)
                && matches!(&one.expr, Expr::Identifier(i) if i.value == "event_time")
        }
        _ => false,
    };
    if !by_time {
        return wrong(
            "TT-SQL-041",
            "rows follow one another in time",
            "write ORDER BY event_time",
        );
    }
    let column = |key: &Expr| match key {
        Expr::Identifier(name) => Some(name.value.clone()),
        _ => None,
    };
    let keys: Option<Vec<String>> = partition_by.iter().map(column).collect();
    match keys {
        Some(keys) if !keys.is_empty() => Ok(keys),
        _ => wrong(
            "TT-SQL-041",
            "no columns tie the rows together",
            "write PARTITION BY columns, such as client_ip, server_ip",
        ),
    }
}

/// A place of the pattern: a step's row, or any number of rows between.
enum Element {
    Step(String),
    Gap(String),
}

/// A symbol, as a step is called.
fn symbol(name: &Ident) -> Result<String, Wrong> {
    let name = name.value.to_lowercase();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(plain) {
        return Ok(name);
    }
    let message = format!("`{name}` is no name of a step");
    wrong(
        "TT-SQL-043",
        &message,
        "letters, digits and _; a letter first",
    )
}

fn elements(pattern: &Pattern) -> Result<Vec<Element>, Wrong> {
    let help = "write symbols with a gap between them: PATTERN (A X* B); a `sequence:` has `times`, `optional` and `absent`";
    let all = match pattern {
        Pattern::Concat(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    all.iter()
        .map(|element| match element {
            Pattern::Symbol(MatchRecognizeSymbol::Named(name)) => {
                Ok(Element::Step(symbol(name)?))
            }
            Pattern::Repetition(of, RepetitionQuantifier::ZeroOrMore) => match &**of {
                Pattern::Symbol(MatchRecognizeSymbol::Named(name)) => {
                    Ok(Element::Gap(symbol(name)?))
                }
                other => wrong("TT-SQL-043", &format!("`{other}*` is not built"), help),
            },
            Pattern::Repetition(of, RepetitionQuantifier::AtMostOne)
                if matches!(**of, Pattern::Repetition(..)) =>
            {
                wrong(
                    "TT-SQL-044",
                    &format!("`{element}` is a reluctant quantifier, and would be read as an optional `{of}`"),
                    "write X* and define X as a row that is not the next step's: the first one is found then",
                )
            }
            other => wrong("TT-SQL-043", &format!("`{other}` is not built"), help),
        })
        .collect()
}

fn sequence(
    table: &str,
    by: &[String],
    elements: &[Element],
    symbols: &[SymbolDefinition],
    (line, indent): (u32, u32),
) -> Result<Sequence, Wrong> {
    let mut names: Vec<&str> = Vec::new();
    let mut gaps: Vec<Option<&str>> = Vec::new();
    for element in elements {
        match element {
            Element::Step(name) => {
                if names.contains(&name.as_str()) {
                    return wrong(
                        "TT-SQL-043",
                        &format!("`{name}` stands in the pattern twice"),
                        "name each step differently; a `sequence:` has `times`",
                    );
                }
                names.push(name);
                gaps.push(None);
            }
            Element::Gap(name) => match gaps.last_mut() {
                Some(gap @ None) => *gap = Some(name),
                _ => {
                    return wrong(
                        "TT-SQL-043",
                        "a gap stands at the beginning, or after another",
                        "begin with a step: PATTERN (A X* B)",
                    );
                }
            },
        }
    }
    if names.len() < 2 || names.len() > MAX_STEPS || gaps.last().is_some_and(Option::is_some) {
        return wrong(
            "TT-SQL-043",
            "a pattern has two steps at least, 64 at most, and ends with one",
            "write PATTERN (A X* B)",
        );
    }
    let conditions = Conditions::new(table, &names, symbols)?;
    let first = names.first().copied().unwrap_or_default();
    let mut steps: Vec<Step> = Vec::new();
    let mut within_ns = None;
    let step = |name: &str, defined: &Defined, absent: bool| Step {
        name: name.to_owned(),
        table: table.to_owned(),
        condition: defined.text(),
        place: (line + defined.line.saturating_sub(1), indent),
        by: by.to_vec(),
        times: 1,
        within_ns: None,
        optional: false,
        absent,
    };
    for (at, name) in names.iter().enumerate() {
        let is_last = at + 1 == names.len();
        let defined = conditions.of_step(name, first, is_last)?;
        if let Some(Some(gap)) = at.checked_sub(1).and_then(|b| gaps.get(b)) {
            if let Some(absent) = conditions.of_gap(gap, &defined, name)? {
                if at > 1 {
                    return Err((
                        "TT-SQL-045",
                        absent.line,
                        format!(
                            "`{gap}` forbids a row after the second step, where SQL does not look for another way to match"
                        ),
                        "write a `sequence:` with an `absent` step",
                    ));
                }
                steps.push(step(gap, &absent, true));
            }
        } else if at > 0 {
            return wrong(
                "TT-SQL-043",
                &format!("nothing may lie between `{name}` and the row before it"),
                "on a network something always does: write a gap, PATTERN (A X* B)",
            );
        }
        steps.push(step(name, &defined, false));
        within_ns = defined.within_ns;
    }
    let Some(within_ns) = within_ns else {
        return wrong(
            "TT-SQL-046",
            "it says nowhere how long a match may take: it would be waited for without end",
            "add to the last step: AND B.event_time <= A.event_time + INTERVAL '10 minutes'",
        );
    };
    Ok(Sequence { steps, within_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(keys: &str, more: &str, pattern: &str, define: &str) -> String {
        format!(
            "SELECT * FROM modbus MATCH_RECOGNIZE (\n{keys}\n{more}\nPATTERN ({pattern})\nDEFINE {define})"
        )
    }

    const KEYS: &str = "PARTITION BY client_ip, server_ip ORDER BY event_time";
    const X: &str = "A AS operation = 'read',\nX AS (operation = 'write') IS NOT TRUE";
    const B: &str =
        "B AS operation = 'write' AND B.event_time <= A.event_time + INTERVAL '10 minutes'";

    fn read(sql: &str) -> Result<Sequence, Wrong> {
        super::read(sql, (1, 0))
    }

    #[test]
    fn steps_of_a_pattern() {
        let sequence = read(&query(KEYS, "", "A X* B", &format!("{X},\n{B}"))).unwrap();
        let names: Vec<(&str, &str, u32)> = sequence
            .steps
            .iter()
            .map(|s| (s.name.as_str(), s.condition.as_str(), s.place.0))
            .collect();
        assert_eq!(
            names,
            [
                ("a", "operation = 'read'", 5),
                ("b", "operation = 'write'", 7)
            ]
        );
        assert_eq!(sequence.within_ns, 600_000_000_000);
        assert_eq!(sequence.steps[1].by, ["client_ip", "server_ip"]);
        let other = "A AS direction = 'request' AND (unit_id = 1 OR unit_id = 2), gap AS NOT (operation = 'write') AND (function = 'read_coils') IS NOT TRUE, b AS (b.operation = 'write') AND b.event_time - a.event_time <= INTERVAL '90' SECOND";
        let more = "ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW";
        let sequence = read(&query(KEYS, more, "a gap* B", other)).unwrap();
        let steps: Vec<String> = sequence
            .steps
            .iter()
            .map(|s| format!("{} {} {}", s.name, s.absent, s.condition))
            .collect();
        assert_eq!(
            steps,
            [
                "a false direction = 'request' AND (unit_id = 1 OR unit_id = 2)",
                "gap true (function = 'read_coils')",
                "b false (operation = 'write')"
            ]
        );
        assert_eq!(sequence.within_ns, 90_000_000_000);
    }

    #[test]
    fn parentheses_stay() {
        let define = "A AS (unit_id IS DISTINCT FROM 1) AND direction = 'request', X AS (operation = 'write') IS NOT TRUE, B AS operation = 'write' AND (B.event_time <= A.event_time + INTERVAL '1 hour')";
        let sequence = read(&query(KEYS, "", "A X* B", define)).unwrap();
        assert_eq!(
            sequence.steps[0].condition,
            "(unit_id IS DISTINCT FROM 1) AND direction = 'request'"
        );
    }

    #[test]
    fn what_means_something_else_is_refused() {
        let define = format!("{X},\n{B}");
        let all = [
            "SELECT * FROM modbus MATCH_RECOGNIZE".to_owned(),
            query(KEYS, "", "A X* B", &define).replace("SELECT *", "SELECT client_ip"),
            query(KEYS, "", "A X* B", &define) + " WHERE unit_id = 1",
            query(KEYS, "", "A X* B", &define).replace("FROM modbus", "FROM (SELECT 1) AS t"),
            query("ORDER BY event_time", "", "A X* B", &define),
            query("PARTITION BY client_ip", "", "A X* B", &define),
            query(
                "PARTITION BY client_ip ORDER BY event_time DESC",
                "",
                "A X* B",
                &define,
            ),
            query(KEYS, "MEASURES A.object AS seen", "A X* B", &define),
            query(KEYS, "ALL ROWS PER MATCH", "A X* B", &define),
            query(KEYS, "AFTER MATCH SKIP TO NEXT ROW", "A X* B", &define),
            query(KEYS, "", "A B", &define),
            query(KEYS, "", "A X* B*", &define),
            query(KEYS, "", "A X+ B", &define),
            query(KEYS, "", "A X*? B", &define),
            query(KEYS, "", "A X* B+?", &define),
            query(KEYS, "", "A X* (B | A)", &define),
            query(KEYS, "", "{- A -} X* B", &define),
            query(KEYS, "", "^ A X* B", &define),
            query(KEYS, "", "PERMUTE(A, B)", &define),
            query(KEYS, "", "A X* A", &define),
            query(KEYS, "", "X* A X* B", &define),
            query(KEYS, "", "A", &define),
            query(KEYS, "", "A X* B", &format!("A AS operation = 'read', {B}")),
            query(KEYS, "", "A X* B", X),
            query(
                KEYS,
                "",
                "A X* B",
                &define.replace("(operation = 'write') IS NOT TRUE", "operation <> 'write'"),
            ),
            query(
                KEYS,
                "",
                "A X* B",
                &define.replace("(operation = 'write') IS", "(operation = 'control') IS"),
            ),
            query(
                KEYS,
                "",
                "A X* B",
                &define
                    .replace("(operation = 'write') IS NOT TRUE", "NOT (object = 'hr:1')")
                    .replace("operation = 'write'", "object = 'hr:1'"),
            ),
            query(
                KEYS,
                "",
                "A X* B",
                &define.replace(
                    " AND B.event_time <= A.event_time + INTERVAL '10 minutes'",
                    "",
                ),
            ),
            query(
                KEYS,
                "",
                "A X* B",
                &define.replace("B.event_time <=", "B.event_time <"),
            ),
            query(
                KEYS,
                "",
                "A X* B",
                &define.replace("'write' AND B.", "'write' AND object = A.object AND B."),
            ),
            query(
                KEYS,
                "",
                "A X* B",
                &define.replace("'write' AND B.", "'write' AND PREV(unit_id) = 1 AND B."),
            ),
            query(
                KEYS,
                "",
                "A X* B Y* C",
                &format!(
                    "{X},\nB AS operation = 'write',\nY AS (unit_id = 3) IS NOT TRUE AND (unit_id = 4) IS NOT TRUE,\nC AS unit_id = 3 AND C.event_time <= A.event_time + INTERVAL '1 hour'"
                ),
            ),
        ];
        let told: Vec<String> = all
            .iter()
            .map(|sql| match read(sql) {
                Ok(sequence) => panic!("{sql}\nis taken as {sequence:?}"),
                Err((code, line, message, help)) => {
                    format!("{code} line {line}: {message}; {help}")
                }
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}

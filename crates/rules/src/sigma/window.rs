//! Counts over a time as windows.

use super::atom::{could_be, pool};
use super::cond::Cond;
use super::correlation::{Correlation, Sign};
use super::head::Head;
use super::plain::{Compiled, response, roles};
use super::refusal::{Refusals, Why};
use super::sample;
use super::write::{self, Body, Case, Looks, Row};
use serde_json::Value as Json;
use telltale_schema::{ColumnDef, ColumnKind, TableId};

/// Most rows of a made test.
const MOST_ROWS: i64 = 60;

/// An interval, in the largest unit that holds it.
pub(super) fn interval(seconds: u64) -> String {
    let (n, unit) = match seconds {
        s if s.is_multiple_of(86_400) => (s / 86_400, "day"),
        s if s.is_multiple_of(3600) => (s / 3600, "hour"),
        s if s.is_multiple_of(60) => (s / 60, "minute"),
        s => (s, "second"),
    };
    let many = if n == 1 { "" } else { "s" };
    format!("INTERVAL '{n} {unit}{many}'")
}

/// A duration as rule files write it.
pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        s if s.is_multiple_of(86_400) => format!("{}d", s / 86_400),
        s if s.is_multiple_of(3600) => format!("{}h", s / 3600),
        s if s.is_multiple_of(60) => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// The window of a timespan. Where more is looked for, windows of the timespan and a
/// tenth, one every tenth: every burst within the timespan lies wholly in one of them.
/// Where less is looked for, the timespan itself, window by window.
fn window(seconds: u64, rising: bool) -> String {
    if !rising {
        return format!("tumble({})", interval(seconds));
    }
    let step = seconds.div_ceil(10);
    let size = seconds
        .saturating_add(step)
        .div_ceil(step)
        .saturating_mul(step);
    format!("hop({}, {})", interval(size), interval(step))
}

/// The one column that all rules mean.
fn same(columns: &[&'static ColumnDef]) -> Option<&'static ColumnDef> {
    let (first, rest) = columns.split_first()?;
    rest.iter().all(|c| c.name == first.name).then_some(*first)
}

/// What is counted: the aggregate and its name.
fn aggregate(
    c: &Correlation<'_>,
    first: &Compiled,
    refusals: &mut Refusals<'_>,
) -> Option<(String, &'static str)> {
    if c.kind == "event_count" {
        let counted = first.source.count.map_or("count(*)".to_owned(), |column| {
            format!("count(DISTINCT {})", column.name)
        });
        return Some((counted, "hits"));
    }
    let Some(columns) = &c.field else {
        refusals.add(
            Why::Correlation,
            c.at,
            "condition",
            "there is no `field` whose values are counted",
        );
        return None;
    };
    let Some(column) = same(columns) else {
        refusals.add(
            Why::Language,
            c.at,
            "condition",
            "the field is another column in each rule",
        );
        return None;
    };
    let number = matches!(
        column.kind,
        ColumnKind::U8
            | ColumnKind::U16
            | ColumnKind::U32
            | ColumnKind::U64
            | ColumnKind::I64
            | ColumnKind::F64
    );
    match c.kind.as_str() {
        "value_count" => Some((
            format!("count(DISTINCT {})", column.name),
            "distinct_values",
        )),
        _ if !number => {
            let reason = format!("column `{}` holds no numbers", column.name);
            refusals.add(Why::Value, c.at, "condition", reason);
            None
        }
        "value_sum" => Some((format!("sum({})", column.name), "total")),
        _ => Some((format!("avg({})", column.name), "average")),
    }
}

/// The rule file of a count.
pub(super) fn rule(
    head: &Head,
    c: &Correlation<'_>,
    refusals: &mut Refusals<'_>,
) -> Option<String> {
    let first = c.parts.first()?.compiled;
    let table = first.source.table.as_str();
    if c.parts.iter().any(|p| p.compiled.source.table != table) {
        let reason = "its rules are about different tables; a window counts rows of one";
        refusals.add(Why::Language, c.at, "rules", reason);
    }
    let mut keys = Vec::new();
    for columns in &c.keys {
        match same(columns) {
            Some(column) => keys.push(column.name),
            None => refusals.add(
                Why::Language,
                c.at,
                "group-by",
                "the key is another column in each rule; a window has one set of columns",
            ),
        }
    }
    if c.bounds.is_empty() {
        refusals.add(Why::Correlation, c.at, "condition", "there is no threshold");
    }
    if c.bounds.iter().any(|(s, n)| *s == Sign::Gte && *n == 0) {
        refusals.add(
            Why::Constant,
            c.at,
            "condition",
            "at least 0 is true of every window",
        );
    }
    let (counted, alias) = aggregate(c, first, refusals)?;
    if !refusals.found.is_empty() {
        return None;
    }
    let cond = Cond::Any(c.parts.iter().map(|p| p.compiled.cond.clone()).collect()).simple();
    let rising = c.kind != "value_avg"
        && c.bounds
            .iter()
            .all(|(sign, _)| matches!(sign, Sign::Gt | Sign::Gte));
    let mut select: Vec<String> = keys.iter().map(|k| (*k).to_owned()).collect();
    select.push(format!("{counted} AS {alias}"));
    let mut group: Vec<String> = keys.iter().map(|k| (*k).to_owned()).collect();
    group.push(window(c.seconds, rising));
    let having: Vec<String> = c
        .bounds
        .iter()
        .map(|(sign, _)| format!("{counted} {} ${}", sign.says().0, sign.says().1))
        .collect();
    let sql = format!(
        "SELECT {}\nFROM {table}\nWHERE {}\nGROUP BY {}\nHAVING {}",
        select.join(", "),
        cond.sql(),
        group.join(", "),
        having.join(" AND ")
    );
    let ((actor, target), _) = roles(table);
    // a rule that fires at the window's close has only its keys
    let of_key = |name: &&'static str| rising || keys.contains(name);
    let actor = Some(actor)
        .filter(of_key)
        .or(keys.first().copied())
        .unwrap_or("site");
    let target = Some(target)
        .filter(of_key)
        .or(keys.last().copied())
        .unwrap_or("site");
    let who: Vec<String> = keys.iter().map(|k| format!("{k} {{{k}}}")).collect();
    let who = if who.is_empty() {
        "the whole site".to_owned()
    } else {
        who.join(", ")
    };
    Some(write::rule(
        head,
        &Body {
            id: head.id.clone(),
            name: head.title.clone(),
            looks: Looks::Sql(sql),
            parameters: c
                .bounds
                .iter()
                .map(|(sign, n)| (sign.says().1, Json::from(*n)))
                .collect(),
            entities: (actor, target),
            response: response(actor, target),
            sentence: format!(
                "{}: {{{alias}}} from {{window_start}} to {{window_end}}, {who}",
                head.title
            ),
            keys: if keys.is_empty() {
                vec!["site"]
            } else {
                keys.clone()
            },
            suppressed_for: duration(c.seconds.max(3600)),
            tests: tests(c, &cond, first.table(), rising),
        },
    ))
}

/// `count` distinct values of a column.
fn distinct(column: &'static ColumnDef, count: i64) -> Vec<Json> {
    match column.kind {
        ColumnKind::Ip => (1..=count)
            .map(|n| Json::from(format!("10.7.0.{n}")))
            .collect(),
        ColumnKind::Mac => (1..=count)
            .map(|n| Json::from(format!("02:00:00:00:07:{n:02x}")))
            .collect(),
        ColumnKind::Text => (1..=count).map(|n| Json::from(format!("v{n}"))).collect(),
        ColumnKind::Enum(_) | ColumnKind::Bool => pool(column),
        _ => (1..=count).map(Json::from).collect(),
    }
    .into_iter()
    .filter(|v| could_be(column, v))
    .collect()
}

/// Rows that make this count, spread over half the timespan.
fn rows(c: &Correlation<'_>, cond: &Cond, table: TableId, count: i64) -> Option<Vec<Row>> {
    if !(1..=MOST_ROWS).contains(&count) {
        return None;
    }
    let step = i64::try_from(c.seconds).ok()?.saturating_mul(1000) / (2 * count);
    let ms = |ms: i64| {
        if ms % 1000 == 0 {
            format!("{}s", ms / 1000)
        } else {
            format!("{ms}ms")
        }
    };
    let step = step.max(1);
    if c.kind == "event_count" {
        let mut row = sample::matching(cond, table, &Row::new())?;
        if count > 1 {
            row.insert(
                "repeat".to_owned(),
                Json::from(format!("{count} every {}", ms(step))),
            );
        }
        return Some(vec![row]);
    }
    let column = same(c.field.as_deref()?)?;
    let base = sample::matching(cond, table, &Row::new())?;
    let mut out = Vec::new();
    // values that the condition does not allow are left out
    for value in distinct(column, MOST_ROWS) {
        let mut row = base.clone();
        row.insert(column.name.to_owned(), value);
        if sample::holds(cond, table, &row) != Some(true) {
            continue;
        }
        let at = step.saturating_mul(i64::try_from(out.len()).ok()?);
        row.insert("at".to_owned(), Json::from(ms(at)));
        out.push(row);
        if i64::try_from(out.len()).ok()? == count {
            return Some(out);
        }
    }
    None
}

fn tests(c: &Correlation<'_>, cond: &Cond, table: TableId, rising: bool) -> Vec<Case> {
    if !matches!(c.kind.as_str(), "event_count" | "value_count") {
        return Vec::new();
    }
    let holds = |count: i64| c.bounds.iter().all(|(sign, n)| sign.holds(count, *n));
    let other = sample::other(cond, table);
    let case = |name, kind, rows: Option<Vec<Row>>| {
        let mut rows = rows?;
        if !rising {
            // a later row closes the window
            let mut row = other.clone()?;
            row.insert(
                "at".to_owned(),
                Json::from(duration(c.seconds.saturating_mul(2))),
            );
            rows.push(row);
        }
        Some(Case {
            name,
            kind,
            table: table.def().name.to_owned(),
            rows,
        })
    };
    let fires = (1..=MOST_ROWS).find(|n| holds(*n));
    let not = match fires {
        Some(n) if n > 1 => Some(n - 1),
        _ => (1..=MOST_ROWS).find(|n| !holds(*n)),
    };
    let mut out = Vec::new();
    if let Some(n) = fires {
        out.extend(case(
            "as many as the rule asks for",
            "match",
            rows(c, cond, table, n),
        ));
    }
    if let Some(n) = not {
        out.extend(case(
            "one more or one less",
            "near_miss",
            rows(c, cond, table, n),
        ));
    }
    let else_row = other.clone().map(|row| vec![row]);
    out.extend(case("something else", "no_match", else_row));
    out
}

#[cfg(test)]
mod tests_of_windows {
    use super::*;

    #[test]
    fn a_burst_within_the_timespan_lies_in_a_window() {
        assert_eq!(
            window(600, true),
            "hop(INTERVAL '11 minutes', INTERVAL '1 minute')"
        );
        assert_eq!(window(600, false), "tumble(INTERVAL '10 minutes')");
        assert_eq!(
            window(1, true),
            "hop(INTERVAL '2 seconds', INTERVAL '1 second')"
        );
        assert_eq!(
            window(25, true),
            "hop(INTERVAL '30 seconds', INTERVAL '3 seconds')"
        );
        for seconds in [1, 5, 15, 25, 59, 61, 300, 3600, 86_400] {
            let step: u64 = u64::div_ceil(seconds, 10);
            let size = (seconds + step).div_ceil(step) * step;
            // the latest window that begins at or before a burst's start holds its end
            assert!(
                size >= seconds + step && size.is_multiple_of(step),
                "{seconds}"
            );
        }
    }
}

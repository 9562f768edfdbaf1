//! Reads a rule's SQL, and refuses what cannot run on a stream or cannot be right.

pub(crate) mod calls;
mod checks;
pub(crate) mod having;
pub(crate) mod window;

use crate::provider::Provider;
use calls::{Crossed, FirstSeen};
use datafusion_sql::sqlparser::ast::{
    Expr, Query, Select, SelectItem, SetExpr, Statement, TableFactor,
};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::Span;
use std::borrow::Cow;
use telltale_rules::{Diagnostic, Rule, Step};
use telltale_schema::{ColumnDef, TableId, events_columns, nearest};
use window::Windowed;

/// SQL with its place in a rule's file.
pub(crate) struct Text<'r> {
    file: &'r str,
    sql: Cow<'r, str>,
    /// Line of the file on which the SQL's first line stands, from 1.
    line: u32,
    /// Columns by which the file indents it.
    indent: u32,
    /// Of a step, which may speak of the rows of earlier steps.
    earlier: &'r [Step],
    of_step: bool,
}

impl<'r> Text<'r> {
    /// The SQL of a rule.
    pub(crate) fn of_rule(rule: &'r Rule) -> Self {
        Self {
            file: &rule.file,
            sql: Cow::Borrowed(&rule.sql),
            line: rule.sql_line,
            indent: rule.sql_indent,
            earlier: &[],
            of_step: false,
        }
    }

    /// The conditions of a step.
    pub(crate) fn of_step(rule: &'r Rule, steps: &'r [Step], at: usize) -> Option<Self> {
        let step = steps.get(at)?;
        Some(Self {
            file: &rule.file,
            sql: Cow::Owned(format!(
                "SELECT * FROM {} WHERE\n{}",
                step.table, step.condition
            )),
            line: step.place.0.saturating_sub(1),
            indent: step.place.1,
            earlier: steps.get(..at).unwrap_or_default(),
            of_step: true,
        })
    }

    pub(crate) fn error(
        &self,
        code: &'static str,
        at: (u32, u32),
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Diagnostic {
        let at = match at.0 {
            0 => (self.line + u32::from(self.of_step), 0),
            line => (self.line + line.saturating_sub(1), self.indent + at.1),
        };
        Diagnostic::error(code, self.file, at, message).help(help)
    }
}

/// A rule's or a step's SQL, read.
pub(crate) struct Read {
    /// One table, or all of them for `events`.
    pub tables: Vec<TableId>,
    /// Columns that it may name.
    pub columns: &'static [ColumnDef],
    /// What WHERE asks of a row alone.
    pub condition: Expr,
    /// What it asks of what was seen before.
    pub first_seen: Vec<FirstSeen>,
    /// What it asks of an earlier step's row.
    pub crossed: Vec<Crossed>,
    /// GROUP BY and HAVING.
    pub window: Option<Windowed>,
}

fn start(span: Span) -> (u32, u32) {
    (
        u32::try_from(span.start.line).unwrap_or(0),
        u32::try_from(span.start.column).unwrap_or(0),
    )
}

/// Line and column at the end of a parser's message (`… at Line: 3, Column: 12`).
fn parser_place(message: &str) -> (u32, u32) {
    let number = |key: &str| {
        message
            .rsplit_once(key)
            .and_then(|(_, rest)| {
                rest.trim_start()
                    .split(|c: char| !c.is_ascii_digit())
                    .next()?
                    .parse()
                    .ok()
            })
            .unwrap_or(0)
    };
    (number("Line:"), number("Column:"))
}

/// Reads a rule's or a step's SQL.
pub(crate) fn read(
    place: &Text<'_>,
    parameters: &Parameters,
    provider: &Provider,
) -> Result<Read, Vec<Diagnostic>> {
    let one = |d: Diagnostic| vec![d];
    let statements = Parser::parse_sql(&GenericDialect {}, &place.sql).map_err(|error| {
        let message = match &error {
            ParserError::ParserError(m) | ParserError::TokenizerError(m) => m.clone(),
            ParserError::RecursionLimitExceeded => "nested too deep".to_owned(),
        };
        let text = message
            .split(" at Line:")
            .next()
            .unwrap_or(&message)
            .to_owned();
        one(place.error(
            "TT-SQL-001",
            parser_place(&message),
            text,
            "write SELECT * FROM table WHERE condition",
        ))
    })?;
    let [Statement::Query(query)] = statements.as_slice() else {
        return Err(one(place.error(
            "TT-SQL-002",
            (0, 0),
            "not one SELECT",
            "write one SELECT * FROM table WHERE condition",
        )));
    };
    let select = plain_select(query)
        .map_err(|(what, help)| one(place.error("TT-SQL-003", (0, 0), what, help)))?;
    let (table, tables, columns) = table(place, select)?;
    let Some(condition) = select.selection.clone() else {
        return Err(one(place.error(
            "TT-SQL-006",
            (0, 0),
            "no WHERE: it would fire on every row",
            "say which rows are worth an alert",
        )));
    };
    let mut found = Vec::new();
    let calls = calls::split(place, condition, columns, &mut found);
    let grouped = window::is_grouped(select);
    let wildcard = select
        .projection
        .iter()
        .all(|p| matches!(p, SelectItem::Wildcard(_)));
    if !wildcard && !grouped {
        found.push(place.error(
            "TT-SQL-007",
            (0, 0),
            "an alert shows the whole row",
            "write SELECT *",
        ));
    }
    let window = if grouped {
        window::read(place, select, columns, parameters, &mut found)
    } else {
        None
    };
    let Some(condition) = calls.condition else {
        found.push(place.error(
            "TT-SQL-006",
            (0, 0),
            "no condition on the row itself: every row would be looked up",
            "say which rows are meant, such as direction = 'request'",
        ));
        return Err(found);
    };
    checks::check(
        place,
        &condition,
        (&table, &tables, columns),
        provider,
        &mut found,
    );
    if found.is_empty() {
        Ok(Read {
            tables,
            columns,
            condition,
            first_seen: calls.first_seen,
            crossed: calls.crossed,
            window,
        })
    } else {
        Err(found)
    }
}

/// Parameters with the values that hold at the site.
pub(crate) type Parameters = std::collections::BTreeMap<String, serde_json::Value>;

type Table = (String, Vec<TableId>, &'static [ColumnDef]);

/// The table that a SELECT reads.
fn table(place: &Text<'_>, select: &Select) -> Result<Table, Vec<Diagnostic>> {
    let one = |d: Diagnostic| vec![d];
    let [from] = select.from.as_slice() else {
        return Err(one(place.error(
            "TT-SQL-004",
            (0, 0),
            "a rule reads one table",
            "use `events` to read all protocols",
        )));
    };
    if !from.joins.is_empty() {
        return Err(one(place.error(
            "TT-SQL-004",
            (0, 0),
            "a join cannot run on a stream",
            "use in_list('name', column) or asset_role(ip) to look things up; a `sequence` ties rows together",
        )));
    }
    let TableFactor::Table { name, .. } = &from.relation else {
        return Err(one(place.error(
            "TT-SQL-004",
            (0, 0),
            "FROM names no table",
            "name a table: `telltale schema` lists them",
        )));
    };
    let table = name.to_string().to_lowercase();
    if table == "events" {
        return Ok((table, TableId::ALL.to_vec(), events_columns()));
    }
    if let Some(id) = TableId::from_name(&table) {
        return Ok((table, vec![id], id.def().columns));
    }
    let names = TableId::ALL.iter().map(|t| t.name()).chain(["events"]);
    let help = nearest(&table, names)
        .map_or("`telltale schema` lists the tables".to_owned(), |n| {
            format!("did you mean `{n}`?")
        });
    Err(one(place.error(
        "TT-SQL-005",
        (0, 0),
        format!("no table `{table}`"),
        help,
    )))
}

/// The SELECT of a query that has nothing else.
fn plain_select(query: &Query) -> Result<&Select, (&'static str, &'static str)> {
    if query.with.is_some() {
        return Err(("WITH is not for rules", "write one SELECT"));
    }
    if query.order_by.is_some() || query.limit_clause.is_some() || query.fetch.is_some() {
        return Err((
            "ORDER BY and LIMIT cannot run on a stream, which has no end",
            "leave them out; suppression limits alerts",
        ));
    }
    let SetExpr::Select(select) = &*query.body else {
        return Err((
            "UNION and VALUES are not for rules",
            "write two rules, or OR",
        ));
    };
    if select.distinct.is_some() || select.qualify.is_some() {
        return Err((
            "DISTINCT and QUALIFY are not for rules",
            "suppression joins repeated findings; GROUP BY a window counts them",
        ));
    }
    if select.having.is_some() && !window::is_grouped(select) {
        return Err((
            "HAVING without GROUP BY",
            "GROUP BY keys and a window: tumble(INTERVAL '1 minute')",
        ));
    }
    Ok(select)
}

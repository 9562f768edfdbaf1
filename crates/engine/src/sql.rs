//! Reads a rule's SQL, and refuses what cannot run on a stream or cannot be right.

use crate::negation;
use crate::provider::Provider;
use datafusion_sql::sqlparser::ast::{
    Expr, GroupByExpr, Query, SelectItem, SetExpr, Statement, TableFactor, visit_expressions,
};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::Span;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use telltale_rules::{Diagnostic, Rule};
use telltale_schema::{ColumnDef, TableId, events_columns, nearest};

/// A rule's SQL, read.
pub(crate) struct Read {
    /// One table, or all of them for `events`.
    pub tables: Vec<TableId>,
    /// Columns that it may name.
    pub columns: &'static [ColumnDef],
    /// WHERE.
    pub condition: Expr,
}

/// Makes diagnostics with places in the rule's file.
pub(crate) struct Place<'r>(pub &'r Rule);

impl Place<'_> {
    pub(crate) fn error(
        &self,
        code: &'static str,
        at: (u32, u32),
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Diagnostic {
        let at = if at.0 == 0 {
            (self.0.sql_line, 0)
        } else {
            self.0.in_file(at.0, at.1)
        };
        Diagnostic::error(code, &self.0.file, at, message).help(help)
    }
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

pub(crate) fn read(rule: &Rule, provider: &Provider) -> Result<Read, Vec<Diagnostic>> {
    let place = Place(rule);
    let one = |d: Diagnostic| vec![d];
    let statements = Parser::parse_sql(&GenericDialect {}, &rule.sql).map_err(|error| {
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
            "use in_list('name', column) or asset_role(ip) to look things up",
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
    let (tables, columns) = if table == "events" {
        (TableId::ALL.to_vec(), events_columns())
    } else if let Some(id) = TableId::from_name(&table) {
        (vec![id], id.def().columns)
    } else {
        let names = TableId::ALL.iter().map(|t| t.name()).chain(["events"]);
        let help = nearest(&table, names)
            .map_or("`telltale schema` lists the tables".to_owned(), |n| {
                format!("did you mean `{n}`?")
            });
        return Err(one(place.error(
            "TT-SQL-005",
            (0, 0),
            format!("no table `{table}`"),
            help,
        )));
    };
    let Some(condition) = select.selection.clone() else {
        return Err(one(place.error(
            "TT-SQL-006",
            (0, 0),
            "no WHERE: it would fire on every row",
            "say which rows are worth an alert",
        )));
    };
    let mut found = Vec::new();
    let mut named = BTreeSet::new();
    let wildcard = select
        .projection
        .iter()
        .all(|p| matches!(p, SelectItem::Wildcard(_)));
    if !wildcard {
        found.push(place.error(
            "TT-SQL-007",
            (0, 0),
            "an alert shows the whole row",
            "write SELECT *",
        ));
    }
    let flow = visit_expressions(&condition, |expr| {
        match expr {
            Expr::Identifier(ident) if ident.quote_style != Some('\'') => {
                let column = ident.value.to_lowercase();
                if columns.iter().any(|c| c.name == column) {
                    named.insert(column);
                } else {
                    let help = nearest(&column, columns.iter().map(|c| c.name)).map_or(
                        format!("`telltale schema {table}` lists the columns"),
                        |n| format!("did you mean `{n}`?"),
                    );
                    found.push(place.error(
                        "TT-SQL-008",
                        start(ident.span),
                        format!("table `{table}` has no column `{}`", ident.value),
                        help,
                    ));
                }
            }
            Expr::Function(function) => {
                let name = function.name.to_string().to_lowercase();
                let at = function
                    .name
                    .0
                    .first()
                    .and_then(|p| p.as_ident())
                    .map_or((0, 0), |i| start(i.span));
                match provider.function(&name) {
                    _ if function.over.is_some() => found.push(place.error(
                        "TT-SQL-009",
                        at,
                        "a window function cannot run on a stream",
                        "say it as a condition of one row",
                    )),
                    None => {
                        let help = nearest(&name, provider.names())
                            .map_or("docs/sql.md lists the functions".to_owned(), |n| {
                                format!("did you mean `{n}`?")
                            });
                        found.push(place.error(
                            "TT-SQL-010",
                            at,
                            format!("no function `{name}`"),
                            help,
                        ));
                    }
                    Some(f)
                        if f.signature().volatility != datafusion_expr::Volatility::Immutable =>
                    {
                        found.push(place.error("TT-SQL-011", at, format!("`{name}` gives another answer each time it is asked, so that a replay would differ"), "use the row's event_time"));
                    }
                    Some(_) => {}
                }
            }
            Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
                found.push(place.error(
                    "TT-SQL-004",
                    (0, 0),
                    "a subquery cannot run on a stream",
                    "use in_list('name', column)",
                ));
            }
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    debug_assert!(flow.is_continue());
    for ident in negation::nullable(&condition, columns) {
        let column = ident.value.to_lowercase();
        found.push(place.error(
            "TT-SQL-013",
            start(ident.span),
            format!("NOT over `{column}`, which may be NULL: a row without it would not match"),
            format!(
                "add AND {column} IS NOT NULL, or say what NULL means: {column} IS DISTINCT FROM …, coalesce({column}, …)"
            ),
        ));
    }
    let events = tables.len() > 1;
    let industrial = events
        || columns.iter().any(|c| c.name == "operation")
            && !matches!(
                tables.first(),
                Some(TableId::Flow | TableId::Arp | TableId::PacketError)
            );
    if named.contains("operation")
        && industrial
        && !["direction", "outcome", "is_response", "exception_code"]
            .iter()
            .any(|c| named.contains(*c))
    {
        found.push(place.error(
            "TT-SQL-012",
            (0, 0),
            "`operation` without `direction` fires twice, on the request and on its response",
            "add AND direction = 'request'",
        ));
    }
    if found.is_empty() {
        Ok(Read {
            tables,
            columns,
            condition,
        })
    } else {
        Err(found)
    }
}

/// The SELECT of a query that has nothing else.
fn plain_select(
    query: &Query,
) -> Result<&datafusion_sql::sqlparser::ast::Select, (&'static str, &'static str)> {
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
    let grouped =
        !matches!(&select.group_by, GroupByExpr::Expressions(e, m) if e.is_empty() && m.is_empty());
    if grouped || select.having.is_some() || select.distinct.is_some() || select.qualify.is_some() {
        return Err((
            "GROUP BY, HAVING and DISTINCT need memory, which rules of this release do not have",
            "say it as a condition of one row; suppression joins repeated findings",
        ));
    }
    Ok(select)
}

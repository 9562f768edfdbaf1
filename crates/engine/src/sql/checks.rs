//! What is wrong with a condition of one row.

use super::{Text, start};
use crate::negation;
use crate::provider::Provider;
use datafusion_sql::sqlparser::ast::{Expr, visit_expressions};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use telltale_rules::Diagnostic;
use telltale_schema::{ColumnDef, TableId, nearest};

/// Says all that is wrong with the names and functions of a condition.
pub(super) fn check(
    place: &Text<'_>,
    condition: &Expr,
    (table, tables, columns): (&str, &[TableId], &'static [ColumnDef]),
    provider: &Provider,
    found: &mut Vec<Diagnostic>,
) {
    let mut named = BTreeSet::new();
    let flow = visit_expressions(condition, |expr| {
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
                    _ if name == "first_seen" => found.push(place.error(
                        "TT-SQL-031",
                        at,
                        "first_seen() is a condition of its own",
                        "join it to the others by AND, outside of NOT and OR",
                    )),
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
    for ident in negation::nullable(condition, columns) {
        let column = ident.value.to_lowercase();
        found.push(place.error(
            "TT-SQL-013",
            start(ident.span),
            format!("NOT over `{column}`, which may be NULL: a row without it would not match"),
            format!(
                "add AND {column} IS NOT NULL, or say what NULL means: ({column} IS DISTINCT FROM …), coalesce({column}, …)"
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
}

//! What DEFINE says of a pattern's symbols.

use super::Wrong;
use crate::testcase::duration_ns;
use sqlparser::ast::{
    BinaryOperator, Expr, Ident, Interval, SymbolDefinition, UnaryOperator, Value, ValueWithSpan,
    visit_expressions, visit_expressions_mut,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use telltale_schema::{ColumnDef, TableId};

/// Conditions of a row.
pub(super) struct Defined {
    conditions: Vec<Expr>,
    /// Line of the SQL, from 1.
    pub line: u32,
    /// Of the last step: nanoseconds from the first row.
    pub within_ns: Option<i64>,
}

impl Defined {
    /// As the conditions of a step.
    pub(super) fn text(&self) -> String {
        let all: Vec<String> = self.conditions.iter().map(one).collect();
        all.join(" AND ")
    }
}

/// A condition that can stand beside others.
fn one(condition: &Expr) -> String {
    match condition {
        Expr::BinaryOp {
            op: BinaryOperator::Or,
            ..
        } => format!("({condition})"),
        _ => condition.to_string(),
    }
}

/// The definitions of a pattern's symbols.
pub(super) struct Conditions<'s> {
    columns: &'static [ColumnDef],
    steps: &'s [&'s str],
    symbols: BTreeMap<String, &'s SymbolDefinition>,
}

/// The expression without parentheses around it.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

/// What stands between ANDs, in the parentheses in which it was written: the parser
/// would take what follows `a IS DISTINCT FROM 1` by AND into it.
fn split(expr: &Expr, out: &mut Vec<Expr>) {
    match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            split(left, out);
            split(right, out);
        }
        Expr::Nested(_)
            if matches!(
                bare(expr),
                Expr::BinaryOp {
                    op: BinaryOperator::And,
                    ..
                }
            ) =>
        {
            split(bare(expr), out);
        }
        other => out.push(other.clone()),
    }
}

fn column<'e>(expr: &'e Expr, of: Option<&str>) -> Option<&'e str> {
    match expr {
        Expr::Identifier(name) if of.is_none() => Some(&name.value),
        Expr::CompoundIdentifier(names) => match names.as_slice() {
            [symbol, name] if Some(symbol.value.as_str()) == of => Some(&name.value),
            _ => None,
        },
        _ => None,
    }
}

fn interval(expr: &Expr) -> Option<i64> {
    let Expr::Interval(Interval {
        value,
        leading_field,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    }) = expr
    else {
        return None;
    };
    let Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(text),
        ..
    }) = &**value
    else {
        return None;
    };
    let text = match leading_field {
        None => text.clone(),
        Some(unit) => format!("{text} {}", unit.to_string().to_lowercase()),
    };
    duration_ns(&text).filter(|ns| *ns > 0)
}

/// `event_time <= FIRST.event_time + INTERVAL …`, or the difference of the two.
fn within(condition: &Expr, first: &str) -> Option<i64> {
    let own = |e: &Expr| column(e, None) == Some("event_time");
    let theirs = |e: &Expr| column(e, Some(first)) == Some("event_time");
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::LtEq,
        right,
    } = bare(condition)
    else {
        return None;
    };
    match (bare(left), bare(right)) {
        (
            left,
            Expr::BinaryOp {
                left: from,
                op: BinaryOperator::Plus,
                right: length,
            },
        ) if own(left) && theirs(from) => interval(length),
        (
            Expr::BinaryOp {
                left: to,
                op: BinaryOperator::Minus,
                right: from,
            },
            length,
        ) if own(to) && theirs(from) => interval(length),
        _ => None,
    }
}

impl<'s> Conditions<'s> {
    pub(super) fn new(
        table: &str,
        steps: &'s [&'s str],
        symbols: &'s [SymbolDefinition],
    ) -> Result<Self, Wrong> {
        let columns = match TableId::from_name(table) {
            Some(id) => id.def().columns,
            // of a table that is not there the engine tells
            None => telltale_schema::events_columns(),
        };
        let mut all = BTreeMap::new();
        for symbol in symbols {
            let name = symbol.symbol.value.to_lowercase();
            if all.insert(name, symbol).is_some() {
                return Err((
                    "TT-SQL-043",
                    line(&symbol.symbol),
                    format!("`{}` is defined twice", symbol.symbol.value),
                    "define each symbol once",
                ));
            }
        }
        Ok(Self {
            columns,
            steps,
            symbols: all,
        })
    }

    /// The conditions of a symbol, its own name taken off its columns, those of others in
    /// small letters.
    fn own(&self, name: &str) -> Option<Defined> {
        let symbol = self.symbols.get(name)?;
        let mut definition = symbol.definition.clone();
        let own = |expr: &mut Expr| {
            if let Expr::CompoundIdentifier(names) = &*expr
                && let [of, column] = names.as_slice()
            {
                let of = of.value.to_lowercase();
                *expr = if of == name {
                    Expr::Identifier(column.clone())
                } else {
                    Expr::CompoundIdentifier(vec![Ident::new(of), column.clone()])
                };
            }
            ControlFlow::<()>::Continue(())
        };
        if visit_expressions_mut(&mut definition, own).is_break() {
            return None;
        }
        let mut conditions = Vec::new();
        split(&definition, &mut conditions);
        Some(Defined {
            conditions,
            line: line(&symbol.symbol),
            within_ns: None,
        })
    }

    /// Conditions of a step's row.
    pub(super) fn of_step(&self, name: &str, first: &str, is_last: bool) -> Result<Defined, Wrong> {
        let Some(mut defined) = self.own(name) else {
            return Err((
                "TT-SQL-045",
                0,
                format!("`{name}` is not defined: any row would do"),
                "say in DEFINE which rows it means",
            ));
        };
        let line = defined.line;
        let times: Vec<i64> = defined
            .conditions
            .iter()
            .filter_map(|c| within(c, first))
            .collect();
        defined.conditions.retain(|c| within(c, first).is_none());
        defined.within_ns = times.iter().copied().min();
        if !times.is_empty() && !is_last {
            return Err((
                "TT-SQL-046",
                line,
                format!("`{name}` is not the last step"),
                "say how long a match may take in the last step; a `sequence:` has `within` for each",
            ));
        }
        for condition in &defined.conditions {
            self.alone(condition, name, line)?;
        }
        if defined.conditions.is_empty() {
            return Err((
                "TT-SQL-045",
                line,
                format!("`{name}` says nothing of its row: any would do"),
                "say which rows it means, such as operation = 'write'",
            ));
        }
        Ok(defined)
    }

    /// Conditions speak of the row itself: of two `A` SQL follows the first and a sequence
    /// the one that is complete first, which is the same only where any `B` fits both.
    fn alone(&self, condition: &Expr, name: &str, line: u32) -> Result<(), Wrong> {
        let mut wrong: Option<String> = None;
        let look = |expr: &Expr| {
            match expr {
                Expr::CompoundIdentifier(names) => {
                    let of = names.first().map_or("", |n| n.value.as_str());
                    wrong.get_or_insert_with(|| of.to_owned());
                }
                Expr::Function(call) => {
                    let called = call.name.to_string().to_lowercase();
                    let of_pattern = [
                        "prev",
                        "next",
                        "first",
                        "last",
                        "classifier",
                        "match_number",
                    ];
                    if of_pattern.contains(&called.as_str()) {
                        wrong.get_or_insert(called);
                    }
                }
                _ => {}
            }
            ControlFlow::<()>::Continue(())
        };
        let looked = visit_expressions(condition, look);
        let (ControlFlow::Continue(()), Some(of)) = (looked, wrong) else {
            return Ok(());
        };
        let message = if self.steps.contains(&of.as_str()) {
            format!(
                "`{name}` speaks of `{of}`: SQL would wait for the first `{of}` alone, and miss what another one completes"
            )
        } else {
            format!("`{name}` speaks of `{of}`, which is not built")
        };
        Err((
            "TT-SQL-047",
            line,
            message,
            "add the column to PARTITION BY where it is equal in all rows; a `sequence:` may compare with any earlier step",
        ))
    }

    /// What a gap says besides that its rows are not those of the step after it: a row
    /// that must not come.
    pub(super) fn of_gap(
        &self,
        gap: &str,
        next: &Defined,
        next_name: &str,
    ) -> Result<Option<Defined>, Wrong> {
        let help = "define it as (conditions of the next step) IS NOT TRUE, and nothing else than one row more that must not come";
        let Some(defined) = self.own(gap) else {
            return Err((
                "TT-SQL-045",
                0,
                format!(
                    "`{gap}` is not defined, so that `{gap}*` runs on to the last `{next_name}`"
                ),
                "define it as (conditions of the next step) IS NOT TRUE: the first one is found then",
            ));
        };
        let line = defined.line;
        let (mut is_not_next, mut absent) = (false, Vec::new());
        for condition in &defined.conditions {
            let (inner, may_be_null) = match bare(condition) {
                Expr::IsNotTrue(inner) => (inner, false),
                Expr::UnaryOp {
                    op: UnaryOperator::Not,
                    expr,
                } => (expr, true),
                other => {
                    return Err((
                        "TT-SQL-045",
                        line,
                        format!(
                            "`{gap}` has to say what its rows are not; `{other}` says what they are"
                        ),
                        help,
                    ));
                }
            };
            if let Some(column) = self.nullable(inner).filter(|_| may_be_null) {
                return Err((
                    "TT-SQL-045",
                    line,
                    format!(
                        "NOT of `{column}`, which may be NULL: such a row would fit neither, and end the match"
                    ),
                    "write (conditions) IS NOT TRUE",
                ));
            }
            let mut conditions = Vec::new();
            split(inner, &mut conditions);
            conditions.retain(|c| self.steps.iter().all(|first| within(c, first).is_none()));
            let same = conditions
                .iter()
                .map(bare)
                .eq(next.conditions.iter().map(bare));
            if same && !is_not_next {
                is_not_next = true;
            } else {
                absent.push(conditions);
            }
        }
        match (is_not_next, absent.as_slice()) {
            (true, []) => Ok(None),
            (true, [conditions]) => {
                for condition in conditions {
                    self.alone(condition, gap, line)?;
                }
                Ok(Some(Defined {
                    conditions: conditions.clone(),
                    line,
                    within_ns: None,
                }))
            }
            _ => Err((
                "TT-SQL-045",
                line,
                format!(
                    "`{gap}` does not say, in the same words, that its rows are not `{next_name}`: SQL would run on to a later one"
                ),
                help,
            )),
        }
    }

    /// A column in the expression that may be NULL.
    fn nullable(&self, expr: &Expr) -> Option<String> {
        let mut found = None;
        let look = |expr: &Expr| {
            let name = match expr {
                Expr::Identifier(name) => &name.value,
                Expr::CompoundIdentifier(names) => match names.last() {
                    Some(name) => &name.value,
                    None => return ControlFlow::Continue(()),
                },
                _ => return ControlFlow::<()>::Continue(()),
            };
            if self.columns.iter().any(|c| c.name == name && c.nullable) {
                found.get_or_insert_with(|| name.clone());
            }
            ControlFlow::Continue(())
        };
        match visit_expressions(expr, look) {
            ControlFlow::Continue(()) | ControlFlow::Break(()) => found,
        }
    }
}

fn line(name: &Ident) -> u32 {
    u32::try_from(name.span.start.line).unwrap_or(0)
}

//! NOT over a column that may be NULL: `NOT (vlan = 5)` is not true for rows
//! without a VLAN, which is seldom what was meant.

use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, UnaryOperator, Visit as _, Visitor, visit_expressions,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use telltale_schema::ColumnDef;

/// Functions that are never NULL, whatever their arguments.
const NEVER_NULL: [&str; 10] = [
    "in_list",
    "in_calendar",
    "cidr_match",
    "overlaps",
    "outside_limits",
    "asset_name",
    "asset_zone",
    "asset_level",
    "asset_role",
    "coalesce",
];

/// The first nullable column under each NOT of the condition, unless what stands
/// beside the NOT says that it is there.
pub(crate) fn nullable(condition: &Expr, columns: &'static [ColumnDef]) -> Vec<Ident> {
    let mut found = Vec::new();
    check(condition, columns, &BTreeSet::new(), &mut found);
    found
}

fn check(
    expr: &Expr,
    columns: &'static [ColumnDef],
    known: &BTreeSet<String>,
    found: &mut Vec<Ident>,
) {
    match expr {
        Expr::Nested(inner) => check(inner, columns, known, found),
        Expr::BinaryOp {
            left,
            op: op @ (BinaryOperator::And | BinaryOperator::Or),
            right,
        } => {
            let mut known = known.clone();
            if *op == BinaryOperator::And {
                present(expr, &mut known);
            } else {
                absent(expr, &mut known);
            }
            check(left, columns, &known, found);
            check(right, columns, &known, found);
        }
        _ => {
            let flow = visit_expressions(expr, |expr| {
                if let Some(operand) = operand(expr) {
                    let mut look = Look {
                        columns,
                        known,
                        safe: 0,
                        found: None,
                    };
                    if operand.visit(&mut look).is_break() {
                        found.extend(look.found);
                    }
                }
                ControlFlow::<()>::Continue(())
            });
            debug_assert!(flow.is_continue());
        }
    }
}

/// Columns that one side of an OR takes where they are NULL.
fn absent(expr: &Expr, known: &mut BTreeSet<String>) {
    match expr {
        Expr::Nested(inner) => absent(inner, known),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Or,
            right,
        } => {
            absent(left, known);
            absent(right, known);
        }
        Expr::IsNull(inner) => {
            if let Expr::Identifier(ident) = &**inner {
                known.insert(ident.value.to_lowercase());
            }
        }
        _ => {}
    }
}

/// What a NOT negates.
fn operand(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => Some(expr),
        Expr::InList {
            expr,
            negated: true,
            ..
        }
        | Expr::Between {
            expr,
            negated: true,
            ..
        }
        | Expr::Like {
            expr,
            negated: true,
            ..
        }
        | Expr::ILike {
            expr,
            negated: true,
            ..
        } => Some(expr),
        _ => None,
    }
}

/// Columns that cannot be NULL where all conjuncts hold.
fn present(condition: &Expr, known: &mut BTreeSet<String>) {
    let mut add = |expr: &Expr| {
        if let Expr::Identifier(ident) = expr {
            known.insert(ident.value.to_lowercase());
        }
    };
    match condition {
        Expr::Nested(inner) => present(inner, known),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            present(left, known);
            present(right, known);
        }
        Expr::BinaryOp {
            left,
            op:
                BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq,
            right,
        } => {
            add(left);
            add(right);
        }
        Expr::IsNotNull(inner)
        | Expr::InList {
            expr: inner,
            negated: false,
            ..
        }
        | Expr::Between {
            expr: inner,
            negated: false,
            ..
        }
        | Expr::Like {
            expr: inner,
            negated: false,
            ..
        } => add(inner),
        _ => {}
    }
}

struct Look<'k> {
    columns: &'static [ColumnDef],
    known: &'k BTreeSet<String>,
    /// Depth inside of what is never NULL.
    safe: u32,
    found: Option<Ident>,
}

fn is_safe(expr: &Expr) -> bool {
    match expr {
        Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..) => true,
        Expr::Function(f) => NEVER_NULL.contains(&f.name.to_string().to_lowercase().as_str()),
        _ => false,
    }
}

impl Visitor for Look<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.safe += u32::from(is_safe(expr));
        if let Expr::Identifier(ident) = expr
            && self.safe == 0
        {
            let name = ident.value.to_lowercase();
            let nullable = self.columns.iter().any(|c| c.name == name && c.nullable);
            if nullable && !self.known.contains(&name) {
                self.found = Some(ident.clone());
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.safe -= u32::from(is_safe(expr));
        ControlFlow::Continue(())
    }
}

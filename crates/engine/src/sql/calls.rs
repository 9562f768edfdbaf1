//! Conditions on more than one row: `first_seen(…)`, and comparisons with the row of an
//! earlier step.

use super::{Text, start};
use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    Spanned as _, Value,
};
use telltale_rules::testcase::duration_ns;
use telltale_rules::{Diagnostic, Step};
use telltale_schema::{ColumnDef, ColumnKind, TableId, events_columns, nearest};

/// `first_seen(column, …, ttl => '30 days', learn => '7 days')`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FirstSeen {
    /// Positions of the key's columns.
    pub columns: Vec<usize>,
    /// Is the local hour of the row's time the last part of the key?
    pub hour: bool,
    /// A key that was not seen for so many nanoseconds is forgotten.
    pub ttl_ns: i64,
    /// For so many nanoseconds from the first row, keys are learned in silence.
    pub learn_ns: i64,
    /// As SQL.
    pub text: String,
}

/// How two cells are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn of(op: &BinaryOperator) -> Option<Self> {
        Some(match op {
            BinaryOperator::Eq => Self::Equal,
            BinaryOperator::NotEq => Self::Unequal,
            BinaryOperator::Lt => Self::Less,
            BinaryOperator::LtEq => Self::LessOrEqual,
            BinaryOperator::Gt => Self::Greater,
            BinaryOperator::GtEq => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    /// With its sides exchanged.
    pub(crate) const fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }

    /// Does it hold for this order of left and right?
    pub(crate) const fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// `column = step.column`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crossed {
    /// Position of the row's own column.
    pub column: usize,
    /// Left is the row's own cell.
    pub comparison: Comparison,
    /// Which earlier step.
    pub step: usize,
    /// Position of its column.
    pub of_step: usize,
    /// As SQL.
    pub text: String,
}

/// A WHERE in its parts.
pub(super) struct Calls {
    pub condition: Option<Expr>,
    pub first_seen: Vec<FirstSeen>,
    pub crossed: Vec<Crossed>,
}

fn conjuncts(expr: Expr, out: &mut Vec<Expr>) {
    match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            conjuncts(*left, out);
            conjuncts(*right, out);
        }
        Expr::Nested(inner)
            if matches!(
                &*inner,
                Expr::BinaryOp {
                    op: BinaryOperator::And,
                    ..
                }
            ) =>
        {
            conjuncts(*inner, out);
        }
        other => out.push(other),
    }
}

/// Takes a WHERE apart.
pub(super) fn split(
    place: &Text<'_>,
    condition: Expr,
    columns: &'static [ColumnDef],
    found: &mut Vec<Diagnostic>,
) -> Calls {
    let mut calls = Calls {
        condition: None,
        first_seen: Vec::new(),
        crossed: Vec::new(),
    };
    let mut all = Vec::new();
    conjuncts(condition, &mut all);
    for conjunct in all {
        match &conjunct {
            Expr::Function(f) if f.name.to_string().eq_ignore_ascii_case("first_seen") => {
                calls
                    .first_seen
                    .extend(first_seen(place, f, columns, found));
            }
            Expr::BinaryOp { left, op, right }
                if is_of_step(left, place) || is_of_step(right, place) =>
            {
                calls
                    .crossed
                    .extend(crossed(place, (left, op, right), columns, found));
            }
            _ => {
                calls.condition = Some(match calls.condition.take() {
                    None => conjunct,
                    Some(before) => Expr::BinaryOp {
                        left: Box::new(before),
                        op: BinaryOperator::And,
                        right: Box::new(conjunct),
                    },
                });
            }
        }
    }
    calls
}

fn is_of_step(expr: &Expr, place: &Text<'_>) -> bool {
    matches!(expr, Expr::CompoundIdentifier(parts) if parts.len() == 2 && place.of_step)
}

/// Position of a column, or what is wrong with it.
pub(super) fn position(
    place: &Text<'_>,
    ident: &Ident,
    columns: &'static [ColumnDef],
    found: &mut Vec<Diagnostic>,
) -> Option<usize> {
    let name = ident.value.to_lowercase();
    let at = columns.iter().position(|c| c.name == name);
    if at.is_none() {
        let help = nearest(&name, columns.iter().map(|c| c.name))
            .map_or("`telltale schema` lists the columns".to_owned(), |n| {
                format!("did you mean `{n}`?")
            });
        found.push(place.error(
            "TT-SQL-008",
            start(ident.span),
            format!("no column `{}`", ident.value),
            help,
        ));
    }
    at
}

fn crossed(
    place: &Text<'_>,
    (left, op, right): (&Expr, &BinaryOperator, &Expr),
    columns: &'static [ColumnDef],
    found: &mut Vec<Diagnostic>,
) -> Option<Crossed> {
    let text = format!("{left} {op} {right}");
    let at = start(left.span());
    let (own, parts, comparison) = match (left, Comparison::of(op), right) {
        (Expr::Identifier(own), Some(c), Expr::CompoundIdentifier(parts)) => (own, parts, c),
        (Expr::CompoundIdentifier(parts), Some(c), Expr::Identifier(own)) => {
            (own, parts, c.turned())
        }
        _ => {
            found.push(place.error(
                "TT-SQL-037",
                at,
                format!("`{text}` is no comparison of a column with a column of an earlier step"),
                "write object = first.object; = <> < <= > >=",
            ));
            return None;
        }
    };
    let [step, column] = parts.as_slice() else {
        return None;
    };
    let Some(number) = place.earlier.iter().position(|s| s.name == step.value) else {
        let names = place.earlier.iter().map(|s| s.name.as_str());
        let help = nearest(&step.value, names)
            .map_or("a step may speak of those before it".to_owned(), |n| {
                format!("did you mean `{n}`?")
            });
        found.push(place.error(
            "TT-SQL-037",
            start(step.span),
            format!("no earlier step `{}`", step.value),
            help,
        ));
        return None;
    };
    if place.earlier.get(number).is_some_and(|s: &Step| s.absent) {
        found.push(place.error(
            "TT-SQL-037",
            start(step.span),
            format!("step `{}` is absent: it has no row", step.value),
            "name a step that has one",
        ));
        return None;
    }
    let theirs = place
        .earlier
        .get(number)
        .and_then(|s| match s.table.as_str() {
            "events" => Some(events_columns()),
            name => TableId::from_name(name).map(|t| t.def().columns),
        })?;
    let own_at = position(place, own, columns, found)?;
    let their_at = position(place, column, theirs, found)?;
    let kind = |defs: &'static [ColumnDef], at: usize| defs.get(at).map(|d| d.kind);
    let (a, b) = (kind(columns, own_at)?, kind(theirs, their_at)?);
    if !comparable(a, b) {
        found.push(place.error(
            "TT-SQL-037",
            at,
            format!("`{text}` compares columns of different types"),
            "compare addresses with addresses, numbers with numbers, texts with texts",
        ));
        return None;
    }
    Some(Crossed {
        column: own_at,
        comparison,
        step: number,
        of_step: their_at,
        text,
    })
}

/// Can cells of these kinds be compared?
pub(crate) fn comparable(a: ColumnKind, b: ColumnKind) -> bool {
    let number = |k| {
        matches!(
            k,
            ColumnKind::U8
                | ColumnKind::U16
                | ColumnKind::U32
                | ColumnKind::U64
                | ColumnKind::I64
                | ColumnKind::F64
        )
    };
    let list = |k| matches!(k, ColumnKind::ListF64 | ColumnKind::ListU32);
    !list(a) && (a == b || (number(a) && number(b)))
}

fn named(arg: &FunctionArg) -> Option<(String, &FunctionArgExpr)> {
    match arg {
        FunctionArg::Named { name, arg, .. } => Some((name.value.to_lowercase(), arg)),
        FunctionArg::ExprNamed {
            name: Expr::Identifier(name),
            arg,
            ..
        } => Some((name.value.to_lowercase(), arg)),
        _ => None,
    }
}

fn first_seen(
    place: &Text<'_>,
    function: &Function,
    columns: &'static [ColumnDef],
    found: &mut Vec<Diagnostic>,
) -> Option<FirstSeen> {
    let at = function
        .name
        .0
        .first()
        .and_then(|p| p.as_ident())
        .map_or((0, 0), |i| start(i.span));
    let before = found.len();
    let mut made = FirstSeen {
        columns: Vec::new(),
        hour: false,
        ttl_ns: 30 * 86_400_000_000_000,
        learn_ns: 7 * 86_400_000_000_000,
        text: function.to_string(),
    };
    let args = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    for arg in args {
        match (named(arg), arg) {
            (Some((name, value)), _) if name == "ttl" || name == "learn" => {
                let ns = match value {
                    FunctionArgExpr::Expr(Expr::Value(v)) => match &v.value {
                        Value::SingleQuotedString(text) => duration_ns(text),
                        _ => None,
                    },
                    _ => None,
                };
                match ns {
                    Some(ns) if name == "learn" => made.learn_ns = ns,
                    Some(ns) if ns > 0 => made.ttl_ns = ns,
                    _ => found.push(place.error(
                        "TT-SQL-031",
                        at,
                        format!("`{name}` of first_seen() is no duration"),
                        "write ttl => '30 days'",
                    )),
                }
            }
            (None, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(ident)))) => {
                made.columns.extend(position(place, ident, columns, found));
            }
            (None, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(f))))
                if f.to_string().to_lowercase() == "local_hour(event_time)" =>
            {
                made.hour = true;
            }
            _ => found.push(place.error(
                "TT-SQL-031",
                at,
                format!("`{arg}` is nothing that first_seen() takes"),
                "first_seen(column, …, local_hour(event_time), ttl => '30 days', learn => '7 days')",
            )),
        }
    }
    if made.columns.is_empty() && found.len() == before {
        found.push(place.error(
            "TT-SQL-031",
            at,
            "first_seen() of what?",
            "first_seen(client_ip, server_ip)",
        ));
    }
    unbounded(place, at, &made.columns, columns, found);
    (found.len() == before).then_some(made)
}

/// Columns that have a new value in nearly every row.
const EVER_NEW: [&str; 9] = [
    "row_no",
    "pdu_id",
    "request_ref",
    "packet",
    "flow_id",
    "flow_ordinal",
    "community_id",
    "latency_us",
    "transaction_id",
];

/// Refuses keys that would be new with nearly every row.
pub(crate) fn unbounded(
    place: &Text<'_>,
    at: (u32, u32),
    keys: &[usize],
    columns: &'static [ColumnDef],
    found: &mut Vec<Diagnostic>,
) {
    for def in keys.iter().filter_map(|k| columns.get(*k)) {
        let list = matches!(def.kind, ColumnKind::ListF64 | ColumnKind::ListU32);
        let ever_new = matches!(def.kind, ColumnKind::Timestamp | ColumnKind::F64)
            || EVER_NEW.contains(&def.name);
        if list || ever_new {
            found.push(place.error(
                "TT-SQL-036",
                at,
                format!(
                    "`{}` is no key: {}",
                    def.name,
                    if list {
                        "it is a list"
                    } else {
                        "it has a new value in nearly every row"
                    }
                ),
                "take columns that come again: addresses, units, functions, objects",
            ));
        }
    }
}

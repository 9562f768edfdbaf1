//! `GROUP BY keys, tumble(…) HAVING …`.

use super::calls::{Comparison, position, unbounded};
use super::having::{Having, Term};
use super::{Parameters, Text, start};
use datafusion_sql::sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, GroupByExpr, Select, SelectItem, Spanned as _, UnaryOperator, Value,
};
use std::sync::Arc;
use telltale_rules::Diagnostic;
use telltale_rules::testcase::duration_ns;
use telltale_schema::{ColumnDef, ColumnKind, TableId};

/// Most slides in a hopping window.
pub(crate) const MAX_PANES: i64 = 64;

/// Which rows go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// Windows of `slide × panes` nanoseconds, one beginning every `slide`, aligned to
    /// 1970-01-01 UTC; a tumbling window has one pane.
    Panes { slide: i64, panes: i64 },
    /// Rows with less than `gap` nanoseconds between them.
    Session { gap: i64 },
}

/// What is worked out of a group's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Rows.
    Count,
    /// Rows in which the column is not NULL.
    CountOf(usize),
    /// Distinct values.
    Distinct(usize),
    Sum(usize),
    Min(usize),
    Max(usize),
    Avg(usize),
}

impl What {
    /// The column that it reads.
    pub(crate) const fn column(self) -> Option<usize> {
        match self {
            Self::Count => None,
            Self::CountOf(c)
            | Self::Distinct(c)
            | Self::Sum(c)
            | Self::Min(c)
            | Self::Max(c)
            | Self::Avg(c) => Some(c),
        }
    }
}

/// An aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aggregate {
    pub what: What,
    /// Its name in the alert; aggregates that only HAVING names have none.
    pub alias: Option<Arc<str>>,
}

/// The parts of a windowed SELECT.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Windowed {
    /// Positions of the group's columns.
    pub keys: Vec<usize>,
    pub span: Span,
    pub aggregates: Vec<Aggregate>,
    pub having: Having,
    /// HAVING as SQL.
    pub text: String,
}

/// Has it a GROUP BY?
pub(super) fn is_grouped(select: &Select) -> bool {
    !matches!(&select.group_by, GroupByExpr::Expressions(e, m) if e.is_empty() && m.is_empty())
}

/// Reads GROUP BY, the SELECT list and HAVING.
pub(super) fn read(
    place: &Text<'_>,
    select: &Select,
    columns: &'static [ColumnDef],
    parameters: &Parameters,
    found: &mut Vec<Diagnostic>,
) -> Option<Windowed> {
    let before = found.len();
    let mut reader = Reader {
        place,
        columns,
        parameters,
        found,
        aggregates: Vec::new(),
    };
    let (keys, span) = reader.group_by(select)?;
    reader.select_list(select, &keys);
    let having = match &select.having {
        Some(having) => reader.having(having),
        None => {
            reader.wrong(
                "TT-SQL-035",
                (0, 0),
                "no HAVING: it would fire for every group".to_owned(),
                "say which groups are worth an alert, such as HAVING count(*) >= 10",
            );
            None
        }
    };
    let aggregates = reader.aggregates;
    let ok = found.len() == before;
    having.filter(|_| ok).map(|having| Windowed {
        keys,
        span,
        aggregates,
        having,
        text: select
            .having
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
    })
}

struct Reader<'a, 'r> {
    place: &'a Text<'r>,
    columns: &'static [ColumnDef],
    parameters: &'a Parameters,
    found: &'a mut Vec<Diagnostic>,
    aggregates: Vec<Aggregate>,
}

fn args(function: &Function) -> &[FunctionArg] {
    match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    }
}

impl Reader<'_, '_> {
    fn wrong(&mut self, code: &'static str, at: (u32, u32), message: String, help: &str) {
        self.found.push(self.place.error(code, at, message, help));
    }

    fn group_by(&mut self, select: &Select) -> Option<(Vec<usize>, Span)> {
        let GroupByExpr::Expressions(exprs, modifiers) = &select.group_by else {
            self.wrong(
                "TT-SQL-030",
                (0, 0),
                "GROUP BY ALL is not for rules".to_owned(),
                "name the columns and a window: tumble(INTERVAL '1 minute')",
            );
            return None;
        };
        let (mut keys, mut spans) = (Vec::new(), Vec::new());
        for expr in exprs {
            match expr {
                Expr::Identifier(ident) => {
                    keys.extend(position(self.place, ident, self.columns, self.found));
                }
                Expr::Function(f) => spans.push((f, start(expr.span()))),
                other => self.wrong(
                    "TT-SQL-030",
                    start(other.span()),
                    format!("`{other}` is neither a column nor a window"),
                    "GROUP BY column, …, tumble(INTERVAL '1 minute')",
                ),
            }
        }
        unbounded(self.place, (0, 0), &keys, self.columns, self.found);
        let (Ok([(window, at)]), true) = (<[_; 1]>::try_from(spans), modifiers.is_empty()) else {
            self.wrong(
                "TT-SQL-030",
                (0, 0),
                "GROUP BY needs one window: a stream has no end".to_owned(),
                "add tumble(INTERVAL '1 minute'), hop(INTERVAL '10 minutes', INTERVAL '1 minute') or session(INTERVAL '5 minutes')",
            );
            return None;
        };
        self.span(window, at).map(|span| (keys, span))
    }

    fn span(&mut self, window: &Function, at: (u32, u32)) -> Option<Span> {
        let lengths: Vec<i64> = args(window).iter().filter_map(interval).collect();
        let name = window.name.to_string().to_lowercase();
        let span = match (name.as_str(), lengths.as_slice()) {
            ("tumble", [size]) => Span::Panes {
                slide: *size,
                panes: 1,
            },
            ("hop", [size, slide]) if *slide > 0 && size % slide == 0 => Span::Panes {
                slide: *slide,
                panes: size / slide,
            },
            ("session", [gap]) => Span::Session { gap: *gap },
            _ => {
                self.wrong(
                    "TT-SQL-032",
                    at,
                    format!("`{window}` is no window"),
                    "tumble(INTERVAL '1 minute'), hop(INTERVAL '10 minutes', INTERVAL '1 minute') whose size is a multiple of its slide, session(INTERVAL '5 minutes')",
                );
                return None;
            }
        };
        let most = 30 * 86_400_000_000_000;
        let bad = lengths.len() != args(window).len()
            || lengths.iter().any(|l| *l <= 0 || *l > most)
            || matches!(span, Span::Panes { panes, .. } if panes > MAX_PANES);
        if bad {
            self.wrong(
                "TT-SQL-032",
                at,
                format!("`{window}` is too long, too short, or slides too often"),
                "a window is at most 30 days long and holds at most 64 slides",
            );
            return None;
        }
        Some(span)
    }

    fn select_list(&mut self, select: &Select, keys: &[usize]) {
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(Expr::Identifier(ident)) => {
                    let name = ident.value.to_lowercase();
                    if name == "window_start" || name == "window_end" {
                        continue;
                    }
                    if let Some(at) = position(self.place, ident, self.columns, self.found)
                        && !keys.contains(&at)
                    {
                        self.wrong(
                            "TT-SQL-033",
                            start(ident.span),
                            format!("`{name}` is not in GROUP BY: a group has many values of it"),
                            "add it to GROUP BY, or take min(), max() or count(DISTINCT …) of it",
                        );
                    }
                }
                SelectItem::ExprWithAlias {
                    expr: Expr::Function(f),
                    alias,
                } => {
                    let name = alias.value.to_lowercase();
                    let taken = TableId::ALL
                        .iter()
                        .any(|t| t.def().columns.iter().any(|c| c.name == name));
                    let twice = |a: &Aggregate| a.alias.as_deref() == Some(&name);
                    if taken || name.starts_with("window_") || self.aggregates.iter().any(twice) {
                        self.wrong(
                            "TT-SQL-033",
                            start(alias.span),
                            format!("the name `{name}` is taken"),
                            "an aggregate's name is no column's and no other aggregate's",
                        );
                    } else if let Some(what) = self.what(f) {
                        self.aggregates.push(Aggregate {
                            what,
                            alias: Some(name.into()),
                        });
                    }
                }
                other => self.wrong(
                    "TT-SQL-033",
                    start(other.span()),
                    format!("`{other}` is neither a group's column nor an aggregate with a name"),
                    "write count(*) AS requests",
                ),
            }
        }
    }

    fn what(&mut self, f: &Function) -> Option<What> {
        let name = f.name.to_string().to_lowercase();
        let at = f
            .name
            .0
            .first()
            .and_then(|p| p.as_ident())
            .map_or((0, 0), |i| start(i.span));
        let distinct = matches!(&f.args, FunctionArguments::List(l) if l.duplicate_treatment == Some(DuplicateTreatment::Distinct));
        let plain = f.over.is_none() && f.filter.is_none() && f.within_group.is_empty();
        let column = match args(f) {
            [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]
                if name == "count" && !distinct && plain =>
            {
                return Some(What::Count);
            }
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(ident)))] if plain => {
                position(self.place, ident, self.columns, self.found)?
            }
            _ => {
                self.wrong(
                    "TT-SQL-034",
                    at,
                    format!("`{f}` is no aggregate of a column"),
                    "count(*), count(c), count(DISTINCT c), sum(c), min(c), max(c), avg(c); conditions belong into WHERE",
                );
                return None;
            }
        };
        let def = self.columns.get(column)?;
        let list = matches!(def.kind, ColumnKind::ListF64 | ColumnKind::ListU32);
        let number = matches!(
            def.kind,
            ColumnKind::U8
                | ColumnKind::U16
                | ColumnKind::U32
                | ColumnKind::U64
                | ColumnKind::I64
                | ColumnKind::F64
        );
        let what = match (name.as_str(), distinct) {
            ("count", false) => Some(What::CountOf(column)),
            ("count", true) if !list => Some(What::Distinct(column)),
            ("sum", false) if number => Some(What::Sum(column)),
            ("avg", false) if number => Some(What::Avg(column)),
            ("min", false) if number => Some(What::Min(column)),
            ("max", false) if number => Some(What::Max(column)),
            _ => None,
        };
        if what.is_none() {
            self.wrong(
                "TT-SQL-034",
                at,
                format!("`{f}` cannot be worked out here"),
                "count(*), count(c) and count(DISTINCT c) take any column that is no list; sum, min, max and avg take numbers",
            );
        }
        what
    }

    fn aggregate(&mut self, what: What) -> usize {
        let known = self.aggregates.iter().position(|a| a.what == what);
        known.unwrap_or_else(|| {
            self.aggregates.push(Aggregate { what, alias: None });
            self.aggregates.len() - 1
        })
    }

    fn having(&mut self, expr: &Expr) -> Option<Having> {
        match expr {
            Expr::Nested(inner) => self.having(inner),
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            } => Some(Having::Not(Box::new(self.having(expr)?))),
            Expr::BinaryOp {
                left,
                op: op @ (BinaryOperator::And | BinaryOperator::Or),
                right,
            } => {
                let (left, right) = (self.having(left), self.having(right));
                let both = vec![left?, right?];
                Some(if *op == BinaryOperator::And {
                    Having::All(both)
                } else {
                    Having::Any(both)
                })
            }
            Expr::BinaryOp { left, op, right } if Comparison::of(op).is_some() => {
                let (a, b) = (self.term(left), self.term(right));
                Some(Having::Compare(a?, Comparison::of(op)?, b?))
            }
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let (value, low, high) = (self.term(expr)?, self.term(low)?, self.term(high)?);
                let inside = Having::All(vec![
                    Having::Compare(value.clone(), Comparison::GreaterOrEqual, low),
                    Having::Compare(value, Comparison::LessOrEqual, high),
                ]);
                Some(if *negated {
                    Having::Not(Box::new(inside))
                } else {
                    inside
                })
            }
            other => {
                self.wrong(
                    "TT-SQL-035",
                    start(other.span()),
                    format!("`{other}` is no comparison of aggregates"),
                    "HAVING count(*) >= 10; conditions on columns belong into WHERE",
                );
                None
            }
        }
    }

    fn term(&mut self, expr: &Expr) -> Option<Term> {
        let binary = |a: Option<Term>, b: Option<Term>, make: fn(Box<Term>, Box<Term>) -> Term| {
            Some(make(Box::new(a?), Box::new(b?)))
        };
        match expr {
            Expr::Nested(inner) => self.term(inner),
            Expr::Value(v) => match &v.value {
                Value::Number(n, _) => n.parse().ok().map(Term::Number),
                Value::Placeholder(name) => self.parameter(name, start(expr.span())),
                _ => self.no_term(expr),
            },
            Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr,
            } => binary(Some(Term::Number(0.0)), self.term(expr), Term::Difference),
            Expr::BinaryOp { left, op, right } => {
                let make = match op {
                    BinaryOperator::Plus => Term::Sum,
                    BinaryOperator::Minus => Term::Difference,
                    BinaryOperator::Multiply => Term::Product,
                    BinaryOperator::Divide => Term::Quotient,
                    _ => return self.no_term(expr),
                };
                binary(self.term(left), self.term(right), make)
            }
            Expr::Identifier(ident) => {
                let name = ident.value.to_lowercase();
                let at = self
                    .aggregates
                    .iter()
                    .position(|a| a.alias.as_deref() == Some(&name));
                match at {
                    Some(at) => Some(Term::Aggregate(at)),
                    None => self.no_term(expr),
                }
            }
            Expr::Function(f) => self
                .what(f)
                .map(|what| Term::Aggregate(self.aggregate(what))),
            other => self.no_term(other),
        }
    }

    fn no_term(&mut self, expr: &Expr) -> Option<Term> {
        self.wrong(
            "TT-SQL-035",
            start(expr.span()),
            format!("`{expr}` is neither an aggregate nor a number"),
            "compare aggregates, by name or as written, with numbers and parameters",
        );
        None
    }

    fn parameter(&mut self, name: &str, at: (u32, u32)) -> Option<Term> {
        let name = name.trim_start_matches('$');
        let value = self
            .parameters
            .get(name)
            .and_then(serde_json::Value::as_f64);
        if value.is_none() {
            self.wrong(
                "TT-SQL-035",
                at,
                format!("no parameter `${name}` that is a number"),
                "give it under `parameters`",
            );
        }
        value.map(Term::Number)
    }
}

fn interval(arg: &FunctionArg) -> Option<i64> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Interval(interval))) = arg else {
        return None;
    };
    let Expr::Value(value) = &*interval.value else {
        return None;
    };
    let text = match &value.value {
        Value::SingleQuotedString(text) => text.clone(),
        Value::Number(number, _) => number.clone(),
        _ => return None,
    };
    match &interval.leading_field {
        Some(field) => duration_ns(&format!("{text} {}", field.to_string().to_lowercase())),
        None => duration_ns(&text),
    }
}

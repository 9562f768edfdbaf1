//! Literals as people write them become the column's own type, and Telltale's
//! functions are bound to the site's content.

use crate::context::Context;
use crate::functions::{AssetField, Body, bound};
use arrow_schema::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode as _};
use datafusion_common::{Column, DataFusionError, Result, ScalarValue};
use datafusion_expr::expr::{InList, Like, ScalarFunction};
use datafusion_expr::{Between, BinaryExpr, Expr};
use std::collections::BTreeMap;
use std::sync::Arc;
use telltale_rules::Site;
use telltale_schema::value::{Literal, literal};
use telltale_schema::{ColumnDef, ColumnKind};

/// What a rule is compiled against.
pub(crate) struct Scope<'s> {
    pub columns: &'static [ColumnDef],
    pub site: &'s Site,
    pub context: &'s Context,
    pub parameters: &'s BTreeMap<String, serde_json::Value>,
    /// Lists and calendars that the rule says it needs.
    pub lists: &'s [String],
    pub calendars: &'s [String],
}

fn wrong(message: String) -> DataFusionError {
    DataFusionError::Plan(message)
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(
            ScalarValue::Utf8(Some(t))
            | ScalarValue::Utf8View(Some(t))
            | ScalarValue::LargeUtf8(Some(t)),
            _,
        ) => Some(t),
        _ => None,
    }
}

fn number_of(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(n)), _) => u64::try_from(*n).ok(),
        Expr::Literal(ScalarValue::UInt64(Some(n)), _) => Some(*n),
        _ => None,
    }
}

impl Scope<'_> {
    fn def(&self, expr: &Expr) -> Option<&'static ColumnDef> {
        match expr {
            Expr::Column(c) => self.columns.iter().find(|d| d.name == c.name),
            _ => None,
        }
    }

    fn column(&self, name: &str) -> Result<(Expr, &'static ColumnDef)> {
        let def = self
            .columns
            .iter()
            .find(|d| d.name == name)
            .ok_or_else(|| wrong(format!("this table has no `{name}`")))?;
        Ok((Expr::Column(Column::from_name(name)), def))
    }

    /// A column whose kind is written in another way than it is stored?
    fn special(&self, expr: &Expr) -> Option<&'static ColumnDef> {
        self.def(expr).filter(|d| {
            matches!(
                d.kind,
                ColumnKind::Enum(_) | ColumnKind::Ip | ColumnKind::Mac
            )
        })
    }

    fn typed(def: &ColumnDef, value: Expr) -> Result<Expr> {
        let Some(text) = text_of(&value) else {
            return match value {
                Expr::Literal(ref s, _) if s.is_null() => Ok(value),
                _ => Err(wrong(format!(
                    "`{}` is compared with something that is no text; write it as text, such as '{}'",
                    def.name,
                    example(def)
                ))),
            };
        };
        let scalar = match literal(def, text).map_err(|e| wrong(e.to_string()))? {
            Literal::Ip(ip) => ScalarValue::FixedSizeBinary(16, Some(ip.to_vec())),
            Literal::Mac(mac) => ScalarValue::UInt64(Some(mac)),
            Literal::Enum(n) if def.kind.data_type() == DataType::UInt16 => {
                ScalarValue::UInt16(Some(n))
            }
            Literal::Enum(n) => ScalarValue::UInt8(u8::try_from(n).ok()),
            _ => return Ok(value),
        };
        Ok(Expr::Literal(scalar, None))
    }

    /// Turns the literals and functions of one condition.
    pub(crate) fn bind(&self, expr: Expr) -> Result<Expr> {
        let parameters = expr.transform_up(|e| match e {
            Expr::Placeholder(p) => {
                let name = p.id.trim_start_matches('$');
                let value = self
                    .parameters
                    .get(name)
                    .ok_or_else(|| wrong(format!("no parameter `${name}`")))?;
                let scalar = match value {
                    serde_json::Value::Bool(b) => ScalarValue::Boolean(Some(*b)),
                    serde_json::Value::Number(n) if n.is_i64() => ScalarValue::Int64(n.as_i64()),
                    serde_json::Value::Number(n) => ScalarValue::Float64(n.as_f64()),
                    serde_json::Value::String(s) => ScalarValue::Utf8(Some(s.clone())),
                    _ => {
                        return Err(wrong(format!(
                            "parameter `${name}` is no number, text or truth value"
                        )));
                    }
                };
                Ok(Transformed::yes(Expr::Literal(scalar, None)))
            }
            other => Ok(Transformed::no(other)),
        })?;
        parameters
            .data
            .transform_down(|e| self.node(e))
            .map(|t| t.data)
    }

    fn node(&self, expr: Expr) -> Result<Transformed<Expr>> {
        Ok(match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if self.special(&left).is_some() || self.special(&right).is_some() =>
            {
                let (mut left, mut right) = (*left, *right);
                match (self.special(&left), self.special(&right)) {
                    (Some(a), None) => right = Self::typed(a, right)?,
                    (None, Some(b)) => left = Self::typed(b, left)?,
                    _ => {}
                }
                Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(
                    Box::new(left),
                    op,
                    Box::new(right),
                )))
            }
            Expr::InList(InList {
                expr,
                list,
                negated,
            }) if self.special(&expr).is_some() => {
                let def = self
                    .special(&expr)
                    .ok_or_else(|| wrong("no column".to_owned()))?;
                let list = list
                    .into_iter()
                    .map(|v| Self::typed(def, v))
                    .collect::<Result<_>>()?;
                Transformed::yes(Expr::InList(InList::new(expr, list, negated)))
            }
            Expr::Between(Between {
                expr,
                negated,
                low,
                high,
            }) if self.special(&expr).is_some() => {
                let def = self
                    .special(&expr)
                    .ok_or_else(|| wrong("no column".to_owned()))?;
                let (low, high) = (Self::typed(def, *low)?, Self::typed(def, *high)?);
                Transformed::yes(Expr::Between(Between::new(
                    expr,
                    negated,
                    Box::new(low),
                    Box::new(high),
                )))
            }
            Expr::Like(Like {
                expr,
                negated,
                pattern,
                escape_char,
                case_insensitive,
            }) if self.special(&expr).is_some() => {
                let text = self.as_text(*expr)?;
                Transformed::yes(Expr::Like(Like::new(
                    negated,
                    Box::new(text),
                    pattern,
                    escape_char,
                    case_insensitive,
                )))
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) => {
                let name = func.name().to_owned();
                match self.function(&name, &args)? {
                    Some(bound) => Transformed::new(
                        bound,
                        true,
                        datafusion_common::tree_node::TreeNodeRecursion::Jump,
                    ),
                    None if name.starts_with("text:") || name.contains('[') => {
                        Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args }))
                    }
                    None => {
                        let args = args
                            .into_iter()
                            .map(|a| {
                                if self.special(&a).is_some() {
                                    self.as_text(a)
                                } else {
                                    Ok(a)
                                }
                            })
                            .collect::<Result<_>>()?;
                        Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
                    }
                }
            }
            other => Transformed::no(other),
        })
    }

    /// A column as people write it.
    fn as_text(&self, expr: Expr) -> Result<Expr> {
        let def = self
            .def(&expr)
            .ok_or_else(|| wrong("no column".to_owned()))?;
        Ok(call(
            format!("text:{}", def.name),
            DataType::Utf8,
            Body::Text,
            vec![(expr, def)],
        ))
    }

    fn address(
        &self,
        function: &str,
        args: &[Expr],
        at: usize,
    ) -> Result<(Expr, &'static ColumnDef)> {
        args.get(at)
            .and_then(|e| self.def(e).map(|d| (e.clone(), d)))
            .filter(|(_, d)| d.kind == ColumnKind::Ip)
            .ok_or_else(|| {
                wrong(format!(
                    "argument {} of {function}() is a column with an IP address, such as server_ip",
                    at + 1
                ))
            })
    }

    fn word<'a>(&self, function: &str, args: &'a [Expr], at: usize) -> Result<&'a str> {
        args.get(at).and_then(text_of).ok_or_else(|| {
            wrong(format!(
                "argument {} of {function}() is a text in single quotes",
                at + 1
            ))
        })
    }

    fn function(&self, name: &str, args: &[Expr]) -> Result<Option<Expr>> {
        let time = || self.column("event_time");
        Ok(Some(match name {
            "in_list" => {
                let list_name = self.word(name, args, 0)?;
                if !self.lists.iter().any(|l| l == list_name) {
                    return Err(wrong(format!(
                        "list `{list_name}` is not named in the rule's `requires: lists`"
                    )));
                }
                let list = self
                    .context
                    .lists
                    .get(list_name)
                    .cloned()
                    .unwrap_or_default();
                let mut columns = vec![time()?];
                for arg in args.iter().skip(1) {
                    let def = self
                        .def(arg)
                        .ok_or_else(|| wrong(format!("in_list('{list_name}', …) takes columns")))?;
                    columns.push((arg.clone(), def));
                }
                if columns.len() < 2
                    || (!list.columns.is_empty() && columns.len() - 1 > list.columns.len())
                {
                    return Err(wrong(format!(
                        "list `{list_name}` has {} key columns, and {} are given",
                        list.columns.len(),
                        columns.len() - 1
                    )));
                }
                call(
                    format!("in_list[{list_name}]"),
                    DataType::Boolean,
                    Body::InList(list),
                    columns,
                )
            }
            "in_calendar" => {
                let calendar_name = self.word(name, args, 0)?;
                if !self.calendars.iter().any(|c| c == calendar_name) {
                    return Err(wrong(format!(
                        "calendar `{calendar_name}` is not named in the rule's `requires: calendars`"
                    )));
                }
                let calendar = self
                    .context
                    .calendars
                    .get(calendar_name)
                    .cloned()
                    .unwrap_or_default();
                call(
                    format!("in_calendar[{calendar_name}]"),
                    DataType::Boolean,
                    Body::InCalendar(calendar),
                    vec![self.address(name, args, 1)?, time()?],
                )
            }
            "cidr_match" => {
                let text = self.word(name, args, 1)?;
                let net = text
                    .parse()
                    .map_err(|_| wrong(format!("`{text}` is no network; write '10.0.0.0/8'")))?;
                call(
                    format!("cidr_match[{text}]"),
                    DataType::Boolean,
                    Body::Cidr(net),
                    vec![self.address(name, args, 0)?],
                )
            }
            "overlaps" => {
                let (Some(first), Some(last)) = (
                    args.first().and_then(number_of),
                    args.get(1).and_then(number_of),
                ) else {
                    return Err(wrong("overlaps(first, last) takes two numbers".to_owned()));
                };
                call(
                    format!("overlaps[{first}..{last}]"),
                    DataType::Boolean,
                    Body::Overlaps(first, last),
                    vec![self.column("object_first")?, self.column("object_count")?],
                )
            }
            "outside_limits" => {
                if !args.is_empty() {
                    return Err(wrong(
                        "outside_limits() takes nothing: it speaks of the row's tag and value"
                            .to_owned(),
                    ));
                }
                call(
                    "outside_limits[]".to_owned(),
                    DataType::Boolean,
                    Body::OutsideLimits(self.context.tags.clone()),
                    vec![
                        self.column("server_ip")?,
                        self.column("tag")?,
                        self.column("value")?,
                    ],
                )
            }
            "local_hour" => call(
                "local_hour[]".to_owned(),
                DataType::UInt8,
                Body::LocalHour(self.site.zone),
                vec![time()?],
            ),
            "local_dow" => call(
                "local_dow[]".to_owned(),
                DataType::UInt8,
                Body::LocalDow(self.site.zone),
                vec![time()?],
            ),
            "value_at" => {
                let n = args
                    .first()
                    .and_then(number_of)
                    .ok_or_else(|| wrong("value_at(n) takes a number, from 0".to_owned()))?;
                call(
                    format!("value_at[{n}]"),
                    DataType::Float64,
                    Body::ValueAt(usize::try_from(n).unwrap_or(usize::MAX)),
                    vec![self.column("data")?],
                )
            }
            "asset_name" | "asset_zone" | "asset_level" | "asset_role" => {
                let field = match name {
                    "asset_name" => AssetField::Name,
                    "asset_zone" => AssetField::Zone,
                    "asset_level" => AssetField::Level,
                    _ => AssetField::Role,
                };
                call(
                    format!("{name}[]"),
                    DataType::Utf8,
                    Body::Asset(self.context.assets.clone(), field),
                    vec![self.address(name, args, 0)?],
                )
            }
            _ => return Ok(None),
        }))
    }
}

fn call(
    name: String,
    returns: DataType,
    body: Body,
    columns: Vec<(Expr, &'static ColumnDef)>,
) -> Expr {
    let (args, defs) = columns.into_iter().unzip();
    Expr::ScalarFunction(ScalarFunction::new_udf(
        Arc::new(bound(name, returns, body, defs)),
        args,
    ))
}

fn example(def: &ColumnDef) -> String {
    match def.kind {
        ColumnKind::Ip => "10.0.0.5".to_owned(),
        ColumnKind::Mac => "02:00:00:00:00:01".to_owned(),
        ColumnKind::Enum(e) => e.def().names().last().unwrap_or("name").to_owned(),
        _ => "text".to_owned(),
    }
}

//! Values of a Sigma rule as values of a column.

use super::atom::{Atom, Lit, Test};
use super::cond::Cond;
use super::detection::{How, Modifiers};
use super::mapping::Field;
use super::node::{Node, Val};
use super::pattern::Pattern;
use ipnet::IpNet;
use telltale_schema::value::{Literal, ip_addr, literal, mac_text};
use telltale_schema::{ColumnDef, ColumnKind, nearest};

/// Longest regular expression.
const MOST_REGEX: usize = 1_000;
/// Most bytes of a compiled one.
const MOST_COMPILED: usize = 1 << 20;

/// Has a row the value, or has it not?
pub(super) fn present(column: &'static ColumnDef, yes: bool) -> Cond {
    if !column.nullable {
        return if yes { Cond::Always } else { Cond::Never };
    }
    let null = Atom::new(column, Test::Null);
    Cond::Is(if yes { null.negate() } else { null })
}

/// One of several: values of one column become one list.
pub(super) fn join(parts: Vec<Cond>) -> Cond {
    let mut out: Vec<Cond> = Vec::new();
    for part in parts {
        if let (
            Cond::Is(Atom {
                test: Test::In { all: more, cased },
                negated: false,
                ..
            }),
            Some(Cond::Is(Atom {
                test: Test::In { all, cased: before },
                negated: false,
                ..
            })),
        ) = (&part, out.last_mut())
            && cased == before
        {
            for lit in more {
                if !all.contains(lit) {
                    all.push(lit.clone());
                }
            }
            continue;
        }
        out.push(part);
    }
    Cond::Any(out)
}

fn is_number(kind: ColumnKind) -> bool {
    matches!(
        kind,
        ColumnKind::U8
            | ColumnKind::U16
            | ColumnKind::U32
            | ColumnKind::U64
            | ColumnKind::I64
            | ColumnKind::F64
    )
}

/// A value as the column keeps it.
fn lit(column: &'static ColumnDef, text: &str) -> Result<Lit, String> {
    // Sigma does not care for case, and names of enumerations are small
    let small = text.to_lowercase();
    let text = if matches!(column.kind, ColumnKind::Enum(_)) {
        small.as_str()
    } else {
        text
    };
    Ok(match literal(column, text).map_err(|e| e.to_string())? {
        Literal::Bool(b) => Lit::Bool(b),
        Literal::U64(n) => Lit::Whole(n.into()),
        Literal::I64(n) => Lit::Whole(n.into()),
        Literal::F64(n) if n.is_finite() => Lit::Number(n),
        Literal::F64(_) => return Err("no finite number".to_owned()),
        Literal::Text(t) => Lit::Text(t),
        Literal::Ip(ip) => Lit::Text(ip_addr(ip).to_string()),
        Literal::Mac(mac) => Lit::Text(mac_text(mac)),
        Literal::Enum(_) => Lit::Text(text.trim().to_owned()),
        Literal::Time(_) => {
            return Err("times are asked for with in_calendar() or local_hour()".to_owned());
        }
    })
}

/// A number of the field as a number of the column.
#[allow(clippy::cast_possible_truncation)]
fn scaled(field: &Field, text: &str) -> String {
    match text.trim().parse::<f64>() {
        Ok(n) if (field.scale - 1.0).abs() > f64::EPSILON && (n * field.scale).abs() < 1e15 => {
            ((n * field.scale).round() as i64).to_string()
        }
        _ => text.to_owned(),
    }
}

fn one_of(column: &'static ColumnDef, all: Vec<Lit>, cased: bool) -> Cond {
    Cond::Is(Atom::new(column, Test::In { all, cased }))
}

/// Names of the field's values that fit the pattern, as values of the column.
fn named(field: &Field, pattern: &Pattern, cased: bool) -> Result<Cond, String> {
    let column = field.column;
    let mut all: Vec<Lit> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    match (&field.values, column.kind) {
        (Some(values), _) => {
            for (theirs, ours) in values {
                names.push(theirs);
                if pattern.fits(theirs, cased) {
                    for value in ours {
                        let lit = lit(column, value)?;
                        if !all.contains(&lit) {
                            all.push(lit);
                        }
                    }
                }
            }
        }
        (None, ColumnKind::Enum(e)) => {
            for name in e.def().names() {
                names.push(name);
                if pattern.fits(name, cased) {
                    all.push(Lit::Text(name.to_owned()));
                }
            }
        }
        (None, _) => {}
    }
    if !all.is_empty() {
        return Ok(one_of(column, all, true));
    }
    // a number where there are names, such as Modbus exceptions
    if let Some(text) = pattern.literal()
        && let Ok(lit) = lit(column, &text)
        && is_number(column.kind)
    {
        return Ok(one_of(column, vec![lit], true));
    }
    let text = pattern.example("*");
    let near = nearest(&text, names.into_iter());
    let near = near.map_or(String::new(), |n| format!("; did you mean `{n}`?"));
    Err(format!(
        "no value of column `{}` for `{text}`{near}",
        column.name
    ))
}

fn regex(field: &Field, text: &str, how: &Modifiers) -> Result<Cond, String> {
    let column = field.column;
    if !matches!(column.kind, ColumnKind::Text) || field.values.is_some() {
        return Err(format!(
            "a regular expression on column `{}`, which is no text; name its values",
            column.name
        ));
    }
    if text.len() > MOST_REGEX {
        return Err(format!("longer than {MOST_REGEX} characters"));
    }
    let text = if how.flags.is_empty() {
        text.to_owned()
    } else {
        format!("(?{}){text}", how.flags)
    };
    let built = regex::RegexBuilder::new(&text)
        .size_limit(MOST_COMPILED)
        .build();
    match built {
        Ok(regex) => Ok(Cond::Is(Atom::new(column, Test::Regex(regex)))),
        Err(error) => {
            let message = error.to_string();
            let last = message.lines().last().unwrap_or("unreadable").trim();
            Err(format!(
                "no regular expression of Telltale (look-around and back-references are not): {last}"
            ))
        }
    }
}

fn network(field: &Field, text: &str) -> Result<Cond, String> {
    if field.column.kind != ColumnKind::Ip {
        return Err(format!("column `{}` holds no address", field.column.name));
    }
    let net: IpNet = text
        .trim()
        .parse()
        .map_err(|_| format!("`{text}` is no network"))?;
    Ok(Cond::Is(Atom::new(
        field.column,
        Test::Network(net.trunc()),
    )))
}

/// One value of a field as a condition.
pub(super) fn comparison(item: &Node, field: &Field, how: &Modifiers) -> Result<Cond, String> {
    let column = field.column;
    if item.value == Val::Null {
        return match how.how {
            How::Plain => Ok(present(column, false)),
            How::NotEqual => Ok(present(column, true)),
            _ => Err("null has no text".to_owned()),
        };
    }
    let text = item
        .scalar()
        .ok_or_else(|| "a value is text, a number, true, false or null".to_owned())?;
    match how.how {
        How::Regex => return regex(field, &text, how),
        How::Cidr => return network(field, &text),
        How::Order(order) => {
            if !is_number(column.kind) || field.values.is_some() {
                return Err(format!("column `{}` has no order", column.name));
            }
            let lit = lit(column, &scaled(field, &text))?;
            return Ok(Cond::Is(Atom::new(column, Test::Compare(order, lit))));
        }
        _ => {}
    }
    let mut pattern = Pattern::read(&text);
    if matches!(how.how, How::Contains | How::EndsWith) {
        pattern = pattern.anything_before();
    }
    if matches!(how.how, How::Contains | How::StartsWith) {
        pattern = pattern.anything_after();
    }
    let equal = plain(field, &pattern, how.cased)?;
    Ok(if how.how == How::NotEqual {
        Cond::Not(Box::new(equal))
    } else {
        equal
    })
}

fn plain(field: &Field, pattern: &Pattern, cased: bool) -> Result<Cond, String> {
    let column = field.column;
    if pattern.is_anything() {
        return Ok(present(column, true));
    }
    if field.values.is_some() || matches!(column.kind, ColumnKind::Enum(_)) {
        return named(field, pattern, cased);
    }
    if let Some(text) = pattern.literal() {
        let text = if is_number(column.kind) {
            scaled(field, &text)
        } else {
            text
        };
        let fixed = column.kind != ColumnKind::Text;
        return Ok(one_of(column, vec![lit(column, &text)?], cased || fixed));
    }
    match column.kind {
        ColumnKind::Text | ColumnKind::Ip | ColumnKind::Mac => Ok(Cond::Is(Atom::new(
            column,
            Test::Like {
                pattern: pattern.clone(),
                cased,
            },
        ))),
        _ => Err(format!(
            "a wildcard on column `{}`, which is no text; write the values, or gt, gte, lt, lte",
            column.name
        )),
    }
}

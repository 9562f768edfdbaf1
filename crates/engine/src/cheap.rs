//! Which conjuncts are tests of one cell, and which sets they stand for.

use crate::functions::Function;
use crate::look::Look;
use crate::pattern::Pattern;
use crate::set::{Set, bits_of, fits, is_small};
use crate::test::{CellTest, Tree};
use arrow_schema::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::expr::{Between, InList, ScalarFunction};
use datafusion_expr::{BinaryExpr, Expr, Like, Operator};
use std::sync::Arc;
use telltale_schema::ColumnDef;

use crate::cells::{key_of_f64, key_of_i64};

/// A test of one cell with SQL's three truth values: what NULL gives is true,
/// false or (`None`) unknown.
struct Known {
    column: usize,
    set: Set,
    null: Option<bool>,
}

/// A literal as the key of its type.
enum Key {
    Word(u64),
    Wide(u128),
    Text(Arc<str>),
}

/// The conjunct as a test of one cell, if it is one.
pub(crate) fn cell_test(expr: &Expr, columns: &'static [ColumnDef]) -> Option<CellTest> {
    let known = Reader { columns }.read(expr)?;
    let data_type = columns.get(known.column)?.kind.data_type();
    let set = match known.set {
        // every value of eight bits is known: a set of bits can be indexed
        set if data_type == DataType::UInt8 && !matches!(set, Set::Bits { .. } | Set::Every(_)) => {
            Set::Bits {
                bits: bits_of((0..=255).filter(|v| set.has_word(*v))),
                rest: false,
            }
        }
        Set::Words { values, inside } if values.len() == 1 => {
            let key = values.first().copied().unwrap_or_default();
            Set::Range {
                low: key,
                high: key,
                inside,
            }
        }
        Set::Wides { values, inside } if values.len() == 1 => {
            let key = values.first().copied().unwrap_or_default();
            Set::Wide {
                low: key,
                high: key,
                inside,
            }
        }
        set => set,
    };
    fits(&data_type, &set).then_some(CellTest {
        column: known.column,
        set,
        null: known.null == Some(true),
    })
}

/// The conjunct as tests of several cells, if it is nothing but that.
pub(crate) fn tree(expr: &Expr, columns: &'static [ColumnDef]) -> Option<Tree> {
    if let Some(test) = cell_test(expr, columns) {
        return Some(Tree::Leaf(test));
    }
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else {
        return None;
    };
    let join = match op {
        Operator::And => Tree::All,
        Operator::Or => Tree::Any,
        _ => return None,
    };
    let mut parts = Vec::new();
    for side in [left, right] {
        match (op, tree(side, columns)?) {
            // a chain of ORs is one OR
            (Operator::And, Tree::All(more)) | (Operator::Or, Tree::Any(more)) => {
                parts.extend(more);
            }
            (_, part) => parts.push(part),
        }
    }
    Some(join(parts))
}

/// The conjunct as a look-up of columns in a list, if it is one.
pub(crate) fn look(expr: &Expr, columns: &'static [ColumnDef]) -> Option<Look> {
    let (call, negated) = match expr {
        Expr::Not(inner) => (&**inner, true),
        other => (other, false),
    };
    let Expr::ScalarFunction(ScalarFunction { func, args }) = call else {
        return None;
    };
    let list = func.inner().downcast_ref::<Function>()?.list()?;
    let place = |expr: &Expr| match expr {
        Expr::Column(c) => columns.iter().enumerate().find(|(_, d)| d.name == c.name),
        _ => None,
    };
    let (time, keys) = args.split_first()?;
    Some(Look {
        list: list.clone(),
        timeless: list.is_timeless(),
        columns: keys.iter().map(place).collect::<Option<_>>()?,
        time: place(time)?.0,
        negated,
    })
}

struct Reader {
    columns: &'static [ColumnDef],
}

impl Reader {
    fn position(&self, expr: &Expr) -> Option<(usize, DataType)> {
        match expr {
            Expr::Column(c) => self
                .columns
                .iter()
                .enumerate()
                .find(|(_, d)| d.name == c.name)
                .map(|(at, d)| (at, d.kind.data_type())),
            _ => None,
        }
    }

    fn read(&self, expr: &Expr) -> Option<Known> {
        match expr {
            Expr::Column(_) => {
                let (column, data_type) = self.position(expr)?;
                (data_type == DataType::Boolean).then(|| Known {
                    column,
                    set: one_of(&data_type, vec![Key::Word(1)]).unwrap_or(Set::Every(false)),
                    null: None,
                })
            }
            Expr::Not(inner) => {
                let inner = self.read(inner)?;
                Some(Known {
                    column: inner.column,
                    set: inner.set.others(),
                    null: inner.null.map(|n| !n),
                })
            }
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
                let not = matches!(expr, Expr::IsNotNull(_));
                Some(Known {
                    column: self.position(inner)?.0,
                    set: Set::Every(not),
                    null: Some(!not),
                })
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => self.binary(left, *op, right),
            Expr::InList(InList {
                expr,
                list,
                negated,
            }) => {
                let (column, data_type) = self.position(expr)?;
                let keys = list
                    .iter()
                    .map(|e| literal(&data_type, e))
                    .collect::<Option<_>>()?;
                let set = one_of(&data_type, keys)?;
                Some(Known {
                    column,
                    set: if *negated { set.others() } else { set },
                    null: None,
                })
            }
            Expr::Between(Between {
                expr,
                negated,
                low,
                high,
            }) => {
                let (column, data_type) = self.position(expr)?;
                let set = match (literal(&data_type, low)?, literal(&data_type, high)?) {
                    (Key::Word(low), Key::Word(high)) => Set::range(low, high),
                    (Key::Wide(low), Key::Wide(high)) => Set::wide(low, high),
                    _ => return None,
                };
                Some(Known {
                    column,
                    set: if *negated { set.others() } else { set },
                    null: None,
                })
            }
            Expr::Like(Like {
                negated,
                expr,
                pattern,
                escape_char: None,
                case_insensitive: false,
            }) => {
                let (column, data_type) = self.position(expr)?;
                let Key::Text(text) = literal(&data_type, pattern)? else {
                    return None;
                };
                Some(Known {
                    column,
                    set: Set::Like {
                        pattern: Pattern::read(&text)?,
                        inside: !negated,
                    },
                    null: None,
                })
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) => {
                let net = func
                    .name()
                    .strip_prefix("cidr_match[")?
                    .strip_suffix(']')?
                    .parse::<ipnet::Ipv4Net>()
                    .ok()?;
                let wide = |ip: std::net::Ipv4Addr| ip.to_ipv6_mapped().to_bits();
                Some(Known {
                    column: self.position(args.first()?)?.0,
                    set: Set::wide(wide(net.network()), wide(net.broadcast())),
                    null: Some(false),
                })
            }
            _ => None,
        }
    }

    fn binary(&self, left: &Expr, op: Operator, right: &Expr) -> Option<Known> {
        if matches!(op, Operator::And | Operator::Or) {
            let (a, b) = (self.read(left)?, self.read(right)?);
            if a.column != b.column {
                return None;
            }
            let and = op == Operator::And;
            return Some(Known {
                column: a.column,
                set: if and {
                    a.set.intersect(&b.set)?
                } else {
                    a.set.unite(b.set)?
                },
                null: match (a.null, b.null) {
                    (Some(x), Some(y)) => Some(if and { x && y } else { x || y }),
                    (Some(x), None) | (None, Some(x)) if x != and => Some(x),
                    _ => None,
                },
            });
        }
        let (column, data_type, key, op) = match self.position(left) {
            Some((column, data_type)) => {
                let key = literal(&data_type, right)?;
                (column, data_type, key, op)
            }
            None => {
                let (column, data_type) = self.position(right)?;
                let key = literal(&data_type, left)?;
                (column, data_type, key, op.swap()?)
            }
        };
        let (set, null) = match op {
            Operator::Eq => (one_of(&data_type, vec![key])?, None),
            Operator::NotEq => (one_of(&data_type, vec![key])?.others(), None),
            Operator::IsNotDistinctFrom => (one_of(&data_type, vec![key])?, Some(false)),
            Operator::IsDistinctFrom => (one_of(&data_type, vec![key])?.others(), Some(true)),
            _ => (ordered(op, &key)?, None),
        };
        Some(Known { column, set, null })
    }
}

fn ordered(op: Operator, key: &Key) -> Option<Set> {
    let nothing = || Set::Words {
        values: Vec::new(),
        inside: true,
    };
    let no_address = || Set::Wides {
        values: Vec::new(),
        inside: true,
    };
    Some(match (op, key) {
        (Operator::Lt, Key::Word(k)) => k.checked_sub(1).map_or_else(nothing, |k| Set::range(0, k)),
        (Operator::LtEq, Key::Word(k)) => Set::range(0, *k),
        (Operator::Gt, Key::Word(k)) => k
            .checked_add(1)
            .map_or_else(nothing, |k| Set::range(k, u64::MAX)),
        (Operator::GtEq, Key::Word(k)) => Set::range(*k, u64::MAX),
        (Operator::Lt, Key::Wide(k)) => k
            .checked_sub(1)
            .map_or_else(no_address, |k| Set::wide(0, k)),
        (Operator::LtEq, Key::Wide(k)) => Set::wide(0, *k),
        (Operator::Gt, Key::Wide(k)) => k
            .checked_add(1)
            .map_or_else(no_address, |k| Set::wide(k, u128::MAX)),
        (Operator::GtEq, Key::Wide(k)) => Set::wide(*k, u128::MAX),
        _ => return None,
    })
}

fn one_of(data_type: &DataType, keys: Vec<Key>) -> Option<Set> {
    let mut words = Vec::new();
    let mut wides = Vec::new();
    let mut texts = Vec::new();
    for key in keys {
        match key {
            Key::Word(k) => words.push(k),
            Key::Wide(k) => wides.push(k),
            Key::Text(t) => texts.push(t),
        }
    }
    words.sort_unstable();
    wides.sort_unstable();
    texts.sort_unstable();
    match (words.is_empty(), wides.is_empty(), texts.is_empty()) {
        (false, true, true) if is_small(data_type) => Some(Set::Bits {
            bits: bits_of(words),
            rest: false,
        }),
        (false, true, true) => Some(Set::Words {
            values: words,
            inside: true,
        }),
        (true, false, true) => Some(Set::Wides {
            values: wides,
            inside: true,
        }),
        (true, true, false) => Some(Set::Texts {
            values: texts,
            inside: true,
        }),
        _ => None,
    }
}

/// The literal as a key, if it has exactly the column's type.
fn literal(data_type: &DataType, expr: &Expr) -> Option<Key> {
    let Expr::Literal(scalar, _) = expr else {
        return None;
    };
    match (data_type, scalar) {
        (DataType::Boolean, ScalarValue::Boolean(v)) => v.map(|v| Key::Word(u64::from(v))),
        (DataType::UInt8, ScalarValue::UInt8(v)) => v.map(|v| Key::Word(u64::from(v))),
        (DataType::UInt16, ScalarValue::UInt16(v)) => v.map(|v| Key::Word(u64::from(v))),
        (DataType::UInt32, ScalarValue::UInt32(v)) => v.map(|v| Key::Word(u64::from(v))),
        (DataType::UInt64, ScalarValue::UInt64(v)) => v.map(Key::Word),
        (DataType::Int64, ScalarValue::Int64(v))
        | (DataType::Timestamp(_, _), ScalarValue::TimestampNanosecond(v, _)) => {
            v.map(|v| Key::Word(key_of_i64(v)))
        }
        (DataType::Float64, ScalarValue::Float64(v)) => v.map(|v| Key::Word(key_of_f64(v))),
        (DataType::FixedSizeBinary(16), ScalarValue::FixedSizeBinary(16, Some(v))) => {
            let bytes = <[u8; 16]>::try_from(v.as_slice()).ok()?;
            Some(Key::Wide(u128::from_be_bytes(bytes)))
        }
        (
            DataType::Utf8View,
            ScalarValue::Utf8(Some(v))
            | ScalarValue::Utf8View(Some(v))
            | ScalarValue::LargeUtf8(Some(v)),
        ) => Some(Key::Text(Arc::from(v.as_str()))),
        _ => None,
    }
}

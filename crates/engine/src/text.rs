//! Conjuncts as people read them: names instead of numbers.

use crate::set::Set;
use crate::test::CellTest;
use datafusion_common::ScalarValue;
use datafusion_common::tree_node::{Transformed, TreeNode as _};
use datafusion_expr::expr::InList;
use datafusion_expr::{BinaryExpr, Expr};
use telltale_schema::value::{ip_addr, mac_text};
use telltale_schema::{ColumnDef, ColumnKind};

/// Longest list that is written out.
const SHOWN: usize = 12;

/// The conjunct as SQL.
pub(crate) fn of(expr: &Expr, test: Option<&CellTest>, columns: &'static [ColumnDef]) -> String {
    test.and_then(|test| of_set(test, columns.get(test.column)?))
        .unwrap_or_else(|| {
            let named = named(expr, columns);
            of_calls(&named.as_ref().unwrap_or(expr).human_display().to_string())
        })
}

/// The expression with names and addresses where it compares columns that hold
/// them as numbers and bytes.
fn named(expr: &Expr, columns: &'static [ColumnDef]) -> Option<Expr> {
    let kind = |expr: &Expr| match expr {
        Expr::Column(c) => columns.iter().find(|d| d.name == c.name).map(|d| d.kind),
        _ => None,
    };
    let say = |kind: ColumnKind, expr: &mut Expr| {
        let Expr::Literal(scalar, _) = &*expr else {
            return;
        };
        let text = match (kind, scalar) {
            (ColumnKind::Enum(id), ScalarValue::UInt8(Some(v))) => {
                id.def().name_of(u16::from(*v)).map(str::to_owned)
            }
            (ColumnKind::Enum(id), ScalarValue::UInt16(Some(v))) => {
                id.def().name_of(*v).map(str::to_owned)
            }
            (ColumnKind::Ip, ScalarValue::FixedSizeBinary(16, Some(v))) => {
                <[u8; 16]>::try_from(v.as_slice())
                    .ok()
                    .map(|v| ip_addr(v).to_string())
            }
            (ColumnKind::Mac, ScalarValue::UInt64(Some(v))) => Some(mac_text(*v)),
            _ => None,
        };
        if let Some(text) = text {
            *expr = Expr::Literal(ScalarValue::Utf8(Some(format!("'{text}'"))), None);
        }
    };
    let changed = expr.clone().transform(|mut expr| {
        match &mut expr {
            Expr::BinaryExpr(BinaryExpr { left, right, .. }) => match (kind(left), kind(right)) {
                (Some(kind), None) => say(kind, right),
                (None, Some(kind)) => say(kind, left),
                _ => {}
            },
            Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) => {
                *text = format!("'{text}'");
            }
            Expr::InList(InList { expr, list, .. }) => {
                if let Some(kind) = kind(expr) {
                    list.iter_mut().for_each(|item| say(kind, item));
                }
            }
            _ => {}
        }
        Ok(Transformed::yes(expr))
    });
    changed.ok().map(|t| t.data)
}

fn of_set(test: &CellTest, def: &ColumnDef) -> Option<String> {
    let (values, inside) = match &test.set {
        Set::Bits { bits, .. } => {
            let ColumnKind::Enum(id) = def.kind else {
                return None;
            };
            let holds = |v: u16| {
                bits.get(usize::from(v >> 6)).map_or_else(
                    || test.set.has_word(u64::from(v)),
                    |w| w >> (v & 63) & 1 == 1,
                )
            };
            let (yes, no): (Vec<&(u16, &str, &str)>, Vec<_>) =
                id.def().values.iter().partition(|v| holds(v.0));
            let inside = yes.len() <= no.len();
            let named = if inside { yes } else { no };
            (
                named
                    .iter()
                    .map(|v| format!("'{}'", v.1))
                    .collect::<Vec<_>>(),
                inside,
            )
        }
        Set::Wide { low, high, inside } if low == high && def.kind == ColumnKind::Ip => {
            (vec![format!("'{}'", ip_addr(low.to_be_bytes()))], *inside)
        }
        Set::Wides { values, inside } if def.kind == ColumnKind::Ip => (
            values
                .iter()
                .map(|v| format!("'{}'", ip_addr(v.to_be_bytes())))
                .collect(),
            *inside,
        ),
        Set::Range { low, high, inside } if low == high && def.kind == ColumnKind::Mac => {
            (vec![format!("'{}'", mac_text(*low))], *inside)
        }
        Set::Words { values, inside } if def.kind == ColumnKind::Mac => (
            values
                .iter()
                .map(|v| format!("'{}'", mac_text(*v)))
                .collect(),
            *inside,
        ),
        _ => return None,
    };
    let text = match (values.as_slice(), inside) {
        ([one], true) => format!("{} = {one}", def.name),
        ([one], false) => format!("{} <> {one}", def.name),
        (some, _) if some.len() <= SHOWN => format!(
            "{} {}IN ({})",
            def.name,
            if inside { "" } else { "NOT " },
            some.join(", ")
        ),
        _ => return None,
    };
    Some(if test.null && def.nullable {
        format!("({text} OR {} IS NULL)", def.name)
    } else {
        text
    })
}

/// `in_list[masters](event_time, client_ip)` as it was written.
fn of_calls(text: &str) -> String {
    let mut out = text
        .replace(
            "outside_limits[](server_ip, tag, value)",
            "outside_limits()",
        )
        .replace("[](", "(");
    for (bound, written) in [("in_list[", "in_list('"), ("in_calendar[", "in_calendar('")] {
        while let Some((before, after)) = out.split_once(bound) {
            let Some((name, args)) = after.split_once("](") else {
                break;
            };
            let args = args.strip_prefix("event_time, ").unwrap_or(args);
            out = format!("{before}{written}{name}', {args}");
        }
    }
    out
}

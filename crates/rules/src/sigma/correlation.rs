//! Correlation rules: counts become windows, temporal ones become sequences.

use super::head::Head;
use super::mapping::Field;
use super::node::{Node, Val};
use super::plain::Compiled;
use super::refusal::{Refusals, Why};
use super::{sequence, window};
use std::collections::BTreeMap;
use telltale_schema::{ColumnDef, nearest};

/// Longest `timespan`, in seconds: state of longer ones does not stay small.
const LONGEST: u64 = 30 * 86_400;

/// A rule that a correlation names.
#[derive(Debug, Clone)]
pub(super) struct Part<'p> {
    /// As the correlation names it.
    pub called: String,
    /// Its head.
    pub head: &'p Head,
    /// Its detection.
    pub compiled: &'p Compiled,
}

/// Sign of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// More than.
    Gt,
    /// At least.
    Gte,
    /// Less than.
    Lt,
    /// At most.
    Lte,
    /// Exactly.
    Eq,
    /// Anything but.
    Neq,
}

impl Sign {
    /// As SQL, and the name of its parameter.
    pub const fn says(self) -> (&'static str, &'static str) {
        match self {
            Self::Gt => (">", "threshold"),
            Self::Gte => (">=", "threshold"),
            Self::Lt => ("<", "limit"),
            Self::Lte => ("<=", "limit"),
            Self::Eq => ("=", "exactly"),
            Self::Neq => ("<>", "other_than"),
        }
    }

    /// Is a count so?
    pub const fn holds(self, count: i64, bound: i64) -> bool {
        match self {
            Self::Gt => count > bound,
            Self::Gte => count >= bound,
            Self::Lt => count < bound,
            Self::Lte => count <= bound,
            Self::Eq => count == bound,
            Self::Neq => count != bound,
        }
    }
}

/// A correlation, read.
#[derive(Debug, Clone)]
pub(super) struct Correlation<'p> {
    /// Place of its type.
    pub at: (u32, u32),
    /// Its type.
    pub kind: String,
    /// Its rules.
    pub parts: Vec<Part<'p>>,
    /// For each group key, the column in each rule.
    pub keys: Vec<Vec<&'static ColumnDef>>,
    /// Seconds.
    pub seconds: u64,
    /// Thresholds.
    pub bounds: Vec<(Sign, i64)>,
    /// Column of `field`, in each rule.
    pub field: Option<Vec<&'static ColumnDef>>,
}

/// Names of the rules that a correlation speaks of, with their places.
pub(super) fn references(node: &Node) -> Vec<Placed> {
    node.get("correlation")
        .and_then(|c| c.get("rules"))
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .filter_map(|r| Some((r.scalar()?, r.at)))
        .collect()
}

/// May the rules of the correlation also fire by themselves?
pub(super) fn generates(node: &Node) -> bool {
    [node.get("correlation"), Some(node)]
        .into_iter()
        .flatten()
        .filter_map(|n| n.get("generate"))
        .any(|g| g.value == Val::Bool(true))
}

/// Seconds of `10m`.
fn seconds(text: &str) -> Result<u64, &'static str> {
    const FORM: &str = "write a number with s, m, h or d, such as 10m";
    let (number, unit) = text
        .char_indices()
        .next_back()
        .and_then(|(at, _)| text.split_at_checked(at))
        .ok_or(FORM)?;
    let number: u64 = number.trim().parse().map_err(|_| FORM)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        "M" | "y" => {
            return Err("months and years are longer than Telltale keeps a window (30 days)");
        }
        _ => return Err(FORM),
    };
    match number.checked_mul(unit) {
        Some(0) => Err("no time at all"),
        Some(s) if s <= LONGEST => Ok(s),
        _ => Err("longer than Telltale keeps a window (30 days)"),
    }
}

/// A name and its place.
type Placed = (String, (u32, u32));

/// Reads what a correlation says of its rules.
struct Reader<'r, 'f, 'p> {
    refusals: &'r mut Refusals<'f>,
    parts: Vec<Part<'p>>,
    aliases: BTreeMap<String, BTreeMap<String, String>>,
}

impl Reader<'_, '_, '_> {
    /// The column of a field or alias in one rule.
    fn column(&mut self, at: (u32, u32), name: &str, part: usize) -> Option<&'static ColumnDef> {
        let part = self.parts.get(part)?;
        let field = match self.aliases.get(name) {
            None => name,
            Some(of) => {
                let own = [&part.called, &part.head.name, &part.head.given_id]
                    .into_iter()
                    .find_map(|called| of.get(called.as_str()));
                let Some(own) = own else {
                    let reason = format!("the alias says nothing of rule `{}`", part.called);
                    self.refusals.add(Why::Correlation, at, name, reason);
                    return None;
                };
                own
            }
        };
        match part.compiled.source.fields.get(field) {
            Some(Ok(Field { column, .. })) => Some(column),
            Some(Err(why)) => {
                self.refusals.add(Why::Field, at, name, why.clone());
                None
            }
            None => {
                let near = nearest(
                    field,
                    part.compiled.source.fields.keys().map(String::as_str),
                );
                let near = near.map_or(String::new(), |n| format!("; did you mean `{n}`?"));
                let reason = format!("no column for `{field}` of rule `{}`{near}", part.called);
                self.refusals.add(Why::Field, at, name, reason);
                None
            }
        }
    }

    fn columns(&mut self, at: (u32, u32), name: &str) -> Option<Vec<&'static ColumnDef>> {
        (0..self.parts.len())
            .map(|part| self.column(at, name, part))
            .collect()
    }

    /// `gte: 10` and the like, and the field of value counts.
    fn condition(&mut self, node: &Node) -> (Vec<(Sign, i64)>, Option<Placed>) {
        let mut bounds = Vec::new();
        let mut field = None;
        if !matches!(node.value, Val::Map(_)) {
            self.refusals.add(
                Why::Language,
                node.at,
                "condition",
                "a condition in words over rules is not for sequences; write temporal_ordered, or several correlations",
            );
        }
        for (key, value) in node.entries() {
            let sign = match key.text().unwrap_or_default() {
                "gt" => Sign::Gt,
                "gte" => Sign::Gte,
                "lt" => Sign::Lt,
                "lte" => Sign::Lte,
                "eq" => Sign::Eq,
                "neq" => Sign::Neq,
                "field" => {
                    match (value.items(), value.scalar()) {
                        (_, Some(name)) => field = Some((name, value.at)),
                        ([one], None) => field = one.scalar().map(|n| (n, one.at)),
                        _ => self.refusals.add(
                            Why::Language,
                            value.at,
                            "field",
                            "the distinct values of several fields together cannot be counted; name one",
                        ),
                    }
                    continue;
                }
                other => {
                    self.refusals
                        .add(Why::Correlation, key.at, other, "no condition of Sigma");
                    continue;
                }
            };
            match &value.value {
                Val::Whole(n) if (0..=1_000_000_000).contains(n) => {
                    bounds.push((sign, i64::try_from(*n).unwrap_or(0)));
                }
                _ => self.refusals.add(
                    Why::Correlation,
                    value.at,
                    key.text().unwrap_or_default(),
                    "a whole number from 0",
                ),
            }
        }
        (bounds, field)
    }
}

/// Reads a correlation whose rules are known.
pub(super) fn read<'p>(
    node: &Node,
    parts: Vec<Part<'p>>,
    refusals: &mut Refusals<'_>,
) -> Option<Correlation<'p>> {
    let body = node.get("correlation")?;
    let kind = body.words("type");
    let at = body.get("type").map_or(body.at, |n| n.at);
    let before = refusals.found.len();
    if parts.is_empty() {
        refusals.add(Why::Correlation, body.at, "rules", "there are none");
    }
    let aliases = body.get("aliases").map(Node::entries).unwrap_or_default();
    let aliases = aliases
        .iter()
        .filter_map(|(name, of)| {
            let of = of.entries().iter();
            let of =
                of.filter_map(|(rule, field)| Some((rule.text()?.to_owned(), field.scalar()?)));
            Some((name.text()?.to_owned(), of.collect()))
        })
        .collect();
    let seconds = seconds(&body.words("timespan")).unwrap_or_else(|why| {
        let at = body.get("timespan").map_or(body.at, |n| n.at);
        refusals.add(Why::Correlation, at, "timespan", why);
        0
    });
    let mut reader = Reader {
        refusals,
        parts,
        aliases,
    };
    let mut keys = Vec::new();
    for name in body.get("group-by").map(Node::items).unwrap_or_default() {
        if name.value == Val::Null {
            continue;
        }
        let text = name.scalar().unwrap_or_default();
        keys.extend(reader.columns(name.at, &text));
    }
    let (bounds, field) = body
        .get("condition")
        .map_or((Vec::new(), None), |c| reader.condition(c));
    let field = field.and_then(|(name, at)| reader.columns(at, &name));
    let parts = reader.parts;
    (refusals.found.len() == before).then_some(Correlation {
        at,
        kind,
        parts,
        keys,
        seconds,
        bounds,
        field,
    })
}

/// The rule files of a correlation: suffix of the file's name, and text.
pub(super) fn rules(
    head: &Head,
    c: &Correlation<'_>,
    refusals: &mut Refusals<'_>,
) -> Vec<(String, String)> {
    match c.kind.as_str() {
        "event_count" | "value_count" | "value_sum" | "value_avg" => {
            window::rule(head, c, refusals)
                .into_iter()
                .map(|text| (String::new(), text))
                .collect()
        }
        "temporal_ordered" | "temporal" => sequence::rules(head, c, refusals),
        "value_percentile" | "value_median" => {
            let reason = format!(
                "{} needs all values of a window; a window has count, sum, min, max, avg",
                c.kind
            );
            refusals.add(Why::Language, c.at, "type", reason);
            Vec::new()
        }
        "" => {
            refusals.add(Why::Correlation, c.at, "type", "there is none");
            Vec::new()
        }
        other => {
            let reason = format!("`{other}` is no correlation of Sigma 2");
            refusals.add(Why::Correlation, c.at, "type", reason);
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timespans() {
        assert_eq!(seconds("30s"), Ok(30));
        assert_eq!(seconds("10m"), Ok(600));
        assert_eq!(seconds("1w"), Ok(604_800));
        for wrong in [
            "",
            "m",
            "10",
            "0s",
            "1M",
            "99d",
            "-5m",
            "10µ",
            "99999999999999999999h",
        ] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}

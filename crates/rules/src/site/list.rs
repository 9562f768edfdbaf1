//! `lists/<name>.csv`: rows of cells, each a literal, a CIDR, a range or `*`.

use super::table::Reader;
use crate::diagnostic::Diagnostic;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use telltale_schema::value::Value;

/// Columns that do not take part in look-ups.
const RESERVED: [&str; 4] = ["valid_from", "valid_until", "owner", "note"];

/// One cell of a list.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Any,
    Net(IpNet),
    IpRange(IpAddr, IpAddr),
    Mac(u64),
    Number(f64),
    Range(f64, f64),
    Text(String),
}

/// A number as people write it: not `nan`, `inf` or `infinity`, which are names.
fn finite(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|n| n.is_finite())
}

impl Cell {
    fn parse(text: &str) -> Self {
        let text = text.trim();
        if text == "*" {
            return Self::Any;
        }
        if let Ok(net) = text.parse::<IpNet>() {
            return Self::Net(net);
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Self::IpRange(ip, ip);
        }
        if let Some(mac) = telltale_schema::value::parse_mac(text) {
            return Self::Mac(mac);
        }
        if let Some(number) = finite(text) {
            return Self::Number(number);
        }
        if let Some((a, b)) = text.split_once('-') {
            let (a, b) = (a.trim(), b.trim());
            if let (Ok(a), Ok(b)) = (a.parse::<IpAddr>(), b.parse::<IpAddr>()) {
                return Self::IpRange(a, b);
            }
            if let (Some(a), Some(b)) = (finite(a), finite(b)) {
                return Self::Range(a, b);
            }
        }
        Self::Text(text.to_owned())
    }

    #[allow(clippy::cast_precision_loss, clippy::float_cmp)]
    fn fits(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Any, _) => true,
            (_, Value::Null) => false,
            (Self::Net(net), Value::Ip(ip)) => net.contains(ip),
            (Self::IpRange(a, b), Value::Ip(ip)) => {
                (*a..=*b).contains(ip) && a.is_ipv4() == ip.is_ipv4()
            }
            (Self::Mac(a), Value::Mac(b)) => a == b,
            (Self::Text(a), Value::Text(b)) => a == b,
            (Self::Text(a), other) => *a == other.to_string(),
            (cell, Value::Text(text)) => match (cell, text.parse::<f64>()) {
                (Self::Number(a), Ok(b)) => *a == b,
                (Self::Range(a, b), Ok(n)) => (*a..=*b).contains(&n),
                _ => false,
            },
            (Self::Number(a), other) => {
                other.as_f64() == Some(*a) || other.as_u64().is_some_and(|n| n as f64 == *a)
            }
            (Self::Range(a, b), other) => other
                .as_f64()
                .or(other.as_u64().map(|n| n as f64))
                .is_some_and(|n| (*a..=*b).contains(&n)),
            _ => false,
        }
    }
}

#[derive(Debug, Clone)]
struct Row {
    cells: Vec<Cell>,
    from_ns: i64,
    until_ns: i64,
}

/// A list. Empty says: nobody.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// Key columns, in order.
    pub columns: Vec<String>,
    rows: Vec<Row>,
    /// Rows whose first cell is a single address, by that address.
    by_address: BTreeMap<IpAddr, Vec<usize>>,
    /// All other rows.
    rest: Vec<usize>,
}

impl List {
    fn new(columns: Vec<String>, rows: Vec<Row>) -> Self {
        let mut by_address: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
        let mut rest = Vec::new();
        for (n, row) in rows.iter().enumerate() {
            match row.cells.first() {
                Some(Cell::IpRange(a, b)) if a == b => by_address.entry(*a).or_default().push(n),
                _ => rest.push(n),
            }
        }
        Self {
            columns,
            rows,
            by_address,
            rest,
        }
    }

    /// Parses CSV with a header. Bad rows are named with their line and left out.
    #[must_use]
    pub fn parse(name: &str, text: &str) -> (Option<Self>, Vec<Diagnostic>) {
        let mut found = Vec::new();
        let mut reader = match Reader::new(name, text) {
            Ok(reader) => reader,
            Err(diagnostic) => return (None, vec![diagnostic]),
        };
        let columns: Vec<String> = reader
            .header
            .iter()
            .filter(|h| !RESERVED.contains(&h.as_str()))
            .cloned()
            .collect();
        let mut rows = Vec::new();
        while let Some(row) = reader.next() {
            let (line, row) = match row {
                Ok(row) => row,
                Err(diagnostic) => {
                    found.push(diagnostic);
                    continue;
                }
            };
            let mut bad = |why: String, help: &str| {
                found.push(Diagnostic::error("TT-SITE-012", name, (line, 0), why).help(help));
            };
            let mut time = |column: &str, default: i64| match row
                .get(column)
                .map(|t| t.trim())
                .filter(|t| !t.is_empty())
            {
                None => Some(default),
                Some(text) => {
                    let time = telltale_schema::value::parse_time(text).or_else(|| {
                        telltale_schema::value::parse_time(&format!("{text}T00:00:00Z"))
                    });
                    if time.is_none() {
                        bad(
                            format!("`{column}: {text}` is no time"),
                            "write 2026-05-01 or 2026-05-01T06:00:00Z",
                        );
                    }
                    time
                }
            };
            let (from, until) = (time("valid_from", i64::MIN), time("valid_until", i64::MAX));
            let empty = columns
                .iter()
                .find(|c| row.get(*c).is_none_or(|cell| cell.trim().is_empty()));
            if let Some(column) = empty {
                bad(
                    format!("`{column}` is empty"),
                    "write `*` for any, or leave the row out",
                );
                continue;
            }
            // a row that cannot be read in full says nothing: nobody is trusted by mistake
            let (Some(from_ns), Some(until_ns)) = (from, until) else {
                continue;
            };
            let cells = columns
                .iter()
                .map(|c| Cell::parse(row.get(c).map_or("", String::as_str)))
                .collect();
            rows.push(Row {
                cells,
                from_ns,
                until_ns,
            });
        }
        (Some(Self::new(columns, rows)), found)
    }

    /// From rows of a test's context.
    #[must_use]
    pub fn from_json(rows: &[serde_json::Map<String, serde_json::Value>]) -> Self {
        let mut columns: Vec<String> = Vec::new();
        for key in rows.iter().flat_map(|r| r.keys()) {
            if !RESERVED.contains(&key.as_str()) && !columns.contains(key) {
                columns.push(key.clone());
            }
        }
        let text = |v: Option<&serde_json::Value>| match v {
            None => String::new(),
            Some(serde_json::Value::String(s)) => s.clone(),
            Some(other) => other.to_string(),
        };
        let rows = rows
            .iter()
            .map(|r| Row {
                cells: columns
                    .iter()
                    .map(|c| Cell::parse(&text(r.get(c))))
                    .collect(),
                from_ns: i64::MIN,
                until_ns: i64::MAX,
            })
            .collect();
        Self::new(columns, rows)
    }

    /// Rows in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Is it empty?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Is no row bound to a time? Then an answer depends on the values alone.
    #[must_use]
    pub fn is_timeless(&self) -> bool {
        self.rows
            .iter()
            .all(|r| r.from_ns == i64::MIN && r.until_ns == i64::MAX)
    }

    /// Does a row fit these values, in the order of the key columns, at this time?
    /// With fewer values than columns, the first columns count.
    #[must_use]
    pub fn contains(&self, values: &[Value], at_ns: i64) -> bool {
        let fits = |n: &usize| self.rows.get(*n).is_some_and(|row| row.fits(values, at_ns));
        match values.first() {
            Some(Value::Ip(ip)) => {
                let exact = self.by_address.get(ip).map_or(&[][..], Vec::as_slice);
                exact.iter().chain(&self.rest).any(fits)
            }
            _ => self.rows.iter().any(|row| row.fits(values, at_ns)),
        }
    }
}

impl Row {
    fn fits(&self, values: &[Value], at_ns: i64) -> bool {
        (self.from_ns..self.until_ns).contains(&at_ns)
            && values.len() <= self.cells.len()
            && self
                .cells
                .iter()
                .zip(values)
                .all(|(cell, value)| cell.fits(value))
    }
}

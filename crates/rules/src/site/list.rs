//! `lists/<name>.csv`: rows of cells, each a literal, a CIDR, a range or `*`.

use crate::diagnostic::Diagnostic;
use ipnet::IpNet;
use rows::Reader;
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
        if let Ok(number) = text.parse::<f64>() {
            return Self::Number(number);
        }
        if let Some((a, b)) = text.split_once('-') {
            let (a, b) = (a.trim(), b.trim());
            if let (Ok(a), Ok(b)) = (a.parse::<IpAddr>(), b.parse::<IpAddr>()) {
                return Self::IpRange(a, b);
            }
            if let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) {
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
}

impl List {
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
            let mut time = |column: &str, default: i64| match row
                .get(column)
                .map(|t| t.trim())
                .filter(|t| !t.is_empty())
            {
                None => default,
                Some(text) => telltale_schema::value::parse_time(text)
                    .or_else(|| telltale_schema::value::parse_time(&format!("{text}T00:00:00Z")))
                    .unwrap_or_else(|| {
                        found.push(
                            Diagnostic::error(
                                "TT-SITE-012",
                                name,
                                (line, 0),
                                format!("`{column}: {text}` is no time"),
                            )
                            .help("write 2026-05-01 or 2026-05-01T06:00:00Z"),
                        );
                        default
                    }),
            };
            let (from_ns, until_ns) = (time("valid_from", i64::MIN), time("valid_until", i64::MAX));
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
        (Some(Self { columns, rows }), found)
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
        Self { columns, rows }
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

    /// Does a row fit these values, in the order of the key columns, at this time?
    /// With fewer values than columns, the first columns count.
    #[must_use]
    pub fn contains(&self, values: &[Value], at_ns: i64) -> bool {
        self.rows.iter().any(|row| {
            (row.from_ns..row.until_ns).contains(&at_ns)
                && values.len() <= row.cells.len()
                && row
                    .cells
                    .iter()
                    .zip(values)
                    .all(|(cell, value)| cell.fits(value))
        })
    }
}

pub(crate) mod rows {
    //! CSV with a header, row by row, with lines.

    use crate::diagnostic::Diagnostic;
    use std::collections::BTreeMap;

    /// A line of the file and its cells by column.
    pub(crate) type Row = (u32, BTreeMap<String, String>);

    pub(crate) struct Reader<'t> {
        name: String,
        pub header: Vec<String>,
        records: csv::StringRecordsIntoIter<&'t [u8]>,
    }

    impl<'t> Reader<'t> {
        pub(crate) fn new(name: &str, text: &'t str) -> Result<Self, Diagnostic> {
            let mut reader = csv::ReaderBuilder::new()
                .comment(Some(b'#'))
                .trim(csv::Trim::All)
                .from_reader(text.as_bytes());
            let header = match reader.headers() {
                Ok(header) if !header.is_empty() => header.iter().map(str::to_owned).collect(),
                _ => {
                    return Err(Diagnostic::error("TT-SITE-010", name, (1, 0), "no header")
                        .help("the first line names the columns"));
                }
            };
            Ok(Self {
                name: name.to_owned(),
                header,
                records: reader.into_records(),
            })
        }

        /// Line and cells by column.
        pub(crate) fn next(&mut self) -> Option<Result<Row, Diagnostic>> {
            Some(match self.records.next()? {
                Ok(record) => {
                    let line = record
                        .position()
                        .map_or(0, |p| u32::try_from(p.line()).unwrap_or(0));
                    Ok((
                        line,
                        self.header
                            .iter()
                            .cloned()
                            .zip(record.iter().map(str::to_owned))
                            .collect(),
                    ))
                }
                Err(error) => {
                    let line = error
                        .position()
                        .map_or(0, |p| u32::try_from(p.line()).unwrap_or(0));
                    let message = match error.kind() {
                        csv::ErrorKind::UnequalLengths {
                            expected_len, len, ..
                        } => format!("{len} cells where the header has {expected_len}"),
                        other => format!("{other:?}"),
                    };
                    Err(Diagnostic::error(
                        "TT-SITE-011",
                        &self.name,
                        (line, 0),
                        message,
                    ))
                }
            })
        }
    }
}

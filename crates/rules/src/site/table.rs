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

    /// Columns that are not among these, each with the nearest name.
    pub(crate) fn check_columns(
        &self,
        known: &[&'static str],
        code: &'static str,
    ) -> Vec<Diagnostic> {
        let unknown = self.header.iter().filter(|h| !known.contains(&h.as_str()));
        unknown
            .map(|column| {
                let near = telltale_schema::nearest(column, known.iter().copied());
                Diagnostic::error(code, &self.name, (1, 0), format!("no column `{column}`")).help(
                    near.map_or(format!("columns are {}", known.join(", ")), |n| {
                        format!("did you mean `{n}`?")
                    }),
                )
            })
            .collect()
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

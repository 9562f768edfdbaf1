//! Look-ups in a site's lists, straight from the cells of a row.

use crate::cells::{Cells, Values, i64_of_key};
use arrow_array::RecordBatch;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use telltale_rules::site::list::List;
use telltale_schema::ColumnDef;
use telltale_schema::value::{Value, cell};

/// Answers that are kept at most; then all are forgotten, and looked up again.
const ANSWERS: usize = 1 << 16;

/// Are these cells of a row in a list?
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) list: Arc<List>,
    /// Position and definition of each key column in the table.
    pub(crate) columns: Vec<(usize, &'static ColumnDef)>,
    /// Position of `event_time`.
    pub(crate) time: usize,
    /// NOT in the list?
    pub(crate) negated: bool,
    /// Does an answer depend on the cells alone, so that it can be kept?
    pub(crate) timeless: bool,
}

/// Answers by the values asked for, so that each is looked up once.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    known: FxHashMap<Box<[u8]>, bool>,
    key: Vec<u8>,
    /// Times that all were forgotten.
    pub(crate) forgotten: u64,
}

impl Look {
    /// All columns that it reads.
    pub(crate) fn reads(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|c| c.0).chain([self.time])
    }

    /// Does the row pass? `cells` gives the cells of a column.
    pub(crate) fn passes<'c, 'b: 'c>(
        &self,
        answers: &mut Answers,
        cells: &impl Fn(usize) -> Option<&'c Cells<'b>>,
        batch: &RecordBatch,
        row: usize,
    ) -> bool {
        let ask = || {
            self.list
                .contains(&self.values(batch, row), self.at(cells, row))
        };
        let is_in = if self.timeless && answers.read(self, cells, row) {
            match answers.known.get(answers.key.as_slice()) {
                Some(known) => *known,
                None => {
                    let answer = ask();
                    if answers.known.len() >= ANSWERS {
                        answers.known.clear();
                        answers.forgotten += 1;
                    }
                    answers.known.insert(answers.key.as_slice().into(), answer);
                    answer
                }
            }
        } else {
            ask()
        };
        is_in != self.negated
    }

    fn values(&self, batch: &RecordBatch, row: usize) -> Vec<Value> {
        let read = |(at, def): &(usize, &'static ColumnDef)| cell(batch, *at, def, row);
        self.columns.iter().map(read).collect()
    }

    fn at<'c, 'b: 'c>(&self, cells: &impl Fn(usize) -> Option<&'c Cells<'b>>, row: usize) -> i64 {
        cells(self.time)
            .filter(|c| !c.is_null(row))
            .map_or(0, |c| i64_of_key(c.word(row)))
    }
}

impl Answers {
    /// Reads a row's cells as the key; false for a column that has no such form.
    fn read<'c, 'b: 'c>(
        &mut self,
        look: &Look,
        cells: &impl Fn(usize) -> Option<&'c Cells<'b>>,
        row: usize,
    ) -> bool {
        self.key.clear();
        for (column, _) in &look.columns {
            let Some(cells) = cells(*column) else {
                return false;
            };
            self.key.push(u8::from(cells.is_null(row)));
            match &cells.values {
                Values::Wide(_) => self.key.extend(cells.wide(row).to_ne_bytes()),
                Values::Text(_) => {
                    let text = cells.text(row);
                    self.key.extend(text.len().to_ne_bytes());
                    self.key.extend(text.as_bytes());
                }
                Values::Other => return false,
                _ => self.key.extend(cells.word(row).to_ne_bytes()),
            }
        }
        true
    }
}

//! The groups of windows that have the same key columns.

use super::chunk::{Chunk, Hit};
use super::groups::{GONE, Groups};
use super::pack::{pack, pack_short};
use crate::cells::Cells;

/// Groups that all windows with the same key columns share.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeySet {
    pub columns: Vec<usize>,
    pub groups: Groups,
    /// Rows whose group found no room.
    pub refused: u64,
    /// Group of each row of each part of the chunk, where it was asked.
    of_row: Vec<Vec<u32>>,
    scratch: Vec<u8>,
    /// So many groups make it worth looking for those that are out of date.
    sweep_at: usize,
    /// Before this none is out of date.
    pub full_until: i64,
}

/// Fewest groups for which a sweep is worth while.
pub(crate) const SWEEP: usize = 4096;

impl KeySet {
    pub(crate) fn new(columns: Vec<usize>) -> Self {
        Self {
            columns,
            sweep_at: SWEEP,
            full_until: i64::MIN,
            ..Self::default()
        }
    }

    /// A new chunk begins.
    pub(crate) fn begin(&mut self, chunk: &Chunk) {
        self.of_row.resize_with(chunk.parts.len(), Vec::new);
        for (rows, part) in self.of_row.iter_mut().zip(&chunk.parts) {
            rows.clear();
            rows.resize(part.batch.batch.num_rows(), GONE);
        }
    }

    /// The group of each row, [`GONE`] where there is no room.
    pub(crate) fn groups(
        &mut self,
        hits: &[Hit],
        cells: &[Cells<'_>],
        most: usize,
        out: &mut Vec<u32>,
    ) {
        out.clear();
        let Some(of_row) = hits
            .first()
            .and_then(|hit| self.of_row.get_mut(hit.0 as usize))
        else {
            return;
        };
        for hit in hits {
            let Some(known) = of_row.get_mut(hit.1 as usize) else {
                out.push(GONE);
                continue;
            };
            if *known == GONE {
                let short = pack_short(cells, hit.1 as usize);
                if let Some(group) = short.and_then(|short| self.groups.find_short(short)) {
                    *known = group;
                    out.push(group);
                    continue;
                }
                self.scratch.clear();
                for cell in cells {
                    pack(cell, hit.1 as usize, &mut self.scratch);
                }
                let made = if short.is_some() {
                    self.groups.insert(&self.scratch, most)
                } else {
                    self.groups.touch(&self.scratch, most)
                };
                match made {
                    Some(group) => *known = group,
                    None => self.refused += 1,
                }
            }
            out.push(*known);
        }
    }

    /// Is it time to look for groups that are out of date?
    pub(crate) fn is_due(&self) -> bool {
        self.groups.len() >= self.sweep_at
    }

    /// May the rows of a chunk find no room, though at `now` there may be groups that are
    /// out of date? They go first, so that what is refused depends on the others alone.
    pub(crate) fn is_tight(&self, rows: usize, now: i64, most: usize) -> bool {
        self.groups.len() + rows > most && now >= self.full_until
    }

    /// Forgets groups that no window needs any more; says the new number of each.
    pub(crate) fn sweep(&mut self, needed: impl Fn(u32) -> bool) -> Vec<u32> {
        let remap = self.groups.retain(needed);
        self.sweep_at = (2 * self.groups.len()).max(SWEEP);
        remap
    }

    pub(crate) fn bytes(&self) -> usize {
        self.groups.bytes()
    }
}

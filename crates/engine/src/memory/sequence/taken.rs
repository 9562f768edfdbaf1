//! Rows that begun matches have taken, each after the one before it.
//!
//! They lie in pages to which rows are only ever added, so that a snapshot shares the
//! full ones. What no match speaks of any more goes when the pages are written anew.

use std::sync::Arc;
use telltale_schema::TableId;

/// No row.
pub(crate) const NONE: u32 = u32::MAX;

/// Rows of a page.
const PAGE: usize = 1024;

/// What is known of a taken row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// The row that the match took before it, or [`NONE`].
    pub before: u32,
    pub step: u16,
    pub table: TableId,
    pub row_no: u64,
    /// Its cells among those of its page.
    from: u32,
    length: u32,
}

#[derive(Debug, Clone, Default)]
struct Page {
    heads: Vec<Head>,
    cells: Vec<u8>,
}

impl Page {
    fn cells(&self, head: &Head) -> &[u8] {
        let from = head.from as usize;
        let cells = self.cells.get(from..from + head.length as usize);
        cells.unwrap_or_default()
    }
}

/// Taken rows by number. A clone shares the full pages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken {
    full: Vec<Arc<Page>>,
    last: Page,
}

impl Taken {
    /// Rows, those that nothing speaks of included: numbers are below it.
    pub(crate) fn len(&self) -> usize {
        self.full.len() * PAGE + self.last.heads.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        let of = |page: &Page| page.heads.capacity() * size_of::<Head>() + page.cells.capacity();
        self.full.iter().map(|p| of(p)).sum::<usize>() + of(&self.last)
    }

    pub(crate) fn weight(&self) -> usize {
        let pages = self.full.iter().map(|p| p.cells.len());
        pages.sum::<usize>() + self.last.cells.len() + self.len() * size_of::<Head>()
    }

    /// A row with its step's kept columns, packed.
    pub(crate) fn get(&self, number: u32) -> Option<(&Head, &[u8])> {
        let at = number as usize;
        let page = match self.full.get(at / PAGE) {
            Some(page) => page,
            None if at / PAGE == self.full.len() => &self.last,
            None => return None,
        };
        let head = page.heads.get(at % PAGE)?;
        Some((head, page.cells(head)))
    }

    /// The row and those before it, the newest first.
    pub(crate) fn chain(&self, number: u32) -> impl Iterator<Item = (u32, &Head, &[u8])> {
        let mut next = number;
        std::iter::from_fn(move || {
            let number = next;
            let (head, cells) = self.get(number)?;
            next = head.before;
            Some((number, head, cells))
        })
    }

    /// Adds a row and says its number; [`NONE`] where all numbers are used up. The row
    /// that was added last, taken once more by another match, shares its cells.
    pub(crate) fn add(
        &mut self,
        (before, step, table, row_no): (u32, u16, TableId, u64),
        cells: &[u8],
    ) -> u32 {
        if self.last.heads.len() == PAGE {
            let page = std::mem::take(&mut self.last);
            self.full.push(Arc::new(page));
        }
        let number = u32::try_from(self.len()).unwrap_or(NONE);
        let page = &mut self.last;
        if number == NONE || u32::try_from(page.cells.len() + cells.len()).is_err() {
            return NONE;
        }
        let same = page
            .heads
            .last()
            .filter(|h| h.row_no == row_no && page.cells(h) == cells)
            .map(|h| h.from);
        let from = same.unwrap_or_else(|| {
            let from = page.cells.len();
            page.cells.extend_from_slice(cells);
            from as u32
        });
        page.heads.push(Head {
            before,
            step,
            table,
            row_no,
            from,
            length: cells.len() as u32,
        });
        number
    }

    /// All rows, in the order of their numbers.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&Head, &[u8])> {
        let pages = self.full.iter().map(|p| &**p).chain([&self.last]);
        pages.flat_map(|page| page.heads.iter().map(|head| (head, page.cells(head))))
    }

    /// Only the rows that these numbers speak of, and those before them, numbered anew
    /// in the same order; and the new number of each.
    pub(crate) fn compact(&self, used: impl Iterator<Item = u32>) -> (Self, Vec<u32>) {
        const USED: u32 = NONE - 1;
        let mut numbers = vec![NONE; self.len()];
        for number in used {
            for (number, ..) in self.chain(number) {
                match numbers.get_mut(number as usize) {
                    Some(known @ &mut NONE) => *known = USED,
                    _ => break,
                }
            }
        }
        let mut fresh = Self::default();
        for number in 0..numbers.len() {
            if numbers.get(number) != Some(&USED) {
                continue;
            }
            let Some((head, cells)) = self.get(number as u32) else {
                continue;
            };
            // a row stands after the one before it
            let before = numbers.get(head.before as usize).copied().unwrap_or(NONE);
            let new = fresh.add((before, head.step, head.table, head.row_no), cells);
            if let Some(number) = numbers.get_mut(number) {
                *number = new;
            }
        }
        (fresh, numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stay_what_they_were_when_pages_are_written_anew() {
        let mut taken = Taken::default();
        let mut ends = Vec::new();
        for n in 0..3 * PAGE as u64 {
            let first = taken.add((NONE, 0, TableId::Modbus, n), &n.to_le_bytes());
            let second = taken.add((first, 1, TableId::Dnp3, n), b"of the second step");
            ends.push(second);
        }
        assert_eq!(taken.len(), 6 * PAGE);
        let shared = taken.clone();
        let kept: Vec<u32> = ends.iter().copied().step_by(3).collect();
        let (fresh, numbers) = taken.compact(kept.iter().copied());
        assert_eq!(fresh.len(), 2 * PAGE);
        for (n, end) in ends.iter().enumerate() {
            let new = numbers[*end as usize];
            if n % 3 != 0 {
                assert_eq!(new, NONE);
                continue;
            }
            let steps: Vec<(u16, u64)> = fresh
                .chain(new)
                .map(|(_, h, _)| (h.step, h.row_no))
                .collect();
            assert_eq!(steps, [(1, n as u64), (0, n as u64)]);
            let (_, cells) = fresh.get(fresh.get(new).unwrap().0.before).unwrap();
            assert_eq!(cells, (n as u64).to_le_bytes());
            assert_eq!(shared.get(*end).unwrap().1, b"of the second step");
        }
    }

    #[test]
    fn a_row_taken_by_several_matches_is_written_once() {
        let mut taken = Taken::default();
        let cells = [7; 100];
        for before in 0..50 {
            taken.add((before, 2, TableId::Modbus, 9), &cells);
        }
        assert_eq!(taken.last.cells.len(), 100);
        taken.add((NONE, 2, TableId::Modbus, 10), &cells);
        assert_eq!(taken.last.cells.len(), 200);
    }
}

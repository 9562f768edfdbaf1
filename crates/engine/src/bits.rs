//! A set of rows of a batch.

/// One bit per row.
#[derive(Debug, Default, Clone)]
pub(crate) struct Bits {
    pub words: Vec<u64>,
}

impl Bits {
    /// All of `rows` rows.
    pub(crate) fn fill(&mut self, rows: usize) {
        self.words.clear();
        self.words.resize(rows.div_ceil(64), u64::MAX);
        if !rows.is_multiple_of(64)
            && let Some(last) = self.words.last_mut()
        {
            *last = (1 << (rows % 64)) - 1;
        }
    }

    /// From a test of each row.
    pub(crate) fn collect(&mut self, rows: usize, mut test: impl FnMut(usize) -> bool) {
        self.words.clear();
        let mut row = 0;
        while row < rows {
            let end = (row + 64).min(rows);
            let mut word = 0_u64;
            for (bit, at) in (row..end).enumerate() {
                word |= u64::from(test(at)) << bit;
            }
            self.words.push(word);
            row = end;
        }
    }

    /// Keeps rows that are in both; is any left?
    pub(crate) fn and(&mut self, other: &Self) -> bool {
        let mut any = 0;
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a &= b;
            any |= *a;
        }
        any != 0
    }

    /// Keeps set rows that pass the test; is any left?
    pub(crate) fn refine(&mut self, mut test: impl FnMut(usize) -> bool) -> bool {
        let mut any = 0;
        for (n, word) in self.words.iter_mut().enumerate() {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                if !test(n * 64 + bit as usize) {
                    *word &= !(1 << bit);
                }
            }
            any |= *word;
        }
        any != 0
    }

    /// Set rows, in order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(n, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros() as usize;
                    left &= left - 1;
                    n * 64 + bit
                })
            })
        })
    }
}

//! Rules of which next to nothing is left to be asked.

/// A rule of which nothing but one range of one cell is left to be asked: most rules
/// are, so they are asked without any detour.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quick {
    pub low: u64,
    pub span: u64,
    pub rule: u32,
    /// Place among the columns that quick rules read.
    pub slot: u8,
    pub how: How,
    pub null: bool,
}

/// How a quick rule is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum How {
    /// It is none.
    #[default]
    Not,
    /// Nothing is left.
    Always,
    Inside,
    Outside,
}

/// Columns that quick rules read, at most.
pub(crate) const COLUMNS: usize = 16;

impl Quick {
    /// Do the row's words (and whether they are NULL) pass?
    #[inline]
    pub(crate) fn passes(&self, words: &[(u64, bool); COLUMNS]) -> bool {
        if self.how == How::Always {
            return true;
        }
        let at = words.get(usize::from(self.slot)).copied();
        let (word, is_null) = at.unwrap_or((0, true));
        if is_null {
            return self.null;
        }
        (word.wrapping_sub(self.low) <= self.span) == (self.how == How::Inside)
    }
}

//! A list in pages that its copies share.

use std::sync::Arc;

/// Entries of a page.
const PAGE: usize = 1024;

/// A list whose copy costs little: pages are shared until one side changes them.
#[derive(Debug, Clone)]
pub(crate) struct Pages<T> {
    /// All but the last are full.
    pages: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            len: 0,
        }
    }
}

impl<T: Copy> Pages<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn bytes(&self) -> usize {
        self.pages.len() * PAGE * size_of::<T>()
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.pages.get(at / PAGE)?.get(at % PAGE)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        Arc::make_mut(self.pages.get_mut(at / PAGE)?).get_mut(at % PAGE)
    }

    pub(crate) fn push(&mut self, value: T) {
        if self.len.is_multiple_of(PAGE) {
            self.pages.push(Arc::new(Vec::with_capacity(PAGE)));
        }
        if let Some(last) = self.pages.last_mut() {
            Arc::make_mut(last).push(value);
            self.len += 1;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|p| p.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_stays_what_it_was() {
        let mut pages = Pages::default();
        for n in 0..3000_u32 {
            pages.push(n);
        }
        let copy = pages.clone();
        *pages.get_mut(1024).unwrap() = 7;
        pages.push(8);
        assert_eq!((pages.len(), copy.len()), (3001, 3000));
        assert!(copy.iter().copied().eq(0..3000));
        assert_eq!((pages.get(1024), pages.get(3000)), (Some(&7), Some(&8)));
        assert!(Arc::ptr_eq(&pages.pages[0], &copy.pages[0]));
        assert_eq!(copy.get(3000), None);
    }
}

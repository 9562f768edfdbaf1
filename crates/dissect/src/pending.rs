//! Requests that wait for their response: bounded, no clock, no allocation in
//! steady state (buffers are handed back and used again).

/// A request that waits for its response.
#[derive(Debug, Clone)]
pub struct Request<K, M> {
    /// What a response must carry to be this request's.
    pub key: K,
    /// What the caller wants back with the response (identity, time, packet).
    pub mark: M,
    /// The request's bytes, cut at the table's limit.
    pub bytes: Vec<u8>,
    /// Were the bytes cut?
    pub cut: bool,
}

/// A bounded table of requests in the order of their arrival.
///
/// When it is full, the oldest request is handed back to the caller (who counts
/// it, and may report it as unanswered).
#[derive(Debug)]
pub struct Pending<K, M> {
    /// All but the newest, oldest first.
    older: Vec<Request<K, M>>,
    /// Beside the others, because most connections have one request under way.
    newest: Option<Request<K, M>>,
    spare: Vec<u8>,
    spares: Vec<Vec<u8>>,
    capacity: usize,
    max_bytes: usize,
    evicted: u64,
}

impl<K: PartialEq, M> Pending<K, M> {
    /// A table of at most `capacity` requests (at least one) that keeps at most
    /// `max_bytes` bytes of each. Nothing is allocated before the first insert.
    #[must_use]
    pub const fn new(capacity: usize, max_bytes: usize) -> Self {
        let capacity = if capacity == 0 { 1 } else { capacity };
        Self {
            older: Vec::new(),
            newest: None,
            spare: Vec::new(),
            spares: Vec::new(),
            capacity,
            max_bytes,
            evicted: 0,
        }
    }

    /// Requests that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.older.len() + usize::from(self.newest.is_some())
    }

    /// Does none wait?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    /// The requests that wait, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Request<K, M>> {
        self.older.iter().chain(&self.newest)
    }

    /// Requests that were pushed out by newer ones.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Remembers a request; the answer is the oldest one if it had to go.
    pub fn insert(&mut self, key: K, mark: M, bytes: &[u8]) -> Option<Request<K, M>> {
        let evicted = if self.len() >= self.capacity {
            self.evicted = self.evicted.saturating_add(1);
            self.pop()
        } else {
            None
        };
        let mut kept = std::mem::take(&mut self.spare);
        if kept.capacity() == 0 {
            kept = self.spares.pop().unwrap_or_default();
        }
        kept.clear();
        let head = bytes.get(..self.max_bytes).unwrap_or(bytes);
        kept.extend_from_slice(head);
        let before = self.newest.replace(Request {
            key,
            mark,
            cut: head.len() < bytes.len(),
            bytes: kept,
        });
        self.older.extend(before);
        evicted
    }

    /// The oldest request with this key, removed from the table.
    pub fn take(&mut self, key: &K) -> Option<Request<K, M>> {
        self.take_if(|request| request.key == *key)
    }

    /// The oldest request that `wanted` accepts, removed from the table.
    pub fn take_if(
        &mut self,
        mut wanted: impl FnMut(&Request<K, M>) -> bool,
    ) -> Option<Request<K, M>> {
        match self.older.iter().position(&mut wanted) {
            Some(at) => Some(self.older.remove(at)),
            None => self.take_newest_itself(wanted),
        }
    }

    /// The newest request that `wanted` accepts, removed from the table.
    pub fn take_newest_if(
        &mut self,
        mut wanted: impl FnMut(&Request<K, M>) -> bool,
    ) -> Option<Request<K, M>> {
        if let Some(request) = self.take_newest_itself(&mut wanted) {
            return Some(request);
        }
        let at = self.older.iter().rposition(&mut wanted)?;
        Some(self.older.remove(at))
    }

    fn take_newest_itself(
        &mut self,
        mut wanted: impl FnMut(&Request<K, M>) -> bool,
    ) -> Option<Request<K, M>> {
        let taken = self.newest.take_if(|request| wanted(request));
        if taken.is_some() {
            self.newest = self.older.pop();
        }
        taken
    }

    /// The oldest request, left in the table.
    #[must_use]
    pub fn oldest(&self) -> Option<&Request<K, M>> {
        self.older.first().or(self.newest.as_ref())
    }

    /// The oldest request, removed from the table.
    pub fn pop(&mut self) -> Option<Request<K, M>> {
        if self.older.is_empty() {
            self.newest.take()
        } else {
            Some(self.older.remove(0))
        }
    }

    /// Gives a request's buffer back for use by a later one.
    pub fn recycle(&mut self, request: Request<K, M>) {
        if self.spare.capacity() == 0 {
            self.spare = request.bytes;
        } else if self.spares.len() < 4 {
            self.spares.push(request.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pending;

    #[test]
    fn oldest_with_the_key_is_taken_and_its_buffer_used_again() {
        let mut table: Pending<u16, u64> = Pending::new(4, 3);
        assert!(table.insert(1, 10, b"abcd").is_none());
        assert!(table.insert(1, 11, b"ef").is_none());
        let first = table.take(&1).unwrap();
        assert_eq!(
            (first.mark, first.bytes.as_slice(), first.cut),
            (10, b"abc".as_slice(), true)
        );
        let pointer = first.bytes.as_ptr();
        table.recycle(first);
        table.insert(2, 12, b"xyz");
        let again = table.take(&2).unwrap();
        assert_eq!(again.bytes.as_ptr(), pointer);
        assert!(!again.cut);
        assert!(table.take(&3).is_none());
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn order_is_that_of_arrival() {
        let mut table: Pending<u16, u64> = Pending::new(4, 8);
        for n in 1..=4 {
            table.insert((n % 2) as u16, n, b"");
        }
        let marks = |t: &Pending<u16, u64>| t.iter().map(|r| r.mark).collect::<Vec<_>>();
        assert_eq!(marks(&table), [1, 2, 3, 4]);
        assert_eq!(
            table.take_newest_if(|r| r.key == 1).map(|r| r.mark),
            Some(3)
        );
        assert_eq!(
            table.take_newest_if(|r| r.key == 0).map(|r| r.mark),
            Some(4)
        );
        assert_eq!(marks(&table), [1, 2]);
        table.insert(0, 5, b"");
        assert_eq!(table.take(&0).map(|r| r.mark), Some(2));
        assert_eq!(table.take(&0).map(|r| r.mark), Some(5));
        assert_eq!((marks(&table), table.len()), (vec![1], 1));
        assert_eq!(table.oldest().map(|r| r.mark), Some(1));
    }

    #[test]
    fn a_full_table_hands_back_its_oldest() {
        let mut table: Pending<u16, u64> = Pending::new(2, 8);
        table.insert(1, 1, b"");
        table.insert(2, 2, b"");
        assert_eq!(table.insert(3, 3, b"").map(|r| r.mark), Some(1));
        assert_eq!(table.evicted(), 1);
        assert_eq!(table.pop().map(|r| r.mark), Some(2));
        assert_eq!(table.pop().map(|r| r.mark), Some(3));
        assert!(table.pop().is_none() && table.is_empty());
    }
}

//! Patterns of LIKE.

use std::sync::Arc;

/// Texts in this order, with anything between them; `_` in them stands for one
/// character.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern {
    first: Arc<str>,
    middle: Vec<Arc<str>>,
    /// `None` where the pattern has no `%`: it is one text.
    last: Option<Arc<str>>,
}

impl Pattern {
    /// Reads a pattern; `None` for one with an escape, which DataFusion reads.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.contains('\\') {
            return None;
        }
        let mut parts = text.split('%');
        let first = parts.next()?.into();
        let mut middle: Vec<Arc<str>> = parts.map(Into::into).collect();
        let last = middle.pop();
        middle.retain(|part| !part.is_empty());
        Some(Self {
            first,
            middle,
            last,
        })
    }

    /// Is the whole text of this pattern?
    pub(crate) fn fits(&self, text: &str) -> bool {
        let Some(mut rest) = after(&self.first, text) else {
            return false;
        };
        let Some(last) = &self.last else {
            return rest.is_empty();
        };
        for part in &self.middle {
            // the leftmost place leaves most to the parts that follow
            match rest
                .char_indices()
                .find_map(|(at, _)| after(part, rest.get(at..)?))
            {
                Some(left) => rest = left,
                None => return false,
            }
        }
        ends(last, rest)
    }
}

/// What follows a part at the start of a text.
fn after<'t>(part: &str, text: &'t str) -> Option<&'t str> {
    // the names of objects hold `_` for itself
    if let Some(rest) = text.strip_prefix(part) {
        return Some(rest);
    }
    if !part.contains('_') {
        return None;
    }
    let mut rest = text.chars();
    let fits = part
        .chars()
        .all(|p| rest.next().is_some_and(|c| p == '_' || p == c));
    if fits { Some(rest.as_str()) } else { None }
}

fn ends(part: &str, text: &str) -> bool {
    let mut rest = text.chars().rev();
    text.ends_with(part)
        || part
            .chars()
            .rev()
            .all(|p| rest.next().is_some_and(|c| p == '_' || p == c))
}

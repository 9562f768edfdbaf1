//! Texts of Sigma: `*` is any text, `?` one character, `\` takes a wildcard for itself.

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// This character.
    Char(char),
    /// Any text.
    Any,
    /// One character.
    One,
}

/// A text with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

impl Pattern {
    /// Reads a value of a Sigma rule. `\*`, `\?` and `\\` are the characters themselves;
    /// any other backslash is one.
    pub fn read(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            pieces.push(match c {
                '*' => Piece::Any,
                '?' => Piece::One,
                '\\' => match chars.next_if(|n| matches!(n, '*' | '?' | '\\')) {
                    Some(escaped) => Piece::Char(escaped),
                    None => Piece::Char('\\'),
                },
                c => Piece::Char(c),
            });
        }
        pieces.dedup_by(|a, b| *a == Piece::Any && *b == Piece::Any);
        Self(pieces)
    }

    /// Something may stand before (`contains`, `endswith`).
    pub fn anything_before(mut self) -> Self {
        if self.0.first() != Some(&Piece::Any) {
            self.0.insert(0, Piece::Any);
        }
        self
    }

    /// Something may follow (`contains`, `startswith`).
    pub fn anything_after(mut self) -> Self {
        if self.0.last() != Some(&Piece::Any) {
            self.0.push(Piece::Any);
        }
        self
    }

    /// The text, if it has no wildcard.
    pub fn literal(&self) -> Option<String> {
        self.0
            .iter()
            .map(|p| match p {
                Piece::Char(c) => Some(*c),
                Piece::Any | Piece::One => None,
            })
            .collect()
    }

    /// Is it only `*`, that is: any value?
    pub fn is_anything(&self) -> bool {
        self.0.as_slice() == [Piece::Any]
    }

    /// As a pattern of LIKE, whose escape is `\`.
    pub fn like(&self) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Any => out.push('%'),
                Piece::One => out.push('_'),
                Piece::Char(c) => {
                    if matches!(c, '%' | '_' | '\\') {
                        out.push('\\');
                    }
                    out.push(*c);
                }
            }
        }
        out
    }

    /// A text that fits, with `filler` in the place of `*`.
    pub fn example(&self, filler: &str) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Any => out.push_str(filler),
                Piece::One => out.push('x'),
                Piece::Char(c) => out.push(*c),
            }
        }
        out
    }

    /// Does the whole text fit?
    pub fn fits(&self, text: &str, cased: bool) -> bool {
        let fold = |text: &str| -> Vec<char> {
            if cased {
                text.chars().collect()
            } else {
                text.chars().flat_map(char::to_lowercase).collect()
            }
        };
        let text = fold(text);
        let pieces: Vec<Piece> = self
            .0
            .iter()
            .flat_map(|p| match p {
                Piece::Char(c) => fold(c.encode_utf8(&mut [0; 4]))
                    .into_iter()
                    .map(Piece::Char)
                    .collect(),
                other => vec![other.clone()],
            })
            .collect();
        let (mut at, mut piece) = (0, 0);
        // where to go on when what follows the last `*` does not fit
        let mut back: Option<(usize, usize)> = None;
        while let Some(c) = text.get(at) {
            match pieces.get(piece) {
                Some(Piece::Any) => {
                    back = Some((at, piece + 1));
                    piece += 1;
                }
                Some(Piece::One) => {
                    at += 1;
                    piece += 1;
                }
                Some(Piece::Char(p)) if p == c => {
                    at += 1;
                    piece += 1;
                }
                _ => match back {
                    Some((from, after)) => {
                        at = from + 1;
                        piece = after;
                        back = Some((at, after));
                    }
                    None => return false,
                },
            }
        }
        pieces.iter().skip(piece).all(|p| *p == Piece::Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(
            Pattern::read(r"a\*b\?c\\d\e").literal().as_deref(),
            Some(r"a*b?c\d\e")
        );
        assert_eq!(Pattern::read("a*b").literal(), None);
        assert_eq!(Pattern::read(r"50%_*\*").like(), r"50\%\_%*");
        assert_eq!(Pattern::read(r"c:\x*").like(), r"c:\\x%");
        assert!(Pattern::read("**").is_anything());
        let around = Pattern::read("*a").anything_before().anything_after();
        assert_eq!(around.like(), "%a%");
    }

    #[test]
    fn fits() {
        for (pattern, text, fits) in [
            ("a*c", "abbc", true),
            ("a*c", "ABBC", true),
            ("a*c", "abbd", false),
            ("*abc*", "xxababcx", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("", "", true),
            ("*", "", true),
            ("", "x", false),
            ("a*b*c", "aXbYbZc", true),
            ("grün*", "GRÜNER", true),
        ] {
            assert_eq!(
                Pattern::read(pattern).fits(text, false),
                fits,
                "{pattern} {text}"
            );
        }
        assert!(!Pattern::read("a").fits("A", true));
    }
}

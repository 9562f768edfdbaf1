//! How a tag names its point: as the rows' objects do.

/// Where a tag's point is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `holding_register:100`
    Numbered { kind: String, first: u64 },
    /// `DB10.DBW4`
    Bytes(Bytes),
    /// Any other object, by its text.
    Named(String),
}

/// An S7 variable, as schemas/s7comm.yaml writes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bytes {
    /// `DB10`, `M`, `I` …
    pub(super) area: String,
    pub(super) byte: u64,
    /// Of a single bit.
    pub(super) bit: Option<u8>,
    /// Bytes of one element.
    pub(super) width: u64,
}

const AREAS: [&str; 8] = ["I", "Q", "M", "PI", "PQ", "DI", "L", "V"];

impl Place {
    pub(super) fn read(object: &str) -> Option<Self> {
        if object.is_empty() || object.chars().any(char::is_whitespace) {
            return None;
        }
        if let Some((kind, first)) = object.split_once(':') {
            let numbered = kind.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            return match first.parse() {
                Ok(first) if numbered => Some(Self::Numbered {
                    kind: kind.to_owned(),
                    first,
                }),
                _ => Some(Self::Named(object.to_owned())),
            };
        }
        match Bytes::read(object) {
            Some(bytes) => Some(Self::Bytes(bytes)),
            // timers and counters
            None => {
                let number = object.strip_prefix(['T', 'C'])?;
                number.parse::<u32>().ok()?;
                Some(Self::Named(object.to_owned()))
            }
        }
    }
}

impl Bytes {
    /// Reads `DB10.DBW4`, `DB1.DBX4.0`, `MB20..23`, `I0.0`.
    pub(super) fn read(object: &str) -> Option<Self> {
        let object = object.split_once("..").map_or(object, |(first, _)| first);
        let (area, rest) = match object.strip_prefix("DB").and_then(|o| o.split_once('.')) {
            Some((number, rest)) => {
                number.parse::<u16>().ok()?;
                (format!("DB{number}"), rest.strip_prefix("DB")?)
            }
            None => {
                let letters = object.find(|c: char| c.is_ascii_digit())?;
                let (name, _) = object.split_at_checked(letters)?;
                let area = AREAS
                    .into_iter()
                    .filter(|a| name.strip_prefix(a).is_some_and(|size| size.len() < 2))
                    .max_by_key(|a| a.len())?;
                (area.to_owned(), object.strip_prefix(area)?)
            }
        };
        let (size, place) = match rest.chars().next()? {
            size @ ('X' | 'B' | 'W' | 'D') => (size, rest.get(1..)?),
            _ => ('X', rest),
        };
        let (byte, bit) = match place.split_once('.') {
            Some((byte, bit)) => (byte, Some(bit.parse().ok().filter(|b| *b < 8)?)),
            None => (place, None),
        };
        let byte = byte.parse().ok()?;
        let width = match (size, bit) {
            ('X', Some(_)) | ('B', None) => 1,
            ('W', None) => 2,
            ('D', None) => 4,
            _ => return None,
        };
        Some(Self {
            area,
            byte,
            bit,
            width,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_as_rows_show_them() {
        let bytes = |area: &str, byte, bit, width| {
            Some(Place::Bytes(Bytes {
                area: area.to_owned(),
                byte,
                bit,
                width,
            }))
        };
        for (object, place) in [
            ("DB10.DBW4", bytes("DB10", 4, None, 2)),
            ("DB1.DBX4.7", bytes("DB1", 4, Some(7), 1)),
            ("DB3.DBD0", bytes("DB3", 0, None, 4)),
            ("MB20..23", bytes("M", 20, None, 1)),
            ("M10.3", bytes("M", 10, Some(3), 1)),
            ("PIW256", bytes("PI", 256, None, 2)),
            ("ID4", bytes("I", 4, None, 4)),
            (
                "holding_register:100",
                Some(Place::Numbered {
                    kind: "holding_register".to_owned(),
                    first: 100,
                }),
            ),
            ("pccc:N7:0", Some(Place::Named("pccc:N7:0".to_owned()))),
            (
                "tag:Tank1.Level",
                Some(Place::Named("tag:Tank1.Level".to_owned())),
            ),
            ("T5", Some(Place::Named("T5".to_owned()))),
            ("DB10", None),
            ("M10.9", None),
            ("register", None),
            ("", None),
        ] {
            assert_eq!(Place::read(object), place, "{object}");
        }
    }
}

//! Names a table's schema, so that it need not be sent with every frame.

use std::sync::LazyLock;
use telltale_schema::TableId;

/// Bytes of a fingerprint.
pub const FINGERPRINT_BYTES: usize = 16;

/// Names the schema of a table: table, and for each column its name, kind, unit and
/// whether a row may lack it. Not the names of an enumeration's numbers: those are
/// only ever added to, and an unknown number reads as unknown.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; FINGERPRINT_BYTES]);

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Fingerprints of the tables that are compiled in, in the order of [`TableId::ALL`].
static KNOWN: LazyLock<Vec<(TableId, Fingerprint)>> =
    LazyLock::new(|| TableId::ALL.iter().map(|t| (*t, compute(*t))).collect());

/// Hashes what the bytes of a table's rows depend on.
fn compute(table: TableId) -> Fingerprint {
    let mut hasher = blake3::Hasher::new_derive_key("telltale 2026 table schema fingerprint");
    let mut text = |part: &str| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    };
    text(table.as_str());
    for column in table.def().columns {
        text(column.name);
        text(&column.kind.name());
        text(if column.nullable {
            "may be missing"
        } else {
            "always there"
        });
        text(column.unit.unwrap_or(""));
    }
    let mut out = [0; FINGERPRINT_BYTES];
    hasher.finalize_xof().fill(&mut out);
    Fingerprint(out)
}

/// The fingerprint of a table's compiled-in schema.
#[must_use]
pub fn fingerprint(table: TableId) -> Fingerprint {
    KNOWN
        .iter()
        .find(|k| k.0 == table)
        .map_or_else(|| compute(table), |k| k.1)
}

/// The table that has this fingerprint here.
#[must_use]
pub fn table_of(fingerprint: Fingerprint) -> Option<TableId> {
    KNOWN.iter().find(|k| k.1 == fingerprint).map(|k| k.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_has_its_own() {
        for table in TableId::ALL {
            assert_eq!(table_of(fingerprint(*table)), Some(*table));
            assert_eq!(compute(*table), fingerprint(*table));
        }
        let mut all: Vec<_> = TableId::ALL.iter().map(|t| fingerprint(*t).0).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), TableId::ALL.len());
        assert_eq!(table_of(Fingerprint([0; FINGERPRINT_BYTES])), None);
    }
}

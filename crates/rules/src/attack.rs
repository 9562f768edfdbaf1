//! MITRE ATT&CK for ICS: the techniques a rule may name (see `data/NOTICE`).

use std::sync::OnceLock;

const CSV: &str = include_str!("../data/attack-ics-18.1.csv");

/// One technique.
#[derive(Debug, Clone)]
pub struct Technique {
    /// Its id, such as `T0858`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Names of its tactics.
    pub tactics: Vec<String>,
    /// Has ATT&CK an analytic on network traffic for it?
    pub network: bool,
}

/// All techniques, by id.
pub fn techniques() -> &'static [Technique] {
    static ALL: OnceLock<Vec<Technique>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut reader = csv::Reader::from_reader(CSV.as_bytes());
        let mut all: Vec<Technique> = reader
            .records()
            .filter_map(Result::ok)
            .map(|r| Technique {
                id: r.get(0).unwrap_or_default().to_owned(),
                name: r.get(1).unwrap_or_default().to_owned(),
                tactics: r
                    .get(2)
                    .unwrap_or_default()
                    .split(';')
                    .map(|t| {
                        t.trim()
                            .split_once(' ')
                            .map_or(t, |(_, name)| name)
                            .to_owned()
                    })
                    .collect(),
                network: r.get(3) == Some("yes"),
            })
            .collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    })
}

/// The technique of this id.
#[must_use]
pub fn technique(id: &str) -> Option<&'static Technique> {
    let all = techniques();
    all.binary_search_by(|t| t.id.as_str().cmp(id))
        .ok()
        .and_then(|at| all.get(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole() {
        assert_eq!(techniques().len(), 83);
        assert_eq!(
            technique("T0858").map(|t| t.name.as_str()),
            Some("Change Operating Mode")
        );
        assert!(technique("T9999").is_none());
        assert!(techniques().iter().filter(|t| t.network).count() >= 44);
    }
}

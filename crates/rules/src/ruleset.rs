use crate::diagnostic::Diagnostic;
use crate::rule::Rule;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rules in the order of their ids.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// The rules.
    pub rules: Vec<Rule>,
}

impl RuleSet {
    /// From named texts. A bad file is refused alone.
    pub fn from_texts<'t>(
        texts: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) -> (Self, Vec<Diagnostic>) {
        let mut found = Vec::new();
        let mut by_id: BTreeMap<String, Rule> = BTreeMap::new();
        let mut by_name: BTreeMap<String, String> = BTreeMap::new();
        for (name, text) in texts {
            let (rule, mut diagnostics) = Rule::parse(name, text);
            found.append(&mut diagnostics);
            let Some(rule) = rule else { continue };
            match by_id.get(&rule.id) {
                Some(other) => found.push(
                    Diagnostic::error(
                        "TT-RULE-011",
                        name,
                        (0, 0),
                        format!("id {} is taken by {}", rule.id, other.file),
                    )
                    .help("make a new id with `telltale rule new`"),
                ),
                None => {
                    let folded = rule.name.to_lowercase();
                    if let Some(other) = by_name.insert(folded, rule.file.clone()) {
                        found.push(
                            Diagnostic::warning(
                                "TT-RULE-012",
                                name,
                                rule.name_at,
                                format!("{other} has the same name"),
                            )
                            .help("people tell alerts apart by the rule's name"),
                        );
                    }
                    by_id.insert(rule.id.clone(), rule);
                }
            }
        }
        (
            Self {
                rules: by_id.into_values().collect(),
            },
            found,
        )
    }

    /// From files, and folders of `.yaml` files.
    ///
    /// # Errors
    /// When a path cannot be read.
    pub fn load(paths: &[PathBuf]) -> std::io::Result<(Self, Vec<Diagnostic>)> {
        let mut files = Vec::new();
        for path in paths {
            collect(path, &mut files, 0)
                .map_err(|e| std::io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
        }
        let mut texts = Vec::new();
        let mut unreadable = Vec::new();
        for file in files {
            let name = file.display().to_string();
            match std::fs::read_to_string(&file) {
                Ok(text) => texts.push((name, text)),
                Err(error) => unreadable.push(
                    Diagnostic::error("TT-RULE-013", &name, (0, 0), error.to_string())
                        .help("a rule file is readable UTF-8 text"),
                ),
            }
        }
        let (set, found) = Self::from_texts(texts.iter().map(|(n, t)| (n.as_str(), t.as_str())));
        unreadable.extend(found);
        Ok((set, unreadable))
    }

    /// Content hash over all that is in the files, wherever they lie.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for rule in &self.rules {
            hasher.update(rule.content.as_bytes());
        }
        hasher
            .finalize()
            .to_hex()
            .as_str()
            .get(..16)
            .unwrap_or_default()
            .to_owned()
    }
}

fn collect(path: &Path, into: &mut Vec<PathBuf>, depth: usize) -> std::io::Result<()> {
    if !path.is_dir() {
        std::fs::metadata(path)?;
        into.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() && depth < 8 {
            collect(&entry, into, depth + 1)?;
        } else if entry.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            into.push(entry);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rules_load() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
        let (set, found) = RuleSet::load(&[dir]).unwrap();
        let text: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{}", text.join("\n"));
        assert!(set.rules.len() >= 20);
        // the place of the SQL is right, to the column
        for rule in &set.rules {
            let file = std::fs::read_to_string(&rule.file).unwrap();
            let (line, column) = rule.in_file(1, 1);
            let mut places = vec![(rule.sql.as_str(), line, column)];
            if let Some(sequence) = &rule.sequence {
                let steps = sequence.steps.iter();
                places = steps
                    .map(|s| (s.condition.as_str(), s.place.0, s.place.1 + 1))
                    .collect();
            }
            for (sql, line, column) in places {
                let at = file
                    .lines()
                    .nth(line as usize - 1)
                    .unwrap()
                    .get(column as usize - 1..)
                    .unwrap();
                assert!(sql.starts_with(at.trim_end()), "{}: {at}", rule.file);
            }
        }
    }

    #[test]
    fn a_bad_file_is_refused_alone_and_named() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/events/plc-stop.yaml");
        let good = std::fs::read_to_string(dir).unwrap();
        let bad = good
            .replace("[T0858]", "[T9999]")
            .replace("89e63681", "99e63681");
        let (set, found) = RuleSet::from_texts([
            ("good.yaml", good.as_str()),
            ("bad.yaml", bad.as_str()),
            ("worse.yaml", "id: 1\nnam: x\n"),
        ]);
        assert_eq!(set.rules.len(), 1);
        let codes: Vec<_> = found.iter().map(|d| (d.file.as_str(), d.code)).collect();
        assert_eq!(
            codes,
            [("bad.yaml", "TT-RULE-004"), ("worse.yaml", "TT-RULE-001")]
        );
        assert!(found.iter().all(|d| d.line > 0));
    }
}

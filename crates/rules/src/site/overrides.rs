//! `rules.yaml`: a site's words on rules.

use super::Mode;
use crate::diagnostic::Diagnostic;
use crate::rule::Severity;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// A site's word on a rule, with the places of what lint may speak of.
#[derive(Debug, Clone, Default)]
pub struct Override {
    /// Severity instead of the rule's.
    pub severity: Option<Severity>,
    /// How it runs.
    pub mode: Mode,
    /// Parameters instead of the rule's defaults.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Line and column of the rule's id.
    pub place: (u32, u32),
    /// Line and column of each parameter's name.
    pub parameter_places: BTreeMap<String, (u32, u32)>,
}

/// A site's word on a rule. Never its SQL.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Override"))]
#[serde(deny_unknown_fields)]
pub(crate) struct Word {
    /// Severity instead of the rule's.
    #[serde(default)]
    severity: Option<Severity>,
    /// How it runs.
    #[serde(default)]
    mode: Mode,
    /// Parameters instead of the rule's defaults.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, serde_json::Value>"))]
    parameters: Keyed<serde_json::Value>,
}

/// A mapping that knows where its keys stand.
#[derive(Debug)]
struct Keyed<V>(Vec<(Spanned<String>, V)>);

impl<V> Default for Keyed<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Keyed<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Keyed<V>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keyed<V>, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Keyed(all))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

pub(crate) fn place<T>(spanned: &Spanned<T>) -> (u32, u32) {
    let narrow = |n: u64| u32::try_from(n).unwrap_or(0);
    let at = spanned.referenced;
    (narrow(at.line()), narrow(at.column()))
}

/// Parses the file.
pub(super) fn parse(name: &str, text: &str) -> Result<BTreeMap<String, Override>, Diagnostic> {
    let layer: Option<Keyed<Word>> = super::yaml(name, text, "TT-SITE-004")?;
    let words = layer.unwrap_or_default().0.into_iter();
    Ok(words
        .map(|(id, word)| {
            let parameters = word.parameters.0;
            let parameter_places = parameters
                .iter()
                .map(|(name, _)| (name.value.clone(), place(name)))
                .collect();
            let word = Override {
                severity: word.severity,
                mode: word.mode,
                parameters: parameters
                    .into_iter()
                    .map(|(name, value)| (name.value, value))
                    .collect(),
                place: place(&id),
                parameter_places,
            };
            (id.value.to_lowercase(), word)
        })
        .collect())
}

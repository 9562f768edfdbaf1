//! YAML of any form, with the place of each part.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A part of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Line and column, from 1.
    pub at: (u32, u32),
    /// What it is.
    pub value: Val,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Val {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Whole(i128),
    /// Any other number.
    Number(f64),
    /// Text.
    Text(String),
    /// Several.
    List(Vec<Node>),
    /// Keys with their places, and values.
    Map(Vec<(Node, Node)>),
}

impl Node {
    fn of(value: Spanned<Val>) -> Self {
        Self {
            at: crate::site::place(&value),
            value: value.value,
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|(k, _)| k.text() == Some(key))
            .map(|(_, v)| v)
    }

    /// Keys and values, if it has some.
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.value {
            Val::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Its elements; what is no list is one.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Val::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// Its text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Val::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A scalar as text; `None` for what is none.
    pub fn scalar(&self) -> Option<String> {
        Some(match &self.value {
            Val::Bool(b) => b.to_string(),
            Val::Whole(n) => n.to_string(),
            Val::Number(n) => n.to_string(),
            Val::Text(t) => t.clone(),
            Val::Null | Val::List(_) | Val::Map(_) => return None,
        })
    }

    /// Text of a key, empty where there is none.
    pub fn words(&self, key: &str) -> String {
        self.get(key)
            .and_then(Node::scalar)
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    /// Texts of a key that holds one or several.
    pub fn all_words(&self, key: &str) -> Vec<String> {
        self.get(key)
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Node::scalar)
            .collect()
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Val;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E>(self) -> Result<Val, E> {
        Ok(Val::Null)
    }

    fn visit_none<E>(self) -> Result<Val, E> {
        Ok(Val::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Val, D::Error> {
        Val::deserialize(d)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Val, E> {
        Ok(Val::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Val, E> {
        Ok(Val::Whole(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Val, E> {
        Ok(Val::Whole(v.into()))
    }

    fn visit_i128<E>(self, v: i128) -> Result<Val, E> {
        Ok(Val::Whole(v))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Val, E> {
        Ok(Val::Number(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Val, E> {
        Ok(Val::Text(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Val, E> {
        Ok(Val::Text(v))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Val, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Spanned<Val>>()? {
            items.push(Node::of(item));
        }
        Ok(Val::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Val, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<Spanned<String>, Spanned<Val>>()? {
            let key = Node {
                at: crate::site::place(&key),
                value: Val::Text(key.value),
            };
            entries.push((key, Node::of(value)));
        }
        Ok(Val::Map(entries))
    }
}

impl<'de> Deserialize<'de> for Val {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Any)
    }
}

/// The documents of a file.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, serde_saphyr::Error> {
    Ok(serde_saphyr::from_multiple::<Spanned<Val>>(text)?
        .into_iter()
        .map(Node::of)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_place() {
        let text = "a: 1\n---\nb:\n  - x\n  - k: ~\n    0x10: \"0x10\"\n";
        let all = documents(text).unwrap();
        assert_eq!(all.len(), 2);
        let b = all[1].get("b").unwrap();
        let [x, map] = b.items() else { panic!("{b:?}") };
        assert_eq!((x.at, x.text()), ((4, 5), Some("x")));
        assert_eq!(map.get("k").unwrap().value, Val::Null);
        let (key, value) = &map.entries()[1];
        assert_eq!((key.text(), key.at), (Some("0x10"), (6, 5)));
        assert_eq!(value.text(), Some("0x10"));
    }
}

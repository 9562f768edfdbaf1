//! Sigma rules as Telltale's rule files.
//!
//! Sigma 2: rules with a detection become conditions of one row, correlations become
//! windows and sequences. What columns cannot say is refused, with its place and the
//! reason; nothing is left out silently. docs/sigma.md says what maps to what.
//!
//! The parser is our own. `rsigma-parser` (MIT, well kept) would have been the crate to
//! take: its tree has no places, so that a refusal could not name its line; it brings a
//! second YAML parser (libyaml), pest, and stack switching in assembly; and its newest
//! releases ask for a newer compiler than this workspace has. `sigma-rust` (MIT or
//! Apache-2.0) evaluates events, has neither places nor correlations, and brings a
//! second YAML parser too. What is spared would have been a grammar of one page.

mod atom;
mod cond;
mod condition;
mod correlation;
mod detection;
mod head;
mod mapping;
mod node;
mod pattern;
mod plain;
mod refusal;
mod sample;
mod sequence;
mod values;
mod window;
mod write;

pub use mapping::Mapping;
pub use refusal::Refusal;

use crate::rule::Rule;
use correlation::Part;
use head::Head;
use node::Node;
use plain::Compiled;
use refusal::{Refusals, Why};
use std::collections::{BTreeMap, BTreeSet};

/// A rule file that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// A name for the file, unique in one import.
    pub file_name: String,
    /// Its text.
    pub text: String,
}

/// What became of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Rule files; one, or one for each order of a temporal correlation.
    Rules(Vec<Made>),
    /// It is only part of these correlations, and fires by itself no more
    /// (`generate` of theirs is not true).
    Part(Vec<String>),
    /// Why it cannot be imported.
    Refused(Vec<Refusal>),
}

/// A document of Sigma and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The file.
    pub file: String,
    /// Line on which the document begins.
    pub line: u32,
    /// Its title.
    pub title: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What was left out or made up, for people.
    pub notes: Vec<String>,
}

/// Imports the documents of one file.
#[must_use]
pub fn import(file_name: &str, yaml_text: &str, mapping: &Mapping) -> Vec<Imported> {
    import_all(&[(file_name, yaml_text)], mapping)
}

/// A document on its way.
struct Document<'f> {
    node: Node,
    head: Head,
    refusals: Refusals<'f>,
    file: &'f str,
    compiled: Option<Compiled>,
}

impl Document<'_> {
    fn is_correlation(&self) -> bool {
        self.node.get("correlation").is_some()
    }
}

/// Refuses what is neither a rule nor a correlation.
fn kind(node: &Node, refusals: &mut Refusals<'_>) {
    let what = ["action", "filter", "correlation", "detection"]
        .into_iter()
        .find_map(|key| node.get(key).map(|n| (key, n.at)));
    match what {
        Some(("action", at)) => refusals.add(
            Why::Kind,
            at,
            "action",
            "collections of old Sigma (global, repeat) were removed; write each rule out",
        ),
        Some(("filter", at)) => refusals.add(
            Why::Kind,
            at,
            "filter",
            "a filter of Sigma is an exception of the site: write it in its exceptions.yaml",
        ),
        Some(_) => {}
        None => refusals.add(
            Why::Form,
            node.at,
            "detection",
            "neither a rule (`detection`) nor a correlation (`correlation`)",
        ),
    }
}

/// Imports the documents of several files; correlations may name rules of any of them.
#[must_use]
pub fn import_all(files: &[(&str, &str)], mapping: &Mapping) -> Vec<Imported> {
    let mut documents: Vec<Document<'_>> = Vec::new();
    let mut out: Vec<(usize, Imported)> = Vec::new();
    for (file, text) in files {
        match node::documents(text) {
            Ok(nodes) if !nodes.is_empty() => {
                for node in nodes {
                    let mut refusals = Refusals::of(file);
                    kind(&node, &mut refusals);
                    let head = Head::read(file, &node, &mut refusals);
                    documents.push(Document {
                        node,
                        head,
                        refusals,
                        file,
                        compiled: None,
                    });
                }
            }
            unread => {
                let mut refusals = Refusals::of(file);
                match unread {
                    Err(error) => {
                        let d = crate::site::yaml_error(file, &error, "TT-SIG-001", |_| None);
                        refusals.add(Why::Form, (d.line, d.column), "YAML", d.message);
                    }
                    Ok(_) => refusals.add(Why::Form, (1, 1), "YAML", "no document"),
                }
                out.push((
                    documents.len(),
                    Imported {
                        file: (*file).to_owned(),
                        line: 1,
                        title: String::new(),
                        outcome: Outcome::Refused(refusals.found),
                        notes: Vec::new(),
                    },
                ));
            }
        }
    }
    for document in &mut documents {
        if document.refusals.found.is_empty() && !document.is_correlation() {
            document.compiled = plain::compile(&document.node, mapping, &mut document.refusals);
        }
    }
    let known = names(&documents);
    let mut parts: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut made: Vec<Vec<(String, String)>> = Vec::new();
    let mut refused: Vec<Vec<Refusal>> = Vec::new();
    for document in &documents {
        let mut refusals = Refusals::of(document.file);
        let mut texts = Vec::new();
        if let Some(compiled) = &document.compiled {
            texts.push((String::new(), plain::rule(&document.head, compiled)));
        } else if document.is_correlation() && document.refusals.found.is_empty() {
            texts = correlate(document, &documents, &known, &mut parts, &mut refusals);
        }
        let texts = checked(texts, document, &mut refusals);
        made.push(texts);
        refused.push(refusals.found);
    }
    let mut taken = BTreeSet::new();
    let finished = documents.into_iter().zip(made).zip(refused).enumerate();
    for (at, ((document, texts), more)) in finished {
        let mut found = document.refusals.found;
        found.extend(more);
        let outcome = if !found.is_empty() {
            Outcome::Refused(found)
        } else if let Some(of) = parts.remove(&at) {
            Outcome::Part(of)
        } else {
            Outcome::Rules(named(&document.head, texts, &mut taken))
        };
        let notes = match &outcome {
            Outcome::Rules(_) => document.head.notes,
            Outcome::Part(_) | Outcome::Refused(_) => Vec::new(),
        };
        out.push((
            at,
            Imported {
                file: document.file.to_owned(),
                line: document.head.at.0,
                title: document.head.title,
                outcome,
                notes,
            },
        ));
    }
    // a file that could not be read stands where its documents would
    out.sort_by_key(|(at, imported)| (*at, !imported.title.is_empty()));
    out.into_iter().map(|(_, imported)| imported).collect()
}

/// Documents by name and id.
fn names(documents: &[Document<'_>]) -> BTreeMap<String, Vec<usize>> {
    let mut known: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, document) in documents.iter().enumerate() {
        let names = BTreeSet::from([&document.head.name, &document.head.given_id]);
        for name in names.into_iter().filter(|n| !n.is_empty()) {
            known.entry(name.clone()).or_default().push(at);
        }
    }
    known
}

/// The rule files of a correlation.
fn correlate(
    document: &Document<'_>,
    documents: &[Document<'_>],
    known: &BTreeMap<String, Vec<usize>>,
    parts: &mut BTreeMap<usize, Vec<String>>,
    refusals: &mut Refusals<'_>,
) -> Vec<(String, String)> {
    let mut of = Vec::new();
    for (called, at) in correlation::references(&document.node) {
        let found = match known.get(&called).map(Vec::as_slice) {
            None => Err("no rule of the given files has this name or id".to_owned()),
            Some([one]) => documents
                .get(*one)
                .map_or(Err(String::new()), |d| Ok((*one, d))),
            Some(more) => Err(format!(
                "{} rules of the given files have this name or id",
                more.len()
            )),
        };
        match found {
            Err(why) => refusals.add(Why::Reference, at, &called, why),
            Ok((_, rule)) if rule.is_correlation() => refusals.add(
                Why::Language,
                at,
                &called,
                "a correlation of correlations: a window and a sequence see rows, not findings",
            ),
            Ok((index, rule)) => {
                if !correlation::generates(&document.node) {
                    let of = parts.entry(index).or_default();
                    if !of.contains(&document.head.title) {
                        of.push(document.head.title.clone());
                    }
                }
                match &rule.compiled {
                    Some(compiled) => of.push(Part {
                        called,
                        head: &rule.head,
                        compiled,
                    }),
                    None => {
                        let why = rule
                            .refusals
                            .found
                            .first()
                            .map_or(String::new(), ToString::to_string);
                        let reason = format!("that rule is refused ({why})");
                        refusals.add(Why::Reference, at, &called, reason);
                    }
                }
            }
        }
    }
    if !refusals.found.is_empty() {
        return Vec::new();
    }
    correlation::read(&document.node, of, refusals)
        .map(|c| correlation::rules(&document.head, &c, refusals))
        .unwrap_or_default()
}

/// Refuses made files that would not load.
fn checked(
    texts: Vec<(String, String)>,
    document: &Document<'_>,
    refusals: &mut Refusals<'_>,
) -> Vec<(String, String)> {
    for (_, text) in &texts {
        let (rule, found) = Rule::parse("made", text);
        if rule.is_none() {
            for diagnostic in found {
                refusals.add(Why::Made, document.head.at, "rule", diagnostic.to_string());
            }
        }
    }
    texts
}

/// Names for the files.
fn named(head: &Head, texts: Vec<(String, String)>, taken: &mut BTreeSet<String>) -> Vec<Made> {
    texts
        .into_iter()
        .map(|(suffix, text)| {
            let mut base = head::slug(&head.title, '-');
            if base.is_empty() {
                base.clone_from(&head.id);
            }
            base.push_str(&suffix);
            let mut name = base.clone();
            let mut n = 2;
            while !taken.insert(name.clone()) {
                name = format!("{base}-{n}");
                n += 1;
            }
            Made {
                file_name: format!("{name}.yaml"),
                text,
            }
        })
        .collect()
}

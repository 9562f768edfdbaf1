//! JSON Schemas for editors, made from the types that read the files. They lie in
//! `schemas/json`; `TELLTALE_UPDATE_DOCS=1 cargo test -p telltale-rules` writes them.

use crate::rule::File;
use crate::site::calendar::Window;
use crate::site::{SiteToml, Word, exceptions::Entry};
use std::collections::BTreeMap;
use std::path::Path;

fn all() -> Vec<(&'static str, schemars::Schema)> {
    vec![
        ("rule", schemars::schema_for!(File)),
        ("site", schemars::schema_for!(SiteToml)),
        ("site-calendar", schemars::schema_for!(Vec<Window>)),
        ("site-exceptions", schemars::schema_for!(Vec<Entry>)),
        ("site-rules", schemars::schema_for!(BTreeMap<String, Word>)),
    ]
}

#[test]
fn schemas_for_editors_are_up_to_date() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/json");
    let update = std::env::var_os("TELLTALE_UPDATE_DOCS").is_some();
    if update {
        std::fs::create_dir_all(&dir).unwrap();
    }
    for (name, schema) in all() {
        let path = dir.join(format!("{name}.schema.json"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if update {
            std::fs::write(&path, &text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == text,
            "{} is out of date: TELLTALE_UPDATE_DOCS=1 cargo test -p telltale-rules",
            path.display()
        );
    }
}

//! The definitions as Markdown, text, JSON and JSON Schema, all from the same files.

mod json;
mod json_schema;
mod markdown;
mod terminal;

pub use json::{all_json, enums_json, json};
pub use json_schema::json_schema;
pub use markdown::{enums_markdown, index_markdown, markdown};
pub use terminal::{overview_text, text};

use crate::defs::{CodeMatch, DecisionRow};

/// Every page of `docs/schema`: file name and content.
#[must_use]
pub fn pages() -> Vec<(String, String)> {
    let mut pages = vec![
        ("README.md".to_owned(), index_markdown()),
        ("enumerations.md".to_owned(), enums_markdown()),
    ];
    for table in crate::tables::TableId::ALL {
        pages.push((format!("{table}.md"), markdown(*table)));
    }
    pages
}

/// Codes as the schema files write them; numbers from 10 also in hexadecimal.
fn codes_text(codes: CodeMatch) -> String {
    match codes {
        CodeMatch::Any => "any".to_owned(),
        CodeMatch::Absent => "none".to_owned(),
        CodeMatch::Ranges(ranges) => {
            let parts: Vec<String> = ranges
                .iter()
                .map(|(a, b)| match (a == b, *a < 10) {
                    (true, true) => format!("{a}"),
                    (true, false) => format!("{a} (0x{a:02x})"),
                    (false, _) if *b < 10 => format!("{a}–{b}"),
                    (false, _) => format!("{a}–{b} (0x{a:02x}–0x{b:02x})"),
                })
                .collect();
            parts.join(", ")
        }
    }
}

fn classes_text(row: &DecisionRow) -> String {
    row.classes
        .map_or_else(|| "any".to_owned(), |list| list.join(", "))
}

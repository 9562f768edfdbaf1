//! The committed pages equal the generated ones.

use std::path::Path;
use telltale_schema::{TableId, docs};

#[test]
fn committed_pages_equal_the_schema_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema");
    let update = std::env::var_os("TELLTALE_UPDATE_DOCS").is_some();
    if update {
        std::fs::create_dir_all(&folder).expect("docs/schema");
    }
    for (name, content) in docs::pages() {
        let path = folder.join(&name);
        if update {
            std::fs::write(&path, &content).expect("write page");
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == content,
            "docs/schema/{name} is out of date: TELLTALE_UPDATE_DOCS=1 cargo test -p telltale-schema --test docs"
        );
    }
}

#[test]
fn text_fits_the_terminal() {
    for table in TableId::ALL {
        let text = docs::text(*table, 100);
        assert!(text.starts_with(table.as_str()));
        for c in table.def().own_columns() {
            assert!(text.contains(c.name), "{table}.{}", c.name);
        }
        // grammars are shown as they are written; everything else is wrapped
        let (_, after) = text.split_once("\nColumns").expect("columns");
        for line in after.lines() {
            assert!(
                line.chars().count() <= 100 || !line.trim().contains(' '),
                "{line}"
            );
        }
    }
    assert!(docs::overview_text(80).contains("client_ip"));
}

#[test]
fn json_has_every_table_column_and_decision() {
    let all = docs::all_json();
    let tables = all["tables"].as_array().expect("tables");
    assert_eq!(tables.len(), TableId::ALL.len());
    for (json, table) in tables.iter().zip(TableId::ALL) {
        assert_eq!(json["table"], table.as_str());
        assert_eq!(
            json["columns"].as_array().map(Vec::len),
            Some(table.def().columns.len())
        );
        assert_eq!(
            json["decisions"].as_array().map(Vec::len),
            Some(table.def().decisions.len())
        );
    }
    assert!(
        all["enums"]["operation"]["values"]
            .as_array()
            .is_some_and(|v| v.len() == 24)
    );
    assert!(
        all["events"]["columns"]
            .as_array()
            .is_some_and(|v| v.len() > 40)
    );
}

#[test]
fn json_schema_knows_columns_and_names() {
    let schema = docs::json_schema(TableId::Modbus);
    let operation = &schema["properties"]["operation"]["enum"];
    assert!(
        operation
            .as_array()
            .is_some_and(|v| v.iter().any(|n| n == "program_download"))
    );
    assert_eq!(schema["additionalProperties"], false);
    let functions = schema["properties"]["function"]["enum"]
        .as_array()
        .expect("functions");
    assert!(functions.iter().any(|n| n == "write_single_coil"));
    assert!(
        !functions.iter().any(|n| n == "plc_stop"),
        "of another table"
    );
}

//! `telltale schema`

use crate::Exit;
use crate::cli::SchemaArgs;
use crate::output::print;
use anyhow::{Result, anyhow};
use telltale_schema::{TableId, docs, nearest};

fn table(name: &str) -> Result<TableId> {
    TableId::from_name(name).ok_or_else(|| {
        let near = nearest(name, TableId::ALL.iter().map(|t| t.name()))
            .map_or(String::new(), |n| format!("; did you mean `{n}`?"));
        anyhow!("no table `{name}`{near}")
    })
}

/// Prints a table, or all of them.
pub fn run(args: &SchemaArgs) -> Result<Exit> {
    let text = match args.table.as_deref() {
        None if args.json => serde_json::to_string_pretty(&docs::all_json())?,
        None if args.json_schema => {
            let all: serde_json::Map<_, _> = TableId::ALL
                .iter()
                .map(|t| (t.name().to_owned(), docs::json_schema(*t)))
                .collect();
            serde_json::to_string_pretty(&all)?
        }
        None if args.markdown => docs::pages()
            .into_iter()
            .map(|(_, text)| text)
            .collect::<Vec<_>>()
            .join("\n"),
        None => docs::overview_text(100),
        Some(name) => {
            let id = table(name)?;
            match (args.json, args.json_schema, args.markdown) {
                (true, _, _) => serde_json::to_string_pretty(&docs::json(id))?,
                (_, true, _) => serde_json::to_string_pretty(&docs::json_schema(id))?,
                (_, _, true) => docs::markdown(id),
                _ => docs::text(id, 100),
            }
        }
    };
    print(&text)?;
    Ok(Exit::Ok)
}

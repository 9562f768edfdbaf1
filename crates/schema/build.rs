//! Turns `/schemas/*.yaml` into Rust: the tables' definitions, row structs,
//! builders and decision functions. Whatever is wrong in a file is an error
//! that names the file and the line.

#[path = "build/check.rs"]
mod check;
#[path = "build/decide.rs"]
mod decide;
#[path = "build/generate.rs"]
mod generate;
#[path = "build/model.rs"]
mod model;
#[path = "build/names.rs"]
mod names;
#[path = "build/rows.rs"]
mod rows;

use std::path::{Path, PathBuf};

/// Tables in the order of `TableId`; each is `schemas/<name>.yaml`.
const TABLES: [&str; 7] = [
    "modbus",
    "dnp3",
    "s7comm",
    "cip",
    "flow",
    "arp",
    "packet_error",
];

fn main() -> std::process::ExitCode {
    match run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let manifest = env("CARGO_MANIFEST_DIR")?;
    let folder = Path::new(&manifest).join("../../schemas");
    println!("cargo::rerun-if-changed={}", folder.display());
    let common: model::CommonFile = model::read(&folder.join("common.yaml"))?;
    let mut tables = Vec::new();
    for name in TABLES {
        let path = folder.join(format!("{name}.yaml"));
        println!("cargo::rerun-if-changed={}", path.display());
        let table: model::TableFile = model::read(&path)?;
        tables.push(table);
    }
    check::all(&common, &tables, &TABLES)?;
    let out: PathBuf = Path::new(&env("OUT_DIR")?).join("generated.rs");
    let text = generate::all(&common, &tables);
    std::fs::write(&out, text).map_err(|e| format!("cannot write {}: {e}", out.display()))
}

fn env(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|e| format!("cargo did not set {name}: {e}"))
}

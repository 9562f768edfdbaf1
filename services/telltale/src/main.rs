//! `telltale`: one binary for one node.
#![forbid(unsafe_code)]

mod config;

fn main() -> anyhow::Result<()> {
    config::Config::load(None)?;
    Ok(())
}

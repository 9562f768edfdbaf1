//! `telltale`: one binary for one node.
#![forbid(unsafe_code)]

fn main() -> anyhow::Result<()> {
    Ok(())
}

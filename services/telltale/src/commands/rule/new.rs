//! `telltale rule new`

use crate::Exit;
use crate::cli::NewArgs;
use crate::output::print;
use anyhow::{Context as _, Result};

/// A whole rule with tests, to start from.
pub fn run(args: &NewArgs) -> Result<Exit> {
    let table = if args.table == "events" {
        "modbus"
    } else {
        args.table.as_str()
    };
    let text = format!(
        r#"id: {id}
name: {name}
description: |
  Say in a plant engineer's words what this looks for, and why it matters.
severity: medium
confidence: medium
status: experimental
scope: site
sql: |
  SELECT * FROM {from}
  WHERE operation = 'write'
    AND direction = 'request'
    AND NOT in_list('authorised_masters', client_ip, server_ip)
requires:
  lists: [authorised_masters]
entities: {{actor: client_ip, target: server_ip}}
attack: [T0855]
iec62443: [SR 2.1]
false_positives:
  - When does it fire although all is well?
response:
  - What can be done without endangering the running plant?
sentence: "{{client}} wrote to {{server}} ({{function}} {{object}})"
correlation_key: [client_ip, server_ip]
suppression: {{key: [client_ip, server_ip], for: 1h}}
tests:
  - name: what must fire
    kind: match
    table: {table}
    rows:
      - {{operation: write}}
  - name: what must not
    kind: no_match
    table: {table}
    rows:
      - {{operation: read}}
  - name: what nearly does
    kind: near_miss
    table: {table}
    context:
      lists:
        authorised_masters: [{{client: 10.0.0.1, server: 10.0.0.2}}]
    rows:
      - {{operation: write}}
"#,
        id = uuid::Uuid::new_v4(),
        name = args.name,
        from = args.table,
    );
    match &args.out {
        Some(path) => std::fs::write(path, text)
            .with_context(|| format!("cannot write {}", path.display()))?,
        None => print(&text)?,
    }
    Ok(Exit::Ok)
}

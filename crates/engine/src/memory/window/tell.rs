//! What a window says of a group.

use super::super::chunk::{Chunk, Found, Hit};
use super::super::keys::KeySet;
use super::super::pack::{cut, unpack};
use super::Window;
use crate::cells::key_of_i64;
use std::sync::Arc;
use telltale_rules::{Finding, Identity, Says};
use telltale_schema::value::{RowValues, Value};
use telltale_schema::{ColumnDef, TableId};

impl Window {
    /// Adds what was worked out to a row.
    fn describe(&self, row: &mut RowValues, group: u32, from: i64, bounds: (i64, i64)) {
        let slot = self.slot(group);
        for (at, aggregate) in self.spec.aggregates.iter().enumerate() {
            if let Some(alias) = &aggregate.alias {
                row.add(alias.clone(), self.layout.value(slot, from, at));
            }
        }
        row.add(Arc::from("window_start"), Value::Time(bounds.0));
        row.add(Arc::from("window_end"), Value::Time(bounds.1));
    }

    fn identity(&self, key: &[u8], start: i64) -> Identity {
        let mut text = String::new();
        for (def, value) in self.key_values(key) {
            text.push_str(&format!("{}={value}|", def.name));
        }
        Identity::Group(format!("{text}{start}"))
    }

    fn key_values<'k>(
        &'k self,
        mut key: &'k [u8],
    ) -> impl Iterator<Item = (&'static ColumnDef, Value)> + 'k {
        self.spec
            .keys
            .iter()
            .filter_map(|c| self.columns.get(*c))
            .map(move |def| {
                let cell = cut(&mut key).unwrap_or_default();
                (def, unpack(cell, def.kind))
            })
    }

    fn warming(&self, start: i64) -> Option<i64> {
        (start < self.since).then(|| self.since.saturating_add(self.span()))
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one finding")]
    pub(super) fn fire_row(
        &self,
        group: u32,
        from: i64,
        bounds: (i64, i64),
        hit: Hit,
        keys: &KeySet,
        chunk: &Chunk,
        out: &mut Vec<Found>,
    ) {
        let key = keys.groups.key(group);
        let Some(mut found) = chunk.finding(self.rule, hit) else {
            return;
        };
        self.describe(&mut found.finding.row, group, from, bounds);
        found.finding.identity = self.identity(key, bounds.0);
        found.finding.warming_until = self.warming(bounds.0);
        found.key = order_key(key, bounds.0);
        out.push(found);
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one finding")]
    pub(super) fn close(
        &self,
        group: u32,
        from: i64,
        bounds: (i64, i64),
        says: Says,
        keys: &KeySet,
        chunk: &Chunk,
        out: &mut Vec<Found>,
    ) {
        let key = keys.groups.key(group);
        let table = self.tables.first().copied().unwrap_or(TableId::ALL[0]);
        let mut row = RowValues::new(table);
        for (def, value) in self.key_values(key) {
            row.set(def.name, value);
        }
        row.set("event_time", Value::Time(bounds.1));
        self.describe(&mut row, group, from, bounds);
        let mut finding = Finding::of_row(self.rule, table, 0, bounds.1, row);
        finding.identity = self.identity(key, bounds.0);
        finding.says = says;
        finding.provisional = says == Says::Fired && chunk.provisional;
        finding.delayed_by = chunk.passed.map_or(0, |passed| (passed - bounds.1).max(0));
        finding.warming_until = self.warming(bounds.0);
        out.push(Found {
            order: (bounds.1, 0, 0, 0, self.rule),
            key: order_key(key, bounds.0),
            finding,
        });
    }
}

/// Groups of one rule at one time come in the order of their keys, then of their windows.
fn order_key(key: &[u8], start: i64) -> Vec<u8> {
    let mut out = key.to_vec();
    out.extend(key_of_i64(start).to_be_bytes());
    out
}

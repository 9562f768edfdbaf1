//! What a sequence says of a match.

use super::super::chunk::{Chunk, Found, Hit};
use super::super::pack::{cut, unpack};
use super::Sequence;
use super::lists::Partial;
use super::steps::Step;
use super::taken::Head;
use std::sync::Arc;
use telltale_rules::{EvidenceRow, Finding, Identity};
use telltale_schema::ColumnKind;
use telltale_schema::value::{RowValues, Value};

impl Sequence {
    fn rows(&self, partial: &Partial) -> Vec<(&Step, &Head, RowValues)> {
        let mut all = Vec::new();
        for (_, head, mut bytes) in self.taken.chain(partial.taken) {
            let Some(step) = self.steps.get(usize::from(head.step)) else {
                continue;
            };
            let mut row = RowValues::new(head.table);
            for column in &step.kept {
                let (Some(cell), Some(def)) = (cut(&mut bytes), step.columns.get(*column)) else {
                    break;
                };
                let kind = match def.kind {
                    ColumnKind::ListF64 | ColumnKind::ListU32 => ColumnKind::Text,
                    kind => kind,
                };
                row.set_at(*column, unpack(cell, kind));
            }
            all.push((step, head, row));
        }
        all.reverse();
        all
    }

    fn evidence(rows: &[(&Step, &Head, RowValues)]) -> Vec<EvidenceRow> {
        rows.iter()
            .map(|(step, taken, row)| EvidenceRow {
                step: step.name.clone(),
                table: taken.table,
                row_no: taken.row_no,
                row: row.clone(),
            })
            .collect()
    }

    fn identity(rows: &[(&Step, &Head, RowValues)]) -> Identity {
        let of = |row: &RowValues| {
            ["sensor", "flow_id", "flow_ordinal", "event_time"]
                .map(|c| row.get(c).to_string())
                .join("|")
        };
        let ends = [rows.first(), rows.last()];
        Identity::Group(
            ends.into_iter()
                .flatten()
                .map(|r| of(&r.2))
                .collect::<Vec<_>>()
                .join("|"),
        )
    }

    fn warming(&self, start: i64) -> Option<i64> {
        (start.saturating_sub(self.within) < self.since)
            .then(|| self.since.saturating_add(self.within))
    }

    /// A match that its last row has completed.
    pub(super) fn complete(
        &self,
        partial: &Partial,
        hit: Hit,
        group: u32,
        chunk: &Chunk,
        out: &mut Vec<Found>,
    ) {
        let Some(mut found) = chunk.finding(self.rule, hit) else {
            return;
        };
        let rows = self.rows(partial);
        found.finding.identity = Self::identity(&rows);
        found.finding.evidence = Self::evidence(&rows);
        found.finding.warming_until = self.warming(partial.start);
        found.key = self.keys.key(group).to_vec();
        out.push(found);
    }

    /// A match that the absence of a row has completed.
    pub(super) fn elapse(
        &self,
        partial: &Partial,
        deadline: i64,
        key: &[u8],
        chunk: &Chunk,
        out: &mut Vec<Found>,
    ) {
        let rows = self.rows(partial);
        let Some((_, taken, row)) = rows.last() else {
            return;
        };
        let mut finding =
            Finding::of_row(self.rule, taken.table, taken.row_no, deadline, row.clone());
        finding
            .row
            .add(Arc::from("deadline"), Value::Time(deadline));
        finding.identity = Self::identity(&rows);
        finding.evidence = Self::evidence(&rows);
        finding.provisional = chunk.provisional;
        finding.delayed_by = chunk.passed.map_or(0, |passed| (passed - deadline).max(0));
        finding.warming_until = self.warming(partial.start);
        out.push(Found {
            order: (deadline, 0, 0, 0, self.rule),
            key: key.to_vec(),
            finding,
        });
    }
}

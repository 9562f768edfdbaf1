//! The steps of a sequence, ready to run.

use crate::sql::calls::Crossed;
use telltale_rules::Sequence as Form;
use telltale_schema::ColumnDef;

/// One step, ready to run.
pub(crate) struct Step {
    pub name: String,
    pub crossed: Vec<Crossed>,
    pub by: Vec<usize>,
    pub within: Option<i64>,
    pub times: u16,
    pub optional: bool,
    pub absent: bool,
    pub columns: &'static [ColumnDef],
    /// Columns that are kept of its row.
    pub kept: Vec<usize>,
    /// Places in `kept` that conditions of later steps name.
    pub told_by: Vec<usize>,
}

/// Columns that are kept of each step's row, where its table has them.
const KEPT: [&str; 19] = [
    "row_no",
    "event_time",
    "site",
    "sensor",
    "segment",
    "flow_id",
    "flow_ordinal",
    "capture_file",
    "packet",
    "protocol",
    "client_ip",
    "client_mac",
    "server_ip",
    "server_mac",
    "server_station",
    "operation",
    "function",
    "object",
    "direction",
];

/// One row that a match needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub step: u16,
    /// Is it the first or the last row of its step?
    pub first: bool,
    pub last: bool,
}

/// `with` has each step's conditions on earlier ones and the columns of its table; `named`
/// says which columns of a step's row texts speak of.
pub(crate) fn build(
    form: &Form,
    with: Vec<(Vec<Crossed>, &'static [ColumnDef])>,
    named: impl Fn(&str) -> Vec<String>,
) -> Vec<Step> {
    let mut made: Vec<Step> = Vec::new();
    for (form, (crossed, columns)) in form.steps.iter().zip(with) {
        let position = |name: &str| columns.iter().position(|c| c.name == name);
        let mut kept: Vec<usize> = KEPT.iter().filter_map(|n| position(n)).collect();
        kept.extend(named(&form.name).iter().filter_map(|n| position(n)));
        kept.extend(form.by.iter().filter_map(|n| position(n)));
        made.push(Step {
            name: form.name.clone(),
            by: form.by.iter().filter_map(|n| position(n)).collect(),
            within: form.within_ns,
            times: form.times as u16,
            optional: form.optional,
            absent: form.absent,
            columns,
            crossed,
            kept,
            told_by: Vec::new(),
        });
    }
    let told: Vec<(usize, usize)> = made
        .iter()
        .flat_map(|s| s.crossed.iter().map(|c| (c.step, c.of_step)))
        .collect();
    for (at, step) in made.iter_mut().enumerate() {
        step.kept
            .extend(told.iter().filter(|t| t.0 == at).map(|t| t.1));
        step.kept.sort_unstable();
        step.kept.dedup();
        let of = |column: &usize| told.contains(&(at, *column));
        step.told_by = (0..step.kept.len())
            .filter(|k| step.kept.get(*k).is_some_and(of))
            .collect();
    }
    made
}

/// The rows that a match needs, in order; absent steps need none.
pub(crate) fn places(steps: &[Step]) -> Vec<Place> {
    let mut places = Vec::new();
    for (at, step) in steps.iter().enumerate().filter(|(_, s)| !s.absent) {
        places.extend((0..step.times).map(|n| Place {
            step: at as u16,
            first: n == 0,
            last: n + 1 == step.times,
        }));
    }
    places
}

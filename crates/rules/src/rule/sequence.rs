//! Rules of several steps: their form and what is wrong with it.

use super::file::{SequenceFile, StepFile};
use super::lint::{Lint, sql_place};
use super::recognize;
use crate::site::place;
use crate::testcase::duration_ns;
use serde_saphyr::Spanned;
use std::collections::BTreeSet;

/// Most rows that a sequence may ask for, `times` counted.
pub const MAX_STEPS: usize = 64;

/// One step of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name, by which later steps and the sentence speak of its row.
    pub name: String,
    /// The table of its rows, or `events`.
    pub table: String,
    /// Conditions of a row, as SQL. `name.column` is the row of an earlier step.
    pub condition: String,
    /// Line of the file on which the conditions begin (from 1), and columns by which
    /// the file indents them.
    pub place: (u32, u32),
    /// Columns whose values tie the steps together, in the order of the first step's.
    pub by: Vec<String>,
    /// So many rows.
    pub times: u32,
    /// Nanoseconds since the step before; of a last, absent step: how long to wait.
    pub within_ns: Option<i64>,
    /// May it be left out?
    pub optional: bool,
    /// Is it that no such row comes?
    pub absent: bool,
}

/// Steps in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// The steps.
    pub steps: Vec<Step>,
    /// Nanoseconds from the first row to the last.
    pub within_ns: i64,
}

impl Sequence {
    /// Does it end in the absence of a row?
    #[must_use]
    pub fn ends_in_absence(&self) -> bool {
        self.steps.last().is_some_and(|s| s.absent)
    }
}

impl Lint<'_> {
    fn duration(&mut self, text: &Spanned<String>) -> i64 {
        let ns = duration_ns(&text.value).filter(|ns| *ns > 0);
        if ns.is_none() {
            self.error(
                "TT-RULE-022",
                place(text),
                format!("`{}` is no duration", text.value),
                "write 30s, 10m, 1h or 1d",
            );
        }
        ns.unwrap_or(0)
    }

    fn step(&mut self, text: &str, step: &StepFile, whole: &SequenceFile) -> Step {
        let name = &step.name;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !name.value.starts_with(|c: char| c.is_ascii_lowercase())
            || !name.value.chars().all(plain)
        {
            self.error(
                "TT-RULE-024",
                place(name),
                format!("`{}` is no name of a step", name.value),
                "small letters, digits and _; a letter first",
            );
        }
        let by = step.by.as_ref().or(whole.by.as_ref());
        let keys = by.map_or(0, Vec::len);
        let wanted = whole.by.as_ref().map_or(keys, Vec::len);
        if keys == 0 || keys != wanted {
            self.error(
                "TT-RULE-023",
                place(name),
                format!(
                    "step `{}` is tied by {keys} columns, the sequence by {wanted}",
                    name.value
                ),
                "name as many columns in `by`, in the same order, in every step",
            );
        }
        for column in by.into_iter().flatten() {
            self.column(column);
        }
        let times = step.times.as_ref().map_or(1, |t| t.value);
        if times == 0 || times as usize > MAX_STEPS || (times > 1 && step.absent) {
            self.error(
                "TT-RULE-025",
                place(name),
                format!("step `{}` cannot come {times} times", name.value),
                "1 to 64 times; above, count in a window; an absent step has no number",
            );
        }
        if step.absent && step.optional {
            self.error(
                "TT-RULE-025",
                place(name),
                format!("step `{}` is both absent and optional", name.value),
                "leave one of them out",
            );
        }
        let from = step.from.as_ref().or(whole.from.as_ref());
        if from.is_none() {
            self.error(
                "TT-RULE-023",
                place(name),
                format!("step `{}` names no table", name.value),
                "write `from: events`, in the step or in the sequence",
            );
        }
        Step {
            name: name.value.clone(),
            table: from.map_or(String::new(), |f| f.value.clone()),
            condition: step.condition.value.clone(),
            place: sql_place(text, &step.condition),
            by: by.into_iter().flatten().map(|c| c.value.clone()).collect(),
            times,
            within_ns: step.within.as_ref().map(|w| self.duration(w)),
            optional: step.optional,
            absent: step.absent,
        }
    }

    /// Reads SQL that says steps with MATCH_RECOGNIZE.
    pub(super) fn recognized(&mut self, text: &str, sql: &Spanned<String>) -> Option<Sequence> {
        if !recognize::is_one(&sql.value) {
            return None;
        }
        let (line, indent) = sql_place(text, sql);
        match recognize::read(&sql.value, (line, indent)) {
            Ok(sequence) => Some(sequence),
            Err((code, at, message, help)) => {
                let at = (line + at.saturating_sub(1), indent + 1);
                self.error(code, at, message, help);
                None
            }
        }
    }

    /// Reads the steps of a rule.
    pub(super) fn sequence(&mut self, text: &str, file: &SequenceFile) -> Sequence {
        let within_ns = self.duration(&file.within);
        let steps: Vec<Step> = file
            .steps
            .iter()
            .map(|step| self.step(text, &step.value, file))
            .collect();
        let at = place(&file.within);
        let mut names = BTreeSet::new();
        for (step, read) in file.steps.iter().zip(&steps) {
            if !names.insert(read.name.as_str()) {
                self.error(
                    "TT-RULE-024",
                    place(step),
                    format!("two steps are called `{}`", read.name),
                    "conditions and the sentence speak of steps by name",
                );
            }
        }
        let rows: usize = steps.iter().map(|s| s.times as usize).sum();
        let certain = steps.iter().filter(|s| !s.absent && !s.optional).count();
        let wrong = if steps.len() < 2 && rows < 2 {
            Some(("a sequence of one row is no sequence", "write `sql:`"))
        } else if rows > MAX_STEPS {
            Some(("a sequence asks for at most 64 rows", "count in a window"))
        } else if certain == 0 {
            Some(("every step may be missing", "one must be there"))
        } else if steps.first().is_some_and(|s| s.absent || s.optional) {
            Some((
                "the first step may be missing: nothing would begin the sequence",
                "begin with a step that must be there",
            ))
        } else if steps.last().is_some_and(|s| s.optional) {
            Some((
                "the last step may be missing: the sequence would not wait for it",
                "leave it out",
            ))
        } else if steps
            .last()
            .is_some_and(|s| s.absent && s.within_ns.is_none())
        {
            Some((
                "how long may the last, absent step take?",
                "give it a `within`",
            ))
        } else if steps.last().is_some_and(|s| s.absent)
            && steps
                .iter()
                .rev()
                .nth(1)
                .is_some_and(|s| s.optional || s.absent)
        {
            Some((
                "the step before a last, absent one may be missing: what would the waiting begin with?",
                "let the step before it be one that must be there",
            ))
        } else {
            None
        };
        if let Some((message, help)) = wrong {
            self.error("TT-RULE-025", at, message.to_owned(), help);
        }
        Sequence { steps, within_ns }
    }
}

//! How bad an alert is when work is planned, and what it adds to its actor's risk.

use super::file::File;
use super::lint::Lint;
use super::{Requires, Severity};
use crate::site::place;

/// Most points that one rule may add.
const MAX_POINTS: u32 = 1000;

/// A calendar within which an alert has a lower severity instead of falling silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lower {
    /// The site's calendar.
    pub calendar: String,
    /// The severity within it.
    pub to: Severity,
}

impl Lint<'_> {
    /// Reads `risk` and `lower`. The calendar is one that the rule requires: where the
    /// site has none, the rule does not apply.
    pub(super) fn weight(&mut self, file: &File) -> (Option<u32>, Option<Lower>, Requires) {
        if let Some(points) = &file.risk
            && points.value > MAX_POINTS
        {
            self.error(
                "TT-RULE-026",
                place(points),
                format!("`risk: {}` is too much", points.value),
                "write 0 to 1000; a site's threshold is 150 if it names none",
            );
        }
        let mut requires = file.requires.clone();
        if let Some(lower) = &file.lower {
            if lower.to.value >= file.severity {
                self.error(
                    "TT-RULE-027",
                    place(&lower.to),
                    format!(
                        "`{}` is not lower than the rule's severity `{}`",
                        lower.to.value.as_str(),
                        file.severity.as_str()
                    ),
                    "name a severity below the rule's own",
                );
            }
            if !requires.calendars.contains(&lower.calendar) {
                requires.calendars.push(lower.calendar.clone());
            }
        }
        let lower = file.lower.as_ref().map(|l| Lower {
            calendar: l.calendar.clone(),
            to: l.to.value,
        });
        (file.risk.as_ref().map(|p| p.value), lower, requires)
    }
}

//! `MATCH_RECOGNIZE` against row pattern recognition as the standard says it: try each
//! row as the first, quantifiers greedily, with backtracking; go on after the match.

use super::naive::{findings, in_order};
use super::{FUNCTIONS, Given, SECOND, rules};
use proptest::prelude::*;

/// A pattern of steps with gaps between them.
#[derive(Debug, Clone)]
struct Query {
    /// Functions of each step.
    steps: Vec<Vec<usize>>,
    /// Functions that must not come in the first gap.
    absent: Option<Vec<usize>>,
    within: i64,
}

fn names(functions: &[usize]) -> String {
    let names: Vec<String> = functions
        .iter()
        .map(|f| format!("'{}'", FUNCTIONS[*f]))
        .collect();
    names.join(", ")
}

const SYMBOLS: [&str; 4] = ["A", "B", "C", "D"];

impl Query {
    fn condition(&self, step: usize, symbol: &str) -> String {
        format!(
            "{symbol}direction = 'request' AND function IN ({})",
            names(&self.steps[step])
        )
    }

    fn body(&self) -> String {
        let (mut pattern, mut define) = ("A".to_owned(), Vec::new());
        for (step, symbol) in SYMBOLS.iter().enumerate().take(self.steps.len()) {
            if step > 0 {
                pattern.push_str(&format!(" X{step}* {symbol}"));
                let mut gap = format!(
                    "X{step} AS ({}) IS NOT TRUE",
                    self.condition(step, &format!("X{step}."))
                );
                if let (1, Some(absent)) = (step, &self.absent) {
                    gap.push_str(&format!(" AND NOT (function IN ({}))", names(absent)));
                }
                define.push(gap);
            }
            let mut own = format!("{symbol} AS {}", self.condition(step, ""));
            if step + 1 == self.steps.len() {
                own.push_str(&format!(
                    " AND {symbol}.event_time <= A.event_time + INTERVAL '{} seconds'",
                    self.within
                ));
            }
            define.push(own);
        }
        format!(
            "sql: |\n  SELECT * FROM modbus MATCH_RECOGNIZE (\n    PARTITION BY client_ip ORDER BY event_time\n    ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW\n    PATTERN ({pattern})\n    DEFINE {})",
            define.join(",\n      ")
        )
    }

    fn is_step(&self, step: usize, row: &Given, first: &Given) -> bool {
        let in_time =
            step + 1 < self.steps.len() || row.time() <= first.time() + self.within * SECOND;
        self.steps[step].contains(&row.function) && in_time
    }

    fn is_gap(&self, step: usize, row: &Given) -> bool {
        let next = self.steps[step].contains(&row.function);
        let forbidden = step == 1
            && self
                .absent
                .as_ref()
                .is_some_and(|absent| absent.contains(&row.function));
        !next && !forbidden
    }

    /// Steps from `step` on, from row `at` on: the row after the match.
    fn rest(&self, rows: &[Given], first: &Given, step: usize, at: usize) -> Option<usize> {
        if step == self.steps.len() {
            return Some(at);
        }
        let mut most = at;
        while most < rows.len() && self.is_gap(step, &rows[most]) {
            most += 1;
        }
        (at..=most)
            .rev()
            .filter(|row| *row < rows.len() && self.is_step(step, &rows[*row], first))
            .find_map(|row| self.rest(rows, first, step + 1, row + 1))
    }

    /// Time of the last row of each match, and its client.
    fn matches(&self, all: &[Given]) -> Vec<(i64, String)> {
        let mut out = Vec::new();
        for client in 0..3_u8 {
            let mut rows = in_order(all);
            rows.retain(|r| r.client == client);
            let mut at = 0;
            while at < rows.len() {
                let begins = self.is_step(0, &rows[at], &rows[at]);
                let end = begins
                    .then(|| self.rest(&rows, &rows[at], 1, at + 1))
                    .flatten();
                if let Some(end) = end {
                    out.push((rows[end - 1].time(), format!("10.0.0.{client}")));
                }
                at = end.unwrap_or(at + 1);
            }
        }
        out.sort();
        out
    }
}

fn query() -> impl Strategy<Value = Query> {
    let functions = || prop::sample::subsequence(vec![0, 1, 2, 3], 1..3);
    (
        prop::collection::vec(functions(), 2..5),
        prop::option::of(functions()),
        3..30_i64,
    )
        .prop_map(|(steps, absent, within)| {
            // what is forbidden between two steps is another row than the second
            let absent = absent.filter(|a| *a != steps[1]);
            Query {
                steps,
                absent,
                within,
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4 * super::cases(), ..ProptestConfig::default() })]

    #[test]
    fn means_what_the_standard_says(
        all in prop::collection::vec(super::given(), 1..60),
        query in query(),
    ) {
        let set = rules(&[query.body()]);
        let mut found: Vec<(i64, String)> = findings(&set, &all)
            .iter()
            .map(|f| (f.event_time, f.row.get("client_ip").to_string()))
            .collect();
        found.sort();
        prop_assert_eq!(found, query.matches(&all), "{}", query.body());
    }
}

//! What windows and sequences mean, said as plainly as can be, over all rows at once.

use super::{Given, SECOND, detector, whole};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use telltale_rules::{Finding, RuleSet, Says};

/// Rows in the order in which they are seen.
pub fn in_order(all: &[Given]) -> Vec<Given> {
    let mut rows = all.to_vec();
    // stable: the number of a row at its sensor is its place among rows of its time
    rows.sort_by_key(|g| (g.time(), g.sensor));
    rows
}

pub fn findings(set: &RuleSet, all: &[Given]) -> Vec<Finding> {
    let mut detector = detector(set);
    let mut out = Vec::new();
    for frame in whole(all) {
        detector.frame(&frame, 0, &mut out);
    }
    detector.finish(&mut out);
    out
}

/// Time, what is said, key, window's start, count, distinct units, smallest, largest, sum.
pub type Brief = (i64, bool, String, i64, u64, u64, u64, u64, u64);

pub fn brief(set: &RuleSet, all: &[Given]) -> BTreeSet<Brief> {
    findings(set, all)
        .iter()
        .map(|f| {
            let key = ["client_ip", "server_ip", "function"].map(|c| f.row.get(c).to_string());
            let sql = &set.rules[0].sql;
            let group = sql.split("GROUP BY").nth(1).unwrap();
            let key: Vec<String> = ["client_ip", "server_ip", "function"]
                .iter()
                .zip(key)
                .filter(|(name, _)| group.contains(*name))
                .map(|(_, value)| value)
                .collect();
            let number = |name: &str| f.row.get(name).as_u64().unwrap();
            (
                f.event_time,
                f.says == Says::Totals,
                key.join(" "),
                f.row.get("window_start").as_i64().unwrap(),
                number("n"),
                number("units"),
                number("least"),
                number("most"),
                number("total"),
            )
        })
        .collect()
}

struct Numbers {
    n: u64,
    units: u64,
    least: u64,
    most: u64,
    total: u64,
    objects: u64,
    object_most: u64,
}

fn numbers(rows: &[Given]) -> Numbers {
    let units: BTreeSet<u8> = rows.iter().map(|r| r.unit).collect();
    let objects: BTreeSet<u16> = rows.iter().map(|r| r.object).collect();
    Numbers {
        n: rows.len() as u64,
        units: units.len() as u64,
        least: units.first().map_or(0, |u| u64::from(*u)),
        most: units.last().map_or(0, |u| u64::from(*u)),
        total: rows.iter().map(|r| u64::from(r.unit)).sum(),
        objects: objects.len() as u64,
        object_most: objects.last().map_or(0, |o| u64::from(*o)),
    }
}

fn holds(rows: &[Given], having: usize, least: u32) -> bool {
    let (x, l) = (numbers(rows), u64::from(least));
    let mean = x.total as f64 / x.n as f64;
    match having {
        0 => x.n >= l,
        1 => x.units >= l,
        2 => x.n >= l && x.object_most > 1,
        3 => x.n == l,
        4 => mean > f64::from(least) || x.n < 2,
        5 => x.total > l * 3 && x.objects >= 2,
        6 => x.n >= l && x.least <= 1,
        _ => mean >= f64::from(least),
    }
}

pub fn windows(all: &[Given], which: usize, size: i64, slide: i64, least: u32) -> BTreeSet<Brief> {
    let having = which / 9 % 8;
    // HAVINGs that can only become true
    let early = matches!(having, 0 | 1 | 2 | 5);
    let key = |g: &Given| {
        let (client, server) = (
            format!("10.0.0.{}", g.client),
            format!("10.0.1.{}", g.server),
        );
        match which / 3 % 3 {
            0 => format!("{client} {server}"),
            1 => client,
            _ => format!("{server} {}", g.function()),
        }
    };
    let rows: Vec<Given> = in_order(all).into_iter().filter(|g| g.object < 2).collect();
    let mut groups: BTreeMap<(String, i64, i64), Vec<Given>> = BTreeMap::new();
    match which % 3 {
        0 | 1 => {
            let (length, step) = if which.is_multiple_of(3) {
                (size * SECOND, size * SECOND)
            } else {
                (slide * 4 * SECOND, slide * SECOND)
            };
            for row in &rows {
                let last = row.time().div_euclid(step) * step;
                for n in 0..length / step {
                    let start = last - n * step;
                    groups
                        .entry((key(row), start, start + length))
                        .or_default()
                        .push(row.clone());
                }
            }
        }
        _ => {
            let mut by_key: BTreeMap<String, Vec<Given>> = BTreeMap::new();
            for row in &rows {
                by_key.entry(key(row)).or_default().push(row.clone());
            }
            for (key, rows) in by_key {
                let mut session: Vec<Given> = Vec::new();
                let mut sessions = Vec::new();
                for row in rows {
                    if session
                        .last()
                        .is_some_and(|l| row.time() - l.time() >= size * SECOND)
                    {
                        sessions.push(std::mem::take(&mut session));
                    }
                    session.push(row);
                }
                sessions.push(session);
                for session in sessions {
                    let end = session.last().unwrap().time() + size * SECOND;
                    groups.insert((key.clone(), session[0].time(), end), session);
                }
            }
        }
    }
    let mut out = BTreeSet::new();
    for ((key, start, end), rows) in groups {
        let brief = |time, totals, rows: &[Given]| {
            let x = numbers(rows);
            (
                time,
                totals,
                key.clone(),
                start,
                x.n,
                x.units,
                x.least,
                x.most,
                x.total,
            )
        };
        if early {
            let crossing = (1..=rows.len()).find(|n| holds(&rows[..*n], having, least));
            if let Some(n) = crossing {
                out.insert(brief(rows[n - 1].time(), false, &rows[..n]));
                out.insert(brief(end, true, &rows));
            }
        } else if holds(&rows, having, least) {
            out.insert(brief(end, false, &rows));
        }
    }
    out
}

/// A step: which functions fit, and what else is asked.
#[derive(Debug, Clone)]
pub struct Step {
    pub functions: Vec<usize>,
    pub times: usize,
    pub within: Option<i64>,
    pub optional: bool,
    pub absent: bool,
    pub same_object: bool,
}

/// A sequence rule.
#[derive(Debug, Clone)]
pub struct Form {
    pub steps: Vec<Step>,
    pub within: i64,
}

impl Form {
    pub fn body(&self) -> String {
        let mut out = format!(
            "sequence:\n  from: modbus\n  by: [client_ip]\n  within: {}s\n  steps:\n",
            self.within
        );
        for (n, s) in self.steps.iter().enumerate() {
            let functions: Vec<String> = s
                .functions
                .iter()
                .map(|f| format!("'{}'", super::FUNCTIONS[*f]))
                .collect();
            let mut condition = format!(
                "direction = 'request' AND function IN ({})",
                functions.join(", ")
            );
            if s.same_object {
                condition.push_str(" AND object_first = s0.object_first");
            }
            out.push_str(&format!(
                "    - {{name: s{n}, where: \"{condition}\", optional: {}, absent: {}{}{}}}\n",
                s.optional,
                s.absent,
                if s.absent {
                    String::new()
                } else {
                    format!(", times: {}", s.times)
                },
                s.within
                    .map_or(String::new(), |w| format!(", within: {w}s")),
            ));
        }
        out
    }
}

pub fn sequence() -> impl Strategy<Value = Form> {
    let step = (
        prop::sample::subsequence(vec![0, 1, 2, 3], 1..3),
        1..3_usize,
        prop::option::of(1..12_i64),
        0..6_u8,
        0..6_u8,
        0..4_u8,
    )
        .prop_map(|(functions, times, within, optional, absent, same)| Step {
            functions,
            times,
            within,
            optional: optional == 0,
            absent: absent == 0,
            same_object: same == 0,
        });
    (prop::collection::vec(step, 2..5), 3..30_i64).prop_map(|(mut steps, within)| {
        let last = steps.len() - 1;
        steps[0].optional = false;
        steps[0].absent = false;
        steps[0].same_object = false;
        steps[last].optional = false;
        for step in &mut steps {
            if step.absent {
                step.optional = false;
                step.times = 1;
            }
        }
        if steps[last].absent {
            steps[last].within = steps[last].within.or(Some(5));
            steps[last - 1].optional = false;
            if steps[last - 1].absent {
                steps[last - 1].absent = false;
            }
        }
        Form { steps, within }
    })
}

/// Time and row numbers of each match, as the engine says it: sensor and number.
pub fn matches(set: &RuleSet, all: &[Given]) -> Vec<(i64, String, i64)> {
    let mut out: Vec<_> = findings(set, all)
        .iter()
        .map(|f| {
            let first = f
                .evidence
                .first()
                .unwrap()
                .row
                .get("event_time")
                .as_i64()
                .unwrap();
            (f.event_time, f.row.get("client_ip").to_string(), first)
        })
        .collect();
    assert!(out.is_sorted_by_key(|o| o.0), "findings come by time");
    out.sort();
    out
}

#[derive(Clone)]
struct Chain {
    /// Rows taken: step and row.
    rows: Vec<(usize, Given)>,
}

impl Chain {
    fn time(&self) -> i64 {
        self.rows.last().unwrap().1.time()
    }
    fn start(&self) -> i64 {
        self.rows[0].1.time()
    }
    /// Rows of the last step so far, and whether it is whole.
    fn whole(&self, form: &Form) -> bool {
        let step = self.rows.last().unwrap().0;
        let n = self.rows.iter().filter(|r| r.0 == step).count();
        n == form.steps[step].times
    }
    fn object_of(&self, step: usize) -> u16 {
        self.rows
            .iter()
            .rev()
            .find(|r| r.0 == step)
            .unwrap()
            .1
            .object
    }
}

/// Every chain of rows there is; the first match of a client ends all its chains.
pub fn sequences(all: &[Given], form: &Form) -> Vec<(i64, String, i64)> {
    let rows = in_order(all);
    let last = form.steps.len() - 1;
    let waits = form.steps[last].absent;
    let final_step = if waits { last - 1 } else { last };
    let mut out: Vec<(i64, u8, String, i64)> = Vec::new();
    for client in 0..3_u8 {
        let name = format!("10.0.0.{client}");
        let mut chains: Vec<Chain> = Vec::new();
        // chains that wait for an absence: deadline
        let mut waiting: Vec<(i64, Chain)> = Vec::new();
        let elapse = |waiting: &mut Vec<(i64, Chain)>,
                      chains: &mut Vec<Chain>,
                      until: i64,
                      out: &mut Vec<(i64, u8, String, i64)>| {
            while let Some(at) = (0..waiting.len())
                .filter(|n| waiting[*n].0 <= until)
                .min_by_key(|n| (waiting[*n].0, std::cmp::Reverse(waiting[*n].1.start())))
            {
                let (deadline, chain) = waiting.swap_remove(at);
                out.push((deadline, 0, name.clone(), chain.start()));
                waiting.clear();
                chains.clear();
            }
        };
        for row in rows.iter().filter(|r| r.client == client) {
            let time = row.time();
            elapse(&mut waiting, &mut chains, time, &mut out);
            let fits = |step: usize, chain: Option<&Chain>| {
                let s = &form.steps[step];
                s.functions.contains(&row.function)
                    && (!s.same_object || chain.is_some_and(|c| row.object == c.object_of(0)))
            };
            let mut fresh: Vec<Chain> = Vec::new();
            for chain in &chains {
                if time - chain.start() > form.within * SECOND {
                    continue;
                }
                let now = chain.rows.last().unwrap().0;
                let mut targets = Vec::new();
                if chain.whole(form) {
                    for step in now + 1..=final_step {
                        let s = &form.steps[step];
                        if s.absent {
                            continue;
                        }
                        targets.push(step);
                        if !s.optional {
                            break;
                        }
                    }
                } else {
                    targets.push(now);
                }
                for step in targets {
                    let before = chain.rows.iter().rev().find(|r| r.0 != step);
                    let anchor = before.map_or(chain.start(), |r| r.1.time());
                    let in_time = form.steps[step]
                        .within
                        .is_none_or(|w| time - anchor <= w * SECOND);
                    if fits(step, Some(chain)) && in_time {
                        let mut longer = chain.clone();
                        longer.rows.push((step, row.clone()));
                        fresh.push(longer);
                    }
                }
            }
            let ended = |chain: &Chain| {
                let now = chain.rows.last().unwrap().0;
                chain.whole(form)
                    && (now + 1..=last).any(|step| {
                        let s = &form.steps[step];
                        s.absent
                            && form.steps[now + 1..step]
                                .iter()
                                .all(|b| b.absent || b.optional)
                            && fits(step, Some(chain))
                            && s.within.is_none_or(|w| time - chain.time() <= w * SECOND)
                    })
            };
            chains.retain(|c| !ended(c));
            waiting.retain(|(_, c)| !ended(c));
            if fits(0, None) {
                fresh.push(Chain {
                    rows: vec![(0, row.clone())],
                });
            }
            let complete = |c: &Chain| c.rows.last().unwrap().0 == final_step && c.whole(form);
            if waits {
                for chain in fresh {
                    if complete(&chain) {
                        let deadline = time + form.steps[last].within.unwrap() * SECOND;
                        waiting.push((deadline, chain));
                    } else {
                        chains.push(chain);
                    }
                }
            } else if let Some(best) = fresh.iter().filter(|c| complete(c)).map(Chain::start).max()
            {
                out.push((time, 1, name.clone(), best));
                chains.clear();
            } else {
                chains.extend(fresh);
            }
        }
        elapse(&mut waiting, &mut chains, i64::MAX, &mut out);
    }
    out.sort();
    out.into_iter()
        .map(|(time, _, name, start)| (time, name, start))
        .collect()
}

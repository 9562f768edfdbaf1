//! Rules that follow one another as steps.

use super::correlation::{Correlation, Part, Sign};
use super::head::{Head, made_id, slug};
use super::plain::{response, roles};
use super::refusal::{Refusals, Why};
use super::sample;
use super::window::duration;
use super::write::{self, Body, Case, Looks, Row, StepText};
use crate::rule::MAX_STEPS;
use serde_json::Value as Json;

/// Most rules of which every order is written out.
const MOST_ORDERS: usize = 3;

/// All orders of 0 to n - 1.
fn orders(n: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..n {
        all = all
            .into_iter()
            .flat_map(|order| {
                (0..n)
                    .filter(|i| !order.contains(i))
                    .map(|i| order.iter().copied().chain([i]).collect())
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    all
}

/// Names of the steps.
fn names(parts: &[Part<'_>]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for part in parts {
        let text = if part.head.name.is_empty() {
            &part.head.title
        } else {
            &part.head.name
        };
        let mut name = slug(text, '_');
        name.truncate(40);
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            name.insert_str(0, "step_");
        }
        let mut name = name.trim_end_matches('_').to_owned();
        let base = name.clone();
        let mut n = 2;
        while out.contains(&name) {
            name = format!("{base}_{n}");
            n += 1;
        }
        out.push(name);
    }
    out
}

/// The rule files: suffix of the file's name, and text.
pub(super) fn rules(
    head: &Head,
    c: &Correlation<'_>,
    refusals: &mut Refusals<'_>,
) -> Vec<(String, String)> {
    let n = c.parts.len();
    let ordered = c.kind == "temporal_ordered";
    if n < 2 {
        refusals.add(
            Why::Correlation,
            c.at,
            "rules",
            "a sequence has at least two rules",
        );
    }
    if n > MAX_STEPS {
        let reason = format!("{n} rules; a sequence has at most {MAX_STEPS} steps");
        refusals.add(Why::Language, c.at, "rules", reason);
    }
    if !ordered && n > MOST_ORDERS {
        let reason = format!(
            "{n} rules in any order: a sequence has an order, and each order of at most {MOST_ORDERS} rules is written out; write temporal_ordered"
        );
        refusals.add(Why::Language, c.at, "rules", reason);
    }
    let all = i64::try_from(n).unwrap_or(i64::MAX);
    let wants_all = |(sign, bound): &(Sign, i64)| match sign {
        Sign::Gte | Sign::Eq => *bound == all,
        Sign::Gt => *bound == all - 1,
        _ => false,
    };
    if !c.bounds.iter().all(wants_all) {
        let reason = "some of the rules, or how often: a sequence takes each of them once";
        refusals.add(Why::Language, c.at, "condition", reason);
    }
    if c.field.is_some() {
        refusals.add(
            Why::Correlation,
            c.at,
            "condition",
            "a temporal correlation has no `field`",
        );
    }
    for columns in &c.keys {
        let kinds = |a: usize| columns.get(a).map(|k| std::mem::discriminant(&k.kind));
        if (1..columns.len()).any(|at| kinds(at) != kinds(0)) {
            refusals.add(
                Why::Language,
                c.at,
                "group-by",
                "the columns of a key are of different kinds",
            );
        }
    }
    if !refusals.found.is_empty() {
        return Vec::new();
    }
    if ordered {
        let order: Vec<usize> = (0..n).collect();
        return vec![(String::new(), one(head, c, &order, false))];
    }
    orders(n)
        .into_iter()
        .enumerate()
        .map(|(at, order)| (format!("-{}", at + 1), one(head, c, &order, true)))
        .collect()
}

/// One order of the rules.
fn one(head: &Head, c: &Correlation<'_>, order: &[usize], suffix: bool) -> String {
    let names = names(&c.parts);
    let steps: Vec<(StepText, &Part<'_>)> = order
        .iter()
        .filter_map(|at| {
            let part = c.parts.get(*at)?;
            let by: Vec<&'static str> = c
                .keys
                .iter()
                .filter_map(|columns| columns.get(*at).map(|k| k.name))
                .collect();
            let step = StepText {
                name: names.get(*at)?.clone(),
                table: part.compiled.source.table.clone(),
                by: if by.is_empty() { vec!["site"] } else { by },
                condition: part.compiled.cond.sql(),
            };
            Some((step, part))
        })
        .collect();
    let titles: Vec<&str> = steps.iter().map(|(_, p)| p.head.title.as_str()).collect();
    let (id, name) = if suffix {
        let at: Vec<String> = order.iter().map(ToString::to_string).collect();
        (
            made_id(&format!("{} {}", head.id, at.join(" "))),
            format!("{} ({})", head.title, titles.join(", then ")),
        )
    } else {
        (head.id.clone(), head.title.clone())
    };
    let last = steps.last().map(|(s, _)| s);
    let table = last.map_or("events", |s| s.table.as_str());
    let keys = last.map_or_else(Vec::new, |s| s.by.clone());
    let ((actor, target), says) = roles(table);
    let tests = tests(c, &steps);
    write::rule(
        head,
        &Body {
            id,
            name,
            parameters: Vec::new(),
            entities: (actor, target),
            response: response(actor, target),
            sentence: format!("{}: {}; last {says}", head.title, titles.join(", then ")),
            keys,
            suppressed_for: duration(c.seconds.max(3600)),
            tests,
            looks: Looks::Sequence {
                within: duration(c.seconds),
                steps: steps.into_iter().map(|(s, _)| s).collect(),
            },
        },
    )
}

/// A row for each step, with the same keys.
fn rows(steps: &[(StepText, &Part<'_>)]) -> Option<Vec<Row>> {
    // the step that is most particular about its keys leads; any may be
    (0..steps.len()).find_map(|leader| {
        let (step, part) = steps.get(leader)?;
        let table = part.compiled.table();
        let first = sample::matching(&part.compiled.cond, table, &Row::new())?;
        let whole = sample::whole(table, &first)?;
        let keys: Vec<Json> = step.by.iter().map(|k| whole.get(k).to_json()).collect();
        steps
            .iter()
            .map(|(step, part)| {
                let with: Row = step
                    .by
                    .iter()
                    .zip(&keys)
                    .map(|(k, v)| ((*k).to_owned(), v.clone()))
                    .collect();
                sample::matching(&part.compiled.cond, part.compiled.table(), &with)
            })
            .collect()
    })
}

fn tests(c: &Correlation<'_>, steps: &[(StepText, &Part<'_>)]) -> Vec<Case> {
    let Some(rows) = rows(steps) else {
        return Vec::new();
    };
    let table_of = |part: &Part<'_>| part.compiled.table().def().name.to_owned();
    let Some(table) = steps.first().map(|(_, p)| table_of(p)) else {
        return Vec::new();
    };
    let ms = c.seconds.saturating_mul(1000) / (2 * rows.len().max(1) as u64);
    let at = |rows: Vec<(usize, Row)>| -> Vec<Row> {
        rows.into_iter()
            .enumerate()
            .map(|(n, (step, mut row))| {
                let own = steps.get(step).map(|(_, p)| table_of(p));
                if let Some(own) = own.filter(|own| *own != table) {
                    row.insert("table".to_owned(), Json::from(own));
                }
                if n > 0 {
                    row.insert("at".to_owned(), Json::from(format!("{}ms", ms * n as u64)));
                }
                row
            })
            .collect()
    };
    let case = |name, kind, rows| Case {
        name,
        kind,
        table: table.clone(),
        rows,
    };
    let numbered: Vec<(usize, Row)> = rows.iter().cloned().enumerate().collect();
    // turned round, the rows must not be of each other's steps
    let apart = numbered.iter().all(|(own, row)| {
        steps.iter().enumerate().all(|(n, (_, part))| {
            let here = steps.get(*own).map(|(s, _)| s.table.as_str());
            n == *own
                || here != Some(part.compiled.source.table.as_str())
                || sample::holds(&part.compiled.cond, part.compiled.table(), row) == Some(false)
        })
    });
    let mut out = vec![case("one after the other", "match", at(numbered.clone()))];
    if apart {
        let turned = numbered.iter().rev().cloned().collect();
        out.push(case("the other way round", "near_miss", at(turned)));
    }
    let first = numbered.into_iter().take(1).collect();
    out.push(case("only the first step", "no_match", at(first)));
    out
}

#[cfg(test)]
mod tests_of_orders {
    use super::*;

    #[test]
    fn all_orders() {
        assert_eq!(orders(2), [vec![0, 1], vec![1, 0]]);
        assert_eq!(orders(3).len(), 6);
    }
}

//! Reads a rule file and says all that is wrong with it, except in its SQL.

use super::file::{File, Suppression};
use super::recognize;
use super::sequence::Sequence;
use super::{Entities, Rule, Status};
use crate::attack;
use crate::diagnostic::{Diagnostic, Level};
use crate::site::place;
use crate::site::tags::Tags;
use crate::testcase::{Kind, TestCase, duration_ns};
use serde_saphyr::Spanned;
use std::collections::{BTreeMap, BTreeSet};
use telltale_schema::{ColumnDef, TableId};

/// System requirements of IEC 62443-3-3: how many each foundational requirement has.
const SYSTEM_REQUIREMENTS: [u8; 7] = [13, 12, 9, 3, 4, 2, 8];

/// Names in `{}` of a sentence template.
pub(crate) fn placeholders(template: &str) -> Vec<&str> {
    template
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
        .collect()
}

fn columns() -> impl Iterator<Item = &'static str> {
    TableId::ALL
        .iter()
        .flat_map(|t| t.def().columns.iter().map(|c| c.name))
}

/// The table after FROM, if the SQL is simple enough to see it; the engine says the rest.
fn table_of(sql: &str) -> Option<(&str, &'static [ColumnDef])> {
    let mut words = sql.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.find(|w| w.eq_ignore_ascii_case("from"))?;
    let table = words.find(|w| !w.is_empty())?;
    if table == "events" {
        return Some((table, telltale_schema::events_columns()));
    }
    TableId::from_name(table).map(|t| (table, t.def().columns))
}

type Parameters = BTreeMap<String, Spanned<serde_json::Value>>;

/// All that is wrong with a file.
pub(super) struct Lint<'n> {
    file: &'n str,
    found: Vec<Diagnostic>,
    /// Names that the rule's SQL makes, besides columns.
    aliases: Vec<String>,
}

/// Bounds that every window has.
const BOUNDS: [&str; 2] = ["window_start", "window_end"];

/// Names that a windowed SELECT makes: `… AS name`, and its bounds. Only what the
/// sentence may speak of is looked for here; the engine reads the SQL.
fn aliases(sql: &str) -> Vec<String> {
    let mut words = sql
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|w| !w.is_empty());
    let mut out = Vec::new();
    let mut grouped = false;
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case("as") {
            out.extend(words.next().map(str::to_owned));
        }
        grouped |= word.eq_ignore_ascii_case("group");
    }
    if grouped {
        out.extend(BOUNDS.map(str::to_owned));
    }
    out
}

impl Lint<'_> {
    pub(super) fn error(
        &mut self,
        code: &'static str,
        at: (u32, u32),
        message: String,
        help: &str,
    ) {
        self.found
            .push(Diagnostic::error(code, self.file, at, message).help(help));
    }

    fn warn(&mut self, code: &'static str, at: (u32, u32), message: String, help: &str) {
        self.found
            .push(Diagnostic::warning(code, self.file, at, message).help(help));
    }

    pub(super) fn column(&mut self, column: &Spanned<String>) {
        let name = column.value.as_str();
        if !columns().any(|c| c == name) && !self.aliases.iter().any(|a| a == name) {
            let help = telltale_schema::nearest(name, columns())
                .map_or("see `telltale schema`".to_owned(), |n| {
                    format!("did you mean `{n}`?")
                });
            self.error(
                "TT-RULE-007",
                place(column),
                format!("no table has a column `{name}`"),
                &help,
            );
        }
    }

    fn head(&mut self, file: &File) {
        if uuid::Uuid::parse_str(&file.id.value).is_err() {
            self.error(
                "TT-RULE-002",
                place(&file.id),
                format!("`{}` is no UUID", file.id.value),
                "make one with `telltale rule new`",
            );
        }
        if file.scope.value != "site" {
            let why = if file.scope.value == "fleet" {
                "scope `fleet` is not built yet: a rule sees one site at a time".to_owned()
            } else {
                format!("there is no scope `{}`", file.scope.value)
            };
            self.error(
                "TT-RULE-003",
                place(&file.scope),
                why,
                "write `scope: site`",
            );
        }
        if let Some(version) = &file.version {
            let parts: Vec<&str> = version.value.split('.').collect();
            if parts.len() != 3 || parts.iter().any(|p| p.parse::<u32>().is_err()) {
                self.error(
                    "TT-RULE-015",
                    place(version),
                    format!("`{}` is no semantic version", version.value),
                    "write it like `1.0.0`",
                );
            }
        }
        for (what, text) in [
            ("name", &file.name),
            ("description", &file.description),
            ("sentence", &file.sentence),
        ]
        .into_iter()
        .chain(file.sql.iter().map(|sql| ("sql", sql)))
        {
            if text.value.trim().is_empty() {
                self.error(
                    "TT-RULE-016",
                    place(text),
                    format!("`{what}` is empty"),
                    "whoever gets the alert has nothing else to go by",
                );
            }
        }
        if file.sql.is_some() == file.sequence.is_some() {
            self.error(
                "TT-RULE-020",
                place(&file.name),
                "a rule has either `sql` or `sequence`".to_owned(),
                "conditions of one row and windows are `sql`; steps that follow one another are a `sequence`",
            );
        }
        if file.response.is_empty() {
            self.error(
                "TT-RULE-016",
                place(&file.name),
                "`response` is empty".to_owned(),
                "say what to do, step by step, safe for a running plant",
            );
        }
    }

    fn references(&mut self, file: &File) {
        for technique in &file.attack {
            if attack::technique(&technique.value).is_none() {
                self.error(
                    "TT-RULE-004",
                    place(technique),
                    format!(
                        "`{}` is no technique of ATT&CK for ICS 18.1",
                        technique.value
                    ),
                    "see `telltale rule coverage`",
                );
            }
        }
        for sr in &file.iec62443 {
            if !is_system_requirement(&sr.value) {
                self.error(
                    "TT-RULE-005",
                    place(sr),
                    format!("`{}` is no system requirement of IEC 62443-3-3", sr.value),
                    "write it like `SR 2.8` or `SR 1.1 RE 1`",
                );
            }
        }
    }

    fn words(&mut self, file: &File, sequence: Option<&Sequence>) {
        let table = file.sql.as_ref().and_then(|sql| table_of(&sql.value));
        let steps: Vec<&str> = sequence
            .into_iter()
            .flat_map(|s| &s.steps)
            // an absent step has no row to speak of
            .filter(|s| !s.absent)
            .map(|s| s.name.as_str())
            .collect();
        let unread = sequence.is_none() && file.sql.iter().any(|sql| recognize::is_one(&sql.value));
        for template in std::iter::once(&file.sentence).chain(&file.response) {
            for hole in placeholders(&template.value) {
                let of_step = hole.split_once('.').is_some_and(|(step, column)| {
                    // steps that could not be read are complained of already
                    if unread {
                        return true;
                    }
                    steps.contains(&step) && columns().any(|c| c == column)
                });
                let known = columns().any(|c| c == hole)
                    || ["client", "server", "actor", "target"].contains(&hole)
                    || self.aliases.iter().any(|a| a == hole)
                    || of_step;
                if file.parameters.contains_key(hole) {
                    continue;
                }
                if !known {
                    let help = telltale_schema::nearest(hole, columns())
                        .map_or("name a column".to_owned(), |n| {
                            format!("did you mean `{{{n}}}`?")
                        });
                    self.error(
                        "TT-RULE-006",
                        place(template),
                        format!("`{{{hole}}}` is neither a column nor a parameter"),
                        &help,
                    );
                } else if let Some((table, of)) = table
                    && columns().any(|c| c == hole)
                    && !of.iter().any(|c| c.name == hole)
                {
                    self.warn(
                        "TT-RULE-014",
                        place(template),
                        format!("`{table}` has no column `{hole}`"),
                        &format!("see `telltale schema {table}` for what it has"),
                    );
                }
            }
        }
        for (name, value) in &file.parameters {
            if value.value.is_array() || value.value.is_object() || value.value.is_null() {
                self.error(
                    "TT-RULE-017",
                    place(value),
                    format!("parameter `{name}` is no number, text or truth value"),
                    "for several values, require a list and use in_list()",
                );
            }
            let word = format!("${name}");
            let of_steps = file.sequence.iter().flat_map(|s| &s.value.steps);
            if !file.sql.iter().any(|sql| sql.value.contains(&word))
                && !of_steps
                    .into_iter()
                    .any(|s| s.value.condition.value.contains(&word))
            {
                self.warn(
                    "TT-RULE-018",
                    place(value),
                    format!("the SQL does not use parameter `{name}`"),
                    &format!("name it as `${name}`, or leave it out"),
                );
            }
        }
    }

    fn keys(&mut self, file: &File) {
        let entities = [&file.entities.actor, &file.entities.target];
        for column in file
            .correlation_key
            .iter()
            .chain(file.suppression.iter().flat_map(|s| &s.key))
            .chain(entities.into_iter().flatten())
        {
            self.column(column);
        }
    }

    fn suppression(&mut self, suppression: &Suppression) -> (Vec<String>, i64) {
        let ns = duration_ns(&suppression.duration.value).filter(|ns| *ns > 0);
        if ns.is_none() {
            self.error(
                "TT-RULE-008",
                place(&suppression.duration),
                format!("`for: {}` is no duration", suppression.duration.value),
                "write 30s, 10m, 1h or 1d",
            );
        }
        let key = suppression.key.iter().map(|k| k.value.clone()).collect();
        (key, ns.unwrap_or(0))
    }

    fn tests(&mut self, file: &File) {
        let has = |kind| file.tests.iter().any(|t| t.value.kind == kind);
        let complete = has(Kind::Match) && has(Kind::NoMatch) && has(Kind::NearMiss);
        if file.status.value == Status::Stable && !complete {
            self.error(
                "TT-RULE-009",
                place(&file.status),
                "a stable rule needs a match, a no_match and a near_miss test".to_owned(),
                "add the test, or set `status: experimental`",
            );
        }
        let mut names = BTreeSet::new();
        for case in &file.tests {
            if !names.insert(case.value.name.as_str()) {
                self.warn(
                    "TT-RULE-019",
                    place(case),
                    format!("two tests are called `{}`", case.value.name),
                    "a failing test is found by its name",
                );
            }
            if let Err(why) = check(&case.value, &file.parameters) {
                self.error(
                    "TT-RULE-010",
                    place(case),
                    format!("test `{}`: {why}", case.value.name),
                    "see `telltale schema TABLE` for its columns",
                );
            }
        }
    }
}

/// What is wrong with a test without running it.
fn check(case: &TestCase, parameters: &Parameters) -> Result<(), String> {
    if case.capture.is_some() && case.table().is_none() {
        return Err(format!("no table `{}`", case.table));
    }
    if case.from_capture()?.is_none() {
        case.expand()?;
    }
    Tags::from_json(&case.context.tags).map_err(|why| format!("tags: {why}"))?;
    for (name, value) in &case.context.parameters {
        let default = parameters.get(name).map(|p| &p.value).ok_or_else(|| {
            let near = telltale_schema::nearest(name, parameters.keys().map(String::as_str));
            let near = near.map_or(String::new(), |n| format!("; did you mean `{n}`?"));
            format!("the rule has no parameter `{name}`{near}")
        })?;
        if let Some((is, wanted)) = crate::site::wrong_kind(default, value) {
            return Err(format!(
                "parameter `{name}` is {is}, and the rule needs {wanted}"
            ));
        }
    }
    for (name, windows) in &case.context.calendars {
        crate::site::calendar::Calendar::from_windows(windows)
            .map_err(|why| format!("calendar `{name}`: {why}"))?;
    }
    if case.kind != Kind::Match && (!case.expect.is_empty() || case.count.is_some_and(|n| n > 0)) {
        return Err("expects findings, and is no `kind: match`".to_owned());
    }
    if case.count.is_some_and(|n| n < case.expect.len()) {
        return Err("`expect` describes more findings than `count` allows".to_owned());
    }
    Ok(())
}

fn is_system_requirement(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("SR ") else {
        return false;
    };
    let (number, enhancement) = rest
        .split_once(" RE ")
        .map_or((rest, None), |(n, e)| (n, Some(e)));
    let known = number.split_once('.').is_some_and(|(a, b)| {
        let (a, b) = (
            a.parse::<usize>().unwrap_or(0),
            b.parse::<u8>().unwrap_or(0),
        );
        let most = a.checked_sub(1).and_then(|at| SYSTEM_REQUIREMENTS.get(at));
        most.is_some_and(|most| (1..=*most).contains(&b))
    });
    known && enhancement.is_none_or(|e| matches!(e.parse::<u8>(), Ok(1..=4)))
}

/// Where the SQL's text stands: its first line, and the columns by which it is indented.
pub(super) fn sql_place(text: &str, sql: &Spanned<String>) -> (u32, u32) {
    let (line, column) = place(sql);
    let nth = |n: u32| text.lines().nth(n as usize).unwrap_or("");
    // a block scalar begins after its indicator (`|`, `>-`, …), on the next line that is not blank
    let indicator = nth(line.saturating_sub(1)).trim_end();
    if !indicator.ends_with(['|', '>', '-', '+']) {
        return (line, column.saturating_sub(1));
    }
    let source = nth(line);
    let indent = source.len() - source.trim_start().len();
    (line + 1, u32::try_from(indent).unwrap_or(0))
}

/// Reads a rule file.
pub(super) fn parse(name: &str, text: &str) -> (Option<Rule>, Vec<Diagnostic>) {
    let file: File = match serde_saphyr::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            return (
                None,
                vec![crate::site::yaml_error(name, &error, "TT-RULE-001", |_| {
                    None
                })],
            );
        }
    };
    let mut lint = Lint {
        file: name,
        found: Vec::new(),
        aliases: file
            .sql
            .as_ref()
            .map_or_else(Vec::new, |s| aliases(&s.value)),
    };
    lint.head(&file);
    let sequence = file
        .sequence
        .as_ref()
        .map(|s| lint.sequence(text, &s.value))
        .or_else(|| lint.recognized(text, file.sql.as_ref()?));
    lint.references(&file);
    lint.words(&file, sequence.as_ref());
    lint.keys(&file);
    let suppression = file.suppression.as_ref().map(|s| lint.suppression(s));
    lint.tests(&file);
    let (risk, lower, requires) = lint.weight(&file);
    if lint.found.iter().any(|d| d.level == Level::Error) {
        return (None, lint.found);
    }
    let (sql_line, sql_indent) = file
        .sql
        .as_ref()
        .map_or_else(|| place(&file.name), |sql| sql_place(text, sql));
    let values = |all: Vec<Spanned<String>>| all.into_iter().map(|s| s.value).collect();
    let or = |column: Option<Spanned<String>>, default: String| column.map_or(default, |c| c.value);
    let default = Entities::default();
    let rule = Rule {
        file: name.to_owned(),
        id: file.id.value.to_lowercase(),
        name_at: place(&file.name),
        name: file.name.value,
        description: file.description.value,
        version: file.version.map_or("1.0.0".to_owned(), |v| v.value),
        severity: file.severity,
        confidence: file.confidence,
        status: file.status.value,
        owner: file.owner,
        sql: file.sql.map_or_else(String::new, |sql| sql.value),
        sequence,
        sql_line,
        sql_indent,
        parameters: file
            .parameters
            .into_iter()
            .map(|(name, value)| (name, value.value))
            .collect(),
        requires,
        entities: Entities {
            actor: or(file.entities.actor, default.actor),
            target: or(file.entities.target, default.target),
        },
        attack: values(file.attack),
        iec62443: values(file.iec62443),
        false_positives: file.false_positives,
        response: values(file.response),
        sentence: file.sentence.value,
        correlation_key: values(file.correlation_key),
        suppression,
        risk,
        lower,
        tests: file
            .tests
            .into_iter()
            .map(|case| TestCase {
                line: place(&case).0,
                ..case.value
            })
            .collect(),
        content: blake3::hash(text.as_bytes()).to_hex().to_string(),
    };
    (Some(rule), lint.found)
}

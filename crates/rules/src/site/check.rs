//! What a site says about rules, held against the rules.

use super::Site;
use crate::diagnostic::Diagnostic;
use crate::rule::Rule;
use crate::ruleset::RuleSet;
use serde_json::Value as Json;

impl Site {
    /// Words on rules, and exceptions, that no rule of the set can ever hear: unknown
    /// ids, unknown parameters, parameters of another type. `dir` names the site's folder.
    #[must_use]
    pub fn check(&self, rules: &RuleSet, dir: &str) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let rule = |id: &str| rules.rules.iter().find(|r| r.id == id);
        let layer = format!("{dir}/rules.yaml");
        for (id, word) in &self.overrides {
            let Some(rule) = rule(id) else {
                found.push(
                    Diagnostic::warning(
                        "TT-SITE-060",
                        &layer,
                        (word.lines.0, 0),
                        format!("no rule has the id `{id}`"),
                    )
                    .help("see `telltale rule list`"),
                );
                continue;
            };
            for (name, value) in &word.parameters {
                let line = word.lines.1.get(name).copied().unwrap_or(word.lines.0);
                if let Some(diagnostic) = parameter((&layer, line), rule, name, value) {
                    found.push(diagnostic);
                }
            }
        }
        for exception in &self.exceptions {
            if exception.rule != "*" && rule(&exception.rule).is_none() {
                let text = format!("no rule has the id `{}`", exception.rule);
                let file = format!("{dir}/exceptions.yaml");
                found.push(
                    Diagnostic::warning("TT-SITE-061", &file, (exception.line, 0), text)
                        .help("see `telltale rule list`"),
                );
            }
        }
        found
    }
}

fn parameter(
    (file, line): (&str, u32),
    rule: &Rule,
    name: &str,
    value: &Json,
) -> Option<Diagnostic> {
    let Some(default) = rule.parameters.get(name) else {
        let near = telltale_schema::nearest(name, rule.parameters.keys().map(String::as_str));
        let text = format!("rule `{}` has no parameter `{name}`", rule.name);
        let diagnostic = Diagnostic::error("TT-SITE-062", file, (line, 0), text);
        return Some(match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic,
        });
    };
    let kind = |v: &Json| match v {
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        _ => "neither number, text nor truth value",
    };
    (kind(default) != kind(value)).then(|| {
        let text = format!(
            "parameter `{name}` of rule `{}` is {}, and the rule needs {}",
            rule.name,
            kind(value),
            kind(default)
        );
        Diagnostic::error("TT-SITE-063", file, (line, 0), text)
    })
}

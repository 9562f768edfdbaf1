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
                        word.place,
                        format!("no rule has the id `{id}`"),
                    )
                    .help("see `telltale rule list`"),
                );
                continue;
            };
            for (name, value) in &word.parameters {
                let at = word.parameter_places.get(name).copied();
                let at = at.unwrap_or(word.place);
                found.extend(parameter(&layer, at, rule, name, value));
            }
        }
        for exception in &self.exceptions {
            if exception.rule != "*" && rule(&exception.rule).is_none() {
                let text = format!("no rule has the id `{}`", exception.rule);
                let file = format!("{dir}/exceptions.yaml");
                found.push(
                    Diagnostic::warning("TT-SITE-061", &file, exception.place, text)
                        .help("see `telltale rule list`"),
                );
            }
        }
        found
    }
}

fn parameter(
    file: &str,
    at: (u32, u32),
    rule: &Rule,
    name: &str,
    value: &Json,
) -> Option<Diagnostic> {
    let Some(default) = rule.parameters.get(name) else {
        let near = telltale_schema::nearest(name, rule.parameters.keys().map(String::as_str));
        let text = format!("rule `{}` has no parameter `{name}`", rule.name);
        let diagnostic = Diagnostic::error("TT-SITE-062", file, at, text);
        return Some(match near {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic,
        });
    };
    wrong_kind(default, value).map(|(is, wanted)| {
        let text = format!(
            "parameter `{name}` of rule `{}` is {is}, and the rule needs {wanted}",
            rule.name,
        );
        Diagnostic::error("TT-SITE-063", file, at, text)
    })
}

/// What a parameter's value is, and what the rule's own is, if they differ in kind.
pub(crate) fn wrong_kind(default: &Json, value: &Json) -> Option<(&'static str, &'static str)> {
    let kind = |v: &Json| match v {
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        _ => "neither number, text nor truth value",
    };
    let (is, wanted) = (kind(value), kind(default));
    (is != wanted).then_some((is, wanted))
}

//! Rule sets and site content take effect at their records.

use crate::{Library, Output, Partition};
use std::sync::Arc;
use telltale_bus::ContentHash;
use telltale_rules::{RuleSet, Site};

impl<L: Library> Partition<L> {
    pub(crate) fn load_rules(&mut self, hash: ContentHash, out: &mut Vec<Output>) {
        let Some(rules) = self.library.rules(&hash) else {
            return self.refuse(format!("there is no rule set {hash}"), out);
        };
        let before = std::mem::replace(&mut self.whole, rules);
        match self.reload() {
            Ok(outputs) => {
                self.rules_hash = Some(hash);
                out.extend(outputs);
            }
            Err(why) => {
                self.whole = before;
                self.refuse(format!("the rule set {hash} cannot run: {why}"), out);
            }
        }
    }

    pub(crate) fn load_context(&mut self, hash: ContentHash, out: &mut Vec<Output>) {
        let Some(site) = self.library.site(&hash) else {
            return self.refuse(format!("there is no site content {hash}"), out);
        };
        let name: Arc<str> = Arc::from(site.toml.name.as_str());
        let rules = self.rules.clone();
        let run = self.site(&name);
        match run.reload(rules, site) {
            Ok(outputs) => {
                run.context = Some(hash);
                out.extend(outputs);
            }
            Err(why) => self.refuse(
                format!("the site content {hash} cannot be used: {why}"),
                out,
            ),
        }
    }

    pub(crate) fn apply_quarantine(&mut self, out: &mut Vec<Output>) {
        match self.reload() {
            Ok(outputs) => out.extend(outputs),
            Err(why) => self.refuse(why, out),
        }
    }

    /// Runs the rule set, without those in quarantine, at all sites; at none if it
    /// cannot run at one.
    fn reload(&mut self) -> Result<Vec<Output>, String> {
        let mut rules = RuleSet::clone(&self.whole);
        rules.rules.retain(|r| !self.quarantined.contains(&r.id));
        let rules = Arc::new(rules);
        let (mut outputs, mut done) = (Vec::new(), Vec::new());
        for (name, run) in &self.sites {
            done.push((name.clone(), run.reloaded(rules.clone(), run.site.clone())?));
        }
        if self.sites.is_empty() {
            // nobody else would say that it cannot run
            crate::site::check(&rules, &Site::builtin_default())?;
        }
        for (name, fresh) in done {
            if let Some(run) = self.sites.get_mut(&name) {
                run.take_over(fresh, &mut outputs);
            }
        }
        self.rules = rules;
        Ok(outputs)
    }
}

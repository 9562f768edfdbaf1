//! A site's content as rules look things up in it: immutable, shared by all rules.

use std::collections::BTreeMap;
use std::sync::Arc;
use telltale_rules::Site;
use telltale_rules::site::assets::Assets;
use telltale_rules::site::calendar::Calendar;
use telltale_rules::site::list::List;
use telltale_rules::site::tags::Tags;

/// Content of one site.
pub(crate) struct Context {
    pub(crate) lists: BTreeMap<String, Arc<List>>,
    pub(crate) calendars: BTreeMap<String, Arc<Calendar>>,
    pub(crate) assets: Arc<Assets>,
    pub(crate) tags: Arc<Tags>,
}

impl Context {
    pub(crate) fn of(site: &Site) -> Self {
        Self {
            lists: site
                .lists
                .iter()
                .map(|(name, list)| (name.clone(), Arc::new(list.clone())))
                .collect(),
            calendars: site
                .calendars
                .iter()
                .map(|(name, calendar)| (name.clone(), Arc::new(calendar.clone())))
                .collect(),
            assets: Arc::new(site.assets.clone()),
            tags: Arc::new(site.tags.clone()),
        }
    }
}

#![no_main]
//! A rule's SQL, or a whole rule file: it runs or says why not; one that runs says the
//! same when its state is taken out and put back in the middle.
mod story;
use story::{begin, go_on, rule};
use telltale_partition::{Config, Partition};
use telltale_rules::{RuleSet, Site};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let whole = RuleSet::from_texts([("fuzz.yaml", text)].into_iter()).0;
    let set = if whole.rules.is_empty() {
        let Ok(sql) = serde_json::to_string(text) else { return };
        let text = rule(1, &format!("sql: {sql}"));
        RuleSet::from_texts([("fuzz.yaml", text.as_str())].into_iter()).0
    } else {
        whole
    };
    let Some(first) = set.rules.first() else { return };
    let mut site = Site::builtin_default();
    for name in &first.requires.lists {
        site.lists.insert(name.clone(), Default::default());
    }
    let (_, found) = telltale_engine::Detector::compile(&set, &site, Default::default());
    for diagnostic in &found {
        std::hint::black_box(diagnostic.to_string());
    }
    if !found.is_empty() {
        return;
    }
    let mut straight = begin(set.clone());
    let (mut one, mut two) = (Vec::new(), Vec::new());
    go_on(&mut straight, 0..2, &mut one);
    let snapshot = straight.snapshot().expect("state can be written");
    let shelf = story::Shelf(std::sync::Arc::new(set));
    let mut cut = Partition::restore(shelf, Config::default(), &snapshot).expect("and read");
    one.clear();
    go_on(&mut straight, 2..4, &mut one);
    go_on(&mut cut, 2..4, &mut two);
    straight.finish(&mut one);
    cut.finish(&mut two);
    let said = |all: &[telltale_partition::Output]| -> Vec<String> {
        all.iter().map(telltale_partition::Output::identity).collect()
    };
    assert_eq!(said(&one), said(&two));
});

//! A site's folder of which the bytes are one file, and the parts that can be read alone.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::OnceLock;
use telltale_rules::site::assets::Assets;
use telltale_rules::site::calendar::Calendar;
use telltale_rules::site::list::List;
use telltale_rules::site::tags::Tags;
use telltale_rules::{RuleSet, Site};

/// The files of a folder that are read from the folder only.
const FILES: [&str; 3] = ["site.toml", "exceptions.yaml", "rules.yaml"];

/// A folder of this process.
fn folder() -> &'static PathBuf {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = std::env::temp_dir().join(format!("telltale-fuzz-site-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder for the site");
        dir
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some((first, rest)) = text.split_at_checked(1) else {
        return;
    };
    let noon = 1_767_268_800_000_000_000;
    match first {
        "a" => drop(Assets::parse("assets.csv", rest)),
        "t" => drop(Tags::parse("tags.csv", rest)),
        "l" => {
            if let (Some(list), _) = List::parse("list.csv", rest) {
                std::hint::black_box((list.len(), list.contains(&[], noon)));
            }
        }
        "c" => {
            if let Ok(calendar) = Calendar::parse("c.yaml", rest, chrono_tz::Europe::Vienna) {
                std::hint::black_box(calendar.contains(None, noon));
            }
        }
        "s" | "e" | "r" => {
            let which = match first {
                "s" => FILES[0],
                "e" => FILES[1],
                _ => FILES[2],
            };
            for name in FILES {
                let text = match name {
                    name if name == which => rest,
                    "site.toml" => "name = \"fuzz\"\ntime_zone = \"UTC\"\n",
                    _ => "",
                };
                std::fs::write(folder().join(name), text).expect("a file of the site");
            }
            let (site, found) = Site::load(folder()).expect("the folder is there");
            for diagnostic in found {
                std::hint::black_box(diagnostic.to_string());
            }
            if let Some(site) = site {
                std::hint::black_box(site.check(&RuleSet::default(), "site"));
            }
        }
        _ => {}
    }
});

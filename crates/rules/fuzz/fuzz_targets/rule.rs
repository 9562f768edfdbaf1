//! Rule files: nothing panics, and what does not load says why.
#![no_main]
use libfuzzer_sys::fuzz_target;
use telltale_rules::{Level, Rule};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (rule, found) = Rule::parse("fuzz.yaml", text);
    let errors = found.iter().filter(|d| d.level == Level::Error).count();
    match rule {
        Some(rule) => {
            assert_eq!(errors, 0, "{found:?}");
            std::hint::black_box(rule.in_file(1, 1));
            for case in &rule.tests {
                std::hint::black_box(case.expand().is_ok());
            }
        }
        None => assert!(errors > 0, "{found:?}"),
    }
    for diagnostic in found {
        std::hint::black_box(diagnostic.to_string());
    }
});

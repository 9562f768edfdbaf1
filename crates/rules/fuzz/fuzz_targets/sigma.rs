//! Sigma documents, whole and as parts that the bytes choose: what is made loads, what
//! is refused has a reason, and nothing panics.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use telltale_rules::Rule;
use telltale_rules::sigma::{Mapping, Outcome, import};

fn mapping() -> &'static Mapping {
    static MAPPING: OnceLock<Mapping> = OnceLock::new();
    MAPPING.get_or_init(Mapping::default)
}

fn see(text: &str) {
    for one in import("fuzz.yml", text, mapping()) {
        match one.outcome {
            Outcome::Rules(made) => {
                for file in made {
                    let (rule, found) = Rule::parse(&file.file_name, &file.text);
                    assert!(rule.is_some(), "{found:?}\n{}", file.text);
                }
            }
            Outcome::Refused(why) => {
                assert!(!why.is_empty());
                // what was made must load; a refusal for that is a mistake of ours
                assert!(why.iter().all(|r| r.code != "TT-SIG-014"), "{why:?}\n{text}");
            }
            Outcome::Part(of) => assert!(!of.is_empty()),
        }
    }
}

/// A value in single quotes, as YAML writes it.
fn quoted(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", text.replace('\'', "''"))
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some((first, rest)) = text.split_at_checked(1) else {
        return see(text);
    };
    // most mutations of YAML are no YAML: half of the runs put the bytes in places where they are
    let parts: Vec<&str> = rest.split('\u{1}').collect();
    let part = |n: usize| quoted(parts.get(n).copied().unwrap_or("x"));
    match first {
        "A" => see(&format!(
            "title: {}\nlogsource: {{product: telltale, service: s7comm}}\ndetection:\n  a: {{{}: {}}}\n  b: {{function: {}, filename: {}}}\n  condition: {}\n",
            part(0), part(1), part(2), part(3), part(4), part(5)
        )),
        "B" => see(&format!(
            "title: a\nname: a\nlogsource: {{product: zeek, service: conn}}\ndetection:\n  a: {{id.orig_h: {}, duration|gt: {}}}\n  condition: a\n---\ntitle: {}\ncorrelation: {{type: {}, rules: [a, a], group-by: [{}], timespan: {}, condition: {{gte: 3, field: {}}}}}\n",
            part(0), part(1), part(2), part(3), part(4), part(5), part(6)
        )),
        "C" => see(&format!(
            "title: a\nlogsource: {{product: telltale, service: modbus}}\ndetection:\n  a: {{object: 1}}\n  b_1: {{unit_id: 2}}\n  b_2: {{client_ip: 10.0.0.1}}\n  condition: {}\n",
            part(0)
        )),
        _ => see(text),
    }
});

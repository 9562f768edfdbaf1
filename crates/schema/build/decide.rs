//! The decision table as a `match`, and as data for docs and look-ups.

use crate::model::{Codes, DecisionSpec, Names, TableFile};
use crate::names::{camel, doc, lit, opt, upper};
use std::fmt::Write as _;

fn ranges(list: &[(u16, u16)]) -> String {
    let parts: Vec<String> = list
        .iter()
        .map(|(a, b)| {
            if a == b {
                format!("{a}")
            } else {
                format!("{a}..={b}")
            }
        })
        .collect();
    parts.join(" | ")
}

fn space<'a>(table: &'a TableFile, d: &'a DecisionSpec) -> &'a str {
    match &d.space {
        Some(s) => &s.value,
        None => table.spaces.first().map_or("", |s| &s.name.value),
    }
}

fn phase(d: &DecisionSpec) -> String {
    d.phase.as_ref().map_or_else(
        || "None".to_owned(),
        |p| format!("Some(Phase::{})", camel(&p.value)),
    )
}

/// `ObjectClass::of_number` and `of_name`, for tables whose classes have them.
pub fn class_lookup(out: &mut String, table: &TableFile) {
    if let Some(what) = &table.class_numbers {
        let _written = write!(
            out,
            "    impl ObjectClass {{\n{}        #[must_use]\n        pub const fn of_number(number: u32) -> Self {{\n            match number {{\n",
            doc("        ", &format!("The class of a number: {what}"))
        );
        for c in &table.object_classes {
            let pattern = match &c.numbers {
                Some(Codes::Ranges(r)) => ranges(r),
                Some(Codes::Any) => "_".to_owned(),
                Some(Codes::Absent) | None => continue,
            };
            let _written = writeln!(
                out,
                "                {pattern} => Self::{},",
                camel(&c.name.value)
            );
        }
        out.push_str("                #[allow(unreachable_patterns)]\n                _ => Self::None,\n            }\n        }\n    }\n");
    }
    if let Some(what) = &table.class_names {
        let _written = write!(
            out,
            "    impl ObjectClass {{\n{}        #[must_use]\n        pub fn of_name(name: &str) -> Self {{\n            match name {{\n",
            doc("        ", &format!("The class of a name: {what}"))
        );
        for c in table.object_classes.iter().filter(|c| !c.names.is_empty()) {
            let fallback = c.names.iter().any(|n| n == "*");
            let parts: Vec<String> = c
                .names
                .iter()
                .filter(|n| *n != "*")
                .map(|n| lit(n))
                .collect();
            let pattern = if fallback {
                "_".to_owned()
            } else {
                parts.join(" | ")
            };
            let _written = writeln!(
                out,
                "                {pattern} => Self::{},",
                camel(&c.name.value)
            );
        }
        out.push_str("                #[allow(unreachable_patterns)]\n                _ => Self::None,\n            }\n        }\n    }\n");
    }
}

pub fn function(out: &mut String, table: &TableFile) {
    out.push_str(
        "    /// Operation and phase from the decision table of the schema file: the first row\n    \
         /// that fits wins; what none fits is function `unknown`, operation `other`.\n    \
         #[deny(unreachable_patterns)]\n    #[must_use]\n    #[inline]\n    \
         pub fn decide(space: Space, code: u16, sub: Option<u16>, class: ObjectClass) -> Decision {\n        \
         match (space, code, sub, class) {\n",
    );
    for d in &table.decisions {
        let code = match &d.code {
            Codes::Ranges(r) => ranges(r),
            _ => "_".to_owned(),
        };
        let sub = match &d.sub {
            Codes::Any => "_".to_owned(),
            Codes::Absent => "None".to_owned(),
            Codes::Ranges(r) => format!("Some({})", ranges(r)),
        };
        let class = match &d.class {
            Names::Any => "_".to_owned(),
            Names::List(list) => {
                let parts: Vec<String> = list
                    .iter()
                    .map(|c| format!("ObjectClass::{}", camel(c)))
                    .collect();
                parts.join(" | ")
            }
        };
        let _written = writeln!(
            out,
            "            (Space::{}, {code}, {sub}, {class}) => Decision {{ function: function::{}, operation: Operation::{}, phase: {} }},",
            camel(space(table, d)),
            upper(&d.function.value),
            camel(&d.operation.value),
            phase(d)
        );
    }
    out.push_str("            #[allow(unreachable_patterns)]\n            _ => Decision::UNKNOWN,\n        }\n    }\n");
}

fn codes(c: &Codes) -> String {
    match c {
        Codes::Any => "CodeMatch::Any".to_owned(),
        Codes::Absent => "CodeMatch::Absent".to_owned(),
        Codes::Ranges(r) => format!("CodeMatch::Ranges(&{r:?})"),
    }
}

pub fn rows(out: &mut String, table: &TableFile) {
    out.push_str("    /// The decision table as it stands in the schema file.\n    pub static DECISIONS: &[DecisionRow] = &[\n");
    for d in &table.decisions {
        let classes = match &d.class {
            Names::Any => "None".to_owned(),
            Names::List(l) => format!("Some(&{l:?})"),
        };
        let _written = writeln!(
            out,
            "        DecisionRow {{ space: {}, code: {}, sub: {}, classes: {classes}, function: function::{}, operation: Operation::{}, phase: {}, doc: {} }},",
            lit(space(table, d)),
            codes(&d.code),
            codes(&d.sub),
            upper(&d.function.value),
            camel(&d.operation.value),
            phase(d),
            opt(d.doc.as_deref())
        );
    }
    out.push_str("    ];\n");
}

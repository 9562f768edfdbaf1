//! From names in the files to names in Rust.

/// `read_coils` → `ReadCoils`.
pub fn camel(name: &str) -> String {
    name.split('_')
        .map(|part| {
            let mut chars = part.chars();
            match chars.next() {
                Some(first) => first.to_ascii_uppercase().to_string() + chars.as_str(),
                None => String::new(),
            }
        })
        .collect()
}

/// `read_coils` → `READ_COILS`.
pub fn upper(name: &str) -> String {
    name.to_ascii_uppercase()
}

/// A Rust string literal.
pub fn lit(text: &str) -> String {
    format!("{:?}", text.trim())
}

/// `Some("…")` or `None`.
pub fn opt(text: Option<&str>) -> String {
    text.map_or_else(|| "None".to_owned(), |t| format!("Some({})", lit(t)))
}

/// Doc comment lines.
pub fn doc(indent: &str, text: &str) -> String {
    text.trim()
        .lines()
        .map(|l| {
            let escaped = l
                .replace('[', "\\[")
                .replace(']', "\\]")
                .replace('<', "\\<");
            format!("{indent}/// {}\n", escaped.trim_end())
        })
        .collect()
}

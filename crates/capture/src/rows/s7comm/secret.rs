//! Passwords: only a keyed hash leaves this file, and whether it is a known default.

/// Passwords that stand in lists of factory settings and in public exploit code
/// for this family (SCADA StrangeLove's SCADAPASS among them), compared without
/// regard to case and without the spaces that fill up to eight characters.
const DEFAULTS: [&[u8]; 9] = [
    b"",
    b"basisk",
    b"siemens",
    b"simatic",
    b"step7",
    b"admin",
    b"password",
    b"12345678",
    b"00000000",
];

/// Appends the keyed hash of a password as hexadecimal; says whether it is a default.
pub(super) fn hash(text: &mut String, key: &[u8; 32], password: &[u8; 8]) -> bool {
    let end = password
        .iter()
        .rposition(|b| !matches!(b, b' ' | 0))
        .map_or(0, |last| last + 1);
    let trimmed = password.get(..end).unwrap_or(password);
    text.push_str(&blake3::keyed_hash(key, trimmed).to_hex());
    DEFAULTS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(trimmed))
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn the_hash_depends_on_key_and_password_not_on_padding() {
        let of = |key: u8, password: &[u8; 8]| {
            let mut text = String::new();
            let known = hash(&mut text, &[key; 32], password);
            (text, known)
        };
        assert_eq!(of(1, b"basisk  "), of(1, b"basisk\0\0"));
        assert!(of(1, b"Basisk  ").1 && of(1, b"        ").1);
        assert!(!of(1, b"x9Kq!t2 ").1);
        assert_ne!(of(1, b"basisk  ").0, of(2, b"basisk  ").0);
        assert_eq!(of(1, b"basisk  ").0.len(), 64);
    }
}

//! Secure authentication (IEEE 1815-2012, annex A.45: group 120).

/// User number of an object of group 120, by variation. Variations 8 to 15 (update
/// keys) name users by text and have none.
#[must_use]
pub fn user(variation: u8, bytes: &[u8]) -> Option<u16> {
    let at = match variation {
        // a sequence number of four bytes stands before it: challenge, reply,
        // aggressive mode, session keys, error
        1..=3 | 5..=7 => 4,
        // a request for the session keys' status begins with it
        4 => 0,
        _ => return None,
    };
    let bytes = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::user;

    #[test]
    fn the_user_stands_behind_the_sequence_number() {
        let challenge = [1, 0, 0, 0, 2, 0, 4, 1, 9];
        assert_eq!(user(1, &challenge), Some(2));
        assert_eq!(user(4, &[7, 1]), Some(263));
        assert_eq!(user(1, &[1, 0, 0, 0, 2]), None);
        assert_eq!(user(9, &challenge), None);
    }
}

//! What names a flow: our number and the Community ID.

use super::Key;
use crate::ip::Address;
use base64::Engine as _;
use sha1::{Digest as _, Sha1};

fn v4_of(ip: &Address) -> Option<[u8; 4]> {
    match ip {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Some([*a, *b, *c, *d]),
        _ => None,
    }
}

fn feed(sha: &mut Sha1, key: &Key) {
    for end in [&key.a, &key.b] {
        match v4_of(&end.ip) {
            Some(v4) => sha.update(v4),
            None => sha.update(end.ip),
        }
    }
    sha.update([key.protocol, 0]);
    if let (Some(a), Some(b)) = (key.a.port, key.b.port) {
        sha.update(a.to_be_bytes());
        sha.update(b.to_be_bytes());
    }
}

/// Community ID flow hashing, version 1, seed 0 (corelight/community-id-spec): a
/// text of fixed length, kept beside the rest of the flow.
#[derive(Debug, Clone, Copy)]
#[repr(align(16))]
pub struct CommunityId([u8; 32]);

impl CommunityId {
    const LEN: usize = 30;

    pub(super) fn new(key: &Key) -> Self {
        let mut sha = Sha1::new();
        sha.update([0, 0]);
        feed(&mut sha, key);
        let mut text = *b"1:                              ";
        if let Some(rest) = text.get_mut(2..Self::LEN) {
            // 20 bytes are 28 characters: it fits
            base64::engine::general_purpose::STANDARD
                .encode_slice(sha.finalize(), rest)
                .unwrap_or_default();
        }
        Self(text)
    }

    /// As it stands in rows.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // whole words, aligned: this is what is checked fastest
        std::str::from_utf8(&self.0)
            .ok()
            .and_then(|text| text.get(..Self::LEN))
            .unwrap_or_default()
    }
}

/// Number of a flow.
pub(super) fn flow_id(key: &Key, first_ns: i64) -> u64 {
    let mut sha = Sha1::new();
    sha.update(first_ns.to_be_bytes());
    sha.update(key.segment.to_be_bytes());
    feed(&mut sha, key);
    let hash = sha.finalize();
    hash.first_chunk::<8>()
        .map_or(0, |b| u64::from_be_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::super::Endpoint;
    use super::*;
    use crate::ip::map_v4;

    #[test]
    fn community_id_of_the_specification() {
        // baseline of community-id-spec: 128.232.110.120:34855 > 66.35.250.204:80, TCP
        let a = Endpoint {
            ip: map_v4([128, 232, 110, 120]),
            port: Some(34855),
        };
        let b = Endpoint {
            ip: map_v4([66, 35, 250, 204]),
            port: Some(80),
        };
        for (src, dst) in [(a, b), (b, a)] {
            let (key, _) = Key::new(src, dst, 6, 0);
            assert_eq!(
                CommunityId::new(&key).as_str(),
                "1:LQU9qZlK+B5F3KDmev6m5PMibrg="
            );
        }
    }
}

//! Addresses and times as text, both ways.

use chrono::{DateTime, SecondsFormat};
use std::net::{IpAddr, Ipv6Addr};

/// 16 bytes of an IP address in text; IPv4 is mapped into `::ffff:0:0/96`.
#[must_use]
pub fn parse_ip(text: &str) -> Option<[u8; 16]> {
    match text.trim().parse::<IpAddr>().ok()? {
        IpAddr::V4(v4) => Some(v4.to_ipv6_mapped().octets()),
        IpAddr::V6(v6) => Some(v6.octets()),
    }
}

/// The address of 16 bytes; a mapped IPv4 address as IPv4.
#[must_use]
pub fn ip_addr(bytes: [u8; 16]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
}

/// A MAC address in text, `aa:bb:cc:dd:ee:ff` or with hyphens.
#[must_use]
pub fn parse_mac(text: &str) -> Option<u64> {
    let mut mac = 0u64;
    let mut parts = 0;
    for part in text.trim().split([':', '-']) {
        let plain = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        if !plain {
            return None;
        }
        mac = (mac << 8) | u64::from(u8::from_str_radix(part, 16).ok()?);
        parts += 1;
    }
    (parts == 6).then_some(mac)
}

/// A MAC address as `aa:bb:cc:dd:ee:ff`.
#[must_use]
pub fn mac_text(mac: u64) -> String {
    let [_, _, a, b, c, d, e, f] = mac.to_be_bytes();
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// Nanoseconds since 1970-01-01 UTC of an RFC 3339 time.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text.trim())
        .ok()?
        .timestamp_nanos_opt()
}

/// RFC 3339 in UTC with nanoseconds.
#[must_use]
pub fn time_text(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns).to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// A float that is a whole number and exact as such.
pub(super) fn whole(v: f64) -> Option<i64> {
    let exact = v.fract() == 0.0 && v.abs() < 9_007_199_254_740_992.0;
    // within ±2^53 the conversion is exact; -0.0 stays a float
    (exact && !(v == 0.0 && v.is_sign_negative())).then_some(v as i64)
}

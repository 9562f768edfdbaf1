//! Lists and calendars against plain oracles, on random content.
#![allow(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use telltale_rules::site::calendar::Calendar;
use telltale_rules::site::list::List;
use telltale_schema::value::{Value, parse_time};

/// A cell with what it means, said in numbers.
#[derive(Debug, Clone)]
enum Cell {
    Any,
    One(u32),
    Range(u32, u32),
    Net(u32, u8),
}

impl Cell {
    fn text(&self) -> String {
        let ip = |n: u32| Ipv4Addr::from(n).to_string();
        match self {
            Self::Any => "*".to_owned(),
            Self::One(n) => ip(*n),
            Self::Range(a, b) => format!("{}-{}", ip(*a), ip(*b)),
            Self::Net(n, bits) => format!("{}/{bits}", ip(*n)),
        }
    }

    fn holds(&self, ip: u32) -> bool {
        match self {
            Self::Any => true,
            Self::One(n) => *n == ip,
            Self::Range(a, b) => *a <= ip && ip <= *b,
            Self::Net(n, bits) => {
                let shift = 32 - u32::from(*bits);
                u64::from(*n) >> shift == u64::from(ip) >> shift
            }
        }
    }
}

// few addresses, so that they meet
fn address() -> impl Strategy<Value = u32> {
    (0u32..64).prop_map(|n| 0x0a00_00e0 + n)
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        Just(Cell::Any),
        address().prop_map(Cell::One),
        (address(), 0u32..8).prop_map(|(a, n)| Cell::Range(a, a + n)),
        (address(), 0u8..=32).prop_map(|(n, bits)| Cell::Net(n, bits)),
    ]
}

fn ip(n: u32) -> Value {
    Value::Ip(IpAddr::V4(Ipv4Addr::from(n)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lists_answer_like_a_plain_search(
        rows in prop::collection::vec((cell(), cell(), 0i64..10, 0i64..10), 0..20),
        asked in prop::collection::vec((address(), address(), 0i64..10), 1..40),
    ) {
        let day = |n: i64| format!("2026-01-{:02}", n + 1);
        let mut csv = "client,server,valid_from,valid_until,note\n".to_owned();
        for (client, server, from, until) in &rows {
            csv += &format!("{},{},{},{},x\n", client.text(), server.text(), day(*from), day(*until));
        }
        let (list, found) = List::parse("x.csv", &csv);
        prop_assert!(found.is_empty(), "{found:?}");
        let list = list.unwrap();
        prop_assert_eq!(list.len(), rows.len());
        for (client, server, at) in asked {
            let now = parse_time(&format!("{}T12:00:00Z", day(at))).unwrap();
            let fits = |c: &Cell, s: &Cell, from: i64, until: i64| c.holds(client) && s.holds(server) && from <= at && at < until;
            let expected = rows.iter().any(|(c, s, from, until)| fits(c, s, *from, *until));
            prop_assert_eq!(list.contains(&[ip(client), ip(server)], now), expected);
            let first = rows.iter().any(|(c, _, from, until)| fits(c, &Cell::Any, *from, *until));
            prop_assert_eq!(list.contains(&[ip(client)], now), first);
            prop_assert!(!list.contains(&[Value::Null, Value::Null], now) || rows.iter().any(|r| matches!((&r.0, &r.1), (Cell::Any, Cell::Any))));
        }
    }

    #[test]
    fn no_text_makes_a_panic(text in ".{0,300}", name in "[a-z]{1,8}") {
        let (list, _) = List::parse(&name, &text);
        if let Some(list) = list {
            std::hint::black_box(list.contains(&[Value::Text(text.clone())], 0));
        }
        let zone = chrono_tz::Europe::Vienna;
        if let Ok(calendar) = Calendar::parse(&name, &text, zone) {
            std::hint::black_box(calendar.contains(None, 0));
        }
        let (_, found) = telltale_rules::Rule::parse(&name, &text);
        prop_assert!(!found.is_empty());
    }

    #[test]
    fn no_recurrence_makes_a_panic(
        freq in prop::sample::select(vec!["SECONDLY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
        rest in prop::collection::vec(
            ("(INTERVAL|COUNT|UNTIL|BYDAY|BYMONTHDAY|BYMONTH|BYSETPOS|BYHOUR|WKST|BYYEARDAY)", "(-?[0-9]{1,5}|MO|1SA,-1SU|20270101|x)"), 0..3),
    ) {
        let parts: Vec<String> = rest.iter().map(|(k, v)| format!(";{k}={v}")).collect();
        let text = format!("- {{from: \"2026-03-28T01:30\", until: \"2026-03-28T03:30\", rrule: \"FREQ={freq}{}\"}}\n", parts.concat());
        if let Ok(calendar) = Calendar::parse("x.yaml", &text, chrono_tz::Europe::Vienna) {
            std::hint::black_box(calendar.contains(None, i64::MAX));
            std::hint::black_box(calendar.contains(None, i64::MIN));
        }
    }
}

fn at(text: &str) -> i64 {
    parse_time(text).unwrap()
}

#[test]
fn windows_repeat_monthly_over_midnight_and_count() {
    let zone = chrono_tz::Europe::Vienna;
    let text = "- {from: \"2026-12-05T22:00\", until: \"2026-12-06T04:00\", rrule: FREQ=MONTHLY;BYDAY=1SA;COUNT=3}\n";
    let calendar = Calendar::parse("m.yaml", text, zone).unwrap();
    for (time, inside) in [
        ("2026-12-05T20:59:59Z", false),
        ("2026-12-05T21:00:00Z", true),
        ("2026-12-06T02:59:59Z", true),
        ("2026-12-06T03:00:00Z", false),
        ("2026-12-12T22:00:00Z", false),
        ("2027-01-02T23:00:00Z", true),
        ("2027-02-07T01:00:00Z", true),
        ("2027-03-06T22:00:00Z", false), // a fourth
    ] {
        assert_eq!(calendar.contains(None, at(time)), inside, "{time}");
    }
}

#[test]
fn a_night_window_keeps_its_hours_when_the_clock_changes() {
    // 29 March 2026: 02:00 becomes 03:00 in Vienna; 25 October: 03:00 becomes 02:00
    let text = "- {from: \"2026-03-01T22:00\", until: \"2026-03-02T06:00\", rrule: FREQ=DAILY}\n";
    let calendar = Calendar::parse("m.yaml", text, chrono_tz::Europe::Vienna).unwrap();
    for (time, inside) in [
        ("2026-03-28T20:59:59Z", false),
        ("2026-03-28T21:00:00Z", true),
        ("2026-03-29T03:59:59Z", true),  // 05:59:59 summer time
        ("2026-03-29T04:00:00Z", false), // 06:00
        ("2026-10-24T19:59:59Z", false),
        ("2026-10-24T20:00:00Z", true),
        ("2026-10-25T04:59:59Z", true), // 05:59:59 winter time
        ("2026-10-25T05:00:00Z", false),
    ] {
        assert_eq!(calendar.contains(None, at(time)), inside, "{time}");
    }
}

#[test]
fn until_is_local_or_utc_or_a_whole_day() {
    let zone = chrono_tz::Europe::Vienna;
    for (until, last) in [
        ("20260310", true),
        ("20260310T060000", true),
        ("20260310T050000Z", true),
        ("20260310T045959Z", false),
        ("20260309", false),
    ] {
        let text = format!(
            "- {{from: \"2026-03-01T06:00\", until: \"2026-03-01T08:00\", rrule: FREQ=DAILY;UNTIL={until}}}\n"
        );
        let calendar = Calendar::parse("m.yaml", &text, zone).unwrap();
        assert_eq!(
            calendar.contains(None, at("2026-03-10T05:30:00Z")),
            last,
            "{until}"
        );
        assert!(
            !calendar.contains(None, at("2026-03-11T05:30:00Z")),
            "{until}"
        );
    }
}

use super::*;
use std::net::IpAddr;
use telltale_schema::value::Value;

fn ip(text: &str) -> Value {
    Value::Ip(text.parse().unwrap())
}

#[test]
fn the_demo_site_loads() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sites/demo");
    let (site, found) = Site::load(&dir).unwrap();
    assert!(found.is_empty(), "{found:?}");
    let site = site.unwrap();
    assert!(
        site.lists.contains_key("engineering_stations")
            && site.calendars.contains_key("maintenance")
    );
    assert_eq!(
        site.assets
            .get(&"10.20.1.32".parse().unwrap())
            .unwrap()
            .name,
        "PLC-2"
    );
    assert_eq!(site.tags.len(), 11);
}

#[test]
fn lists_know_networks_ranges_stars_and_validity() {
    let text = "client,server,valid_until\n10.0.0.0/24,*,\n10.1.0.5-10.1.0.9,10.2.0.1,2026-01-01\n";
    let (list, found) = List::parse("x.csv", text);
    assert!(found.is_empty());
    let list = list.unwrap();
    assert!(list.contains(&[ip("10.0.0.77"), ip("1.1.1.1")], 0));
    assert!(
        list.contains(&[ip("10.0.0.77")], 0),
        "fewer values than columns"
    );
    assert!(list.contains(&[ip("10.1.0.7"), ip("10.2.0.1")], 0));
    assert!(!list.contains(&[ip("10.1.0.10"), ip("10.2.0.1")], 0));
    assert!(
        !list.contains(&[ip("10.1.0.7"), ip("10.2.0.1")], 1_800_000_000_000_000_000),
        "no longer valid"
    );
    assert!(!list.contains(&[Value::Null, ip("1.1.1.1")], 0));
    let (_, found) = List::parse("bad.csv", "a,b\n1,2\n1\n");
    assert_eq!((found[0].code, found[0].line), ("TT-SITE-011", 3));
}

#[test]
fn calendars_repeat_in_the_sites_zone_across_daylight_saving() {
    let zone = chrono_tz::Europe::Vienna;
    let text = "- {from: \"2026-03-02T06:00:00\", until: \"2026-03-02T08:00:00\", rrule: \"FREQ=WEEKLY;BYDAY=MO\", ip: 10.0.0.0/8}\n";
    let calendar = Calendar::parse("m.yaml", text, zone).unwrap();
    let at = |text: &str| telltale_schema::value::parse_time(text).unwrap();
    let plc: Option<IpAddr> = Some("10.0.0.2".parse().unwrap());
    // winter: 06:00 in Vienna is 05:00 UTC; summer: 04:00 UTC
    assert!(calendar.contains(plc, at("2026-03-09T05:30:00Z")));
    assert!(!calendar.contains(plc, at("2026-03-09T04:30:00Z")));
    assert!(calendar.contains(plc, at("2026-04-06T04:30:00Z")));
    assert!(
        !calendar.contains(plc, at("2026-04-07T04:30:00Z")),
        "a Tuesday"
    );
    assert!(!calendar.contains(
        Some("192.168.1.1".parse().unwrap()),
        at("2026-03-09T05:30:00Z")
    ));
    assert!(
        !calendar.contains(plc, at("2026-02-23T05:30:00Z")),
        "before it begins"
    );
    let wrong = Calendar::parse(
        "m.yaml",
        "- {from: \"2026-03-02T06:00:00\", until: x}\n",
        zone,
    )
    .unwrap_err();
    assert_eq!((wrong.code, wrong.line), ("TT-SITE-021", 1));
}

#[test]
fn bad_files_are_named_with_their_line_and_left_out_alone() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("site.toml", "name = \"x\"\ntime_zone = \"Europe/Viena\"\n");
    write("rules.yaml", "abc:\n  severity: awful\n");
    write(
        "exceptions.yaml",
        "- {rule: \"*\", match: {client_ip: 10.0.0.1}, reason: r, owner: o, expires: never}\n",
    );
    write(
        "tags.csv",
        "device,object,name\n10.0.0.1,coil:1,ok\n10.0.0.1,coil,bad\n",
    );
    let (site, found) = Site::load(dir.path()).unwrap();
    let site = site.unwrap();
    assert!(!site.tags.is_empty() && site.overrides.is_empty() && site.exceptions.is_empty());
    let lines: Vec<_> = found.iter().map(|d| (d.code, d.line)).collect();
    assert_eq!(
        lines,
        [
            ("TT-SITE-003", 2),
            ("TT-SITE-040", 3),
            ("TT-SITE-051", 1),
            ("TT-SITE-004", 2)
        ]
    );
    assert!(found[0].help.as_deref().unwrap().contains("Europe/Vienna"));
}

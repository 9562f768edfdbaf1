use super::tags::{Tags, Touched};
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
    let (tag, value) = site
        .tags
        .find(&Touched {
            device: "10.20.1.31".parse().unwrap(),
            station: Some("1"),
            object: None,
            object_type: "holding_register",
            first: Some(98),
            count: 5,
            data: Some(&[0.0, 0.0, 97.0, 1.0, 2.0]),
            real: false,
        })
        .unwrap();
    assert_eq!(
        (tag.name.as_str(), value),
        ("Tank 1 level setpoint", Some(97.0))
    );
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

/// Points of all protocols, with the values that their rows tell.
#[test]
fn tags_name_points_of_every_protocol() {
    let text = "device,station,object,name,type,scale,low,high\n\
        10.0.0.1,,DB10.DBW4,speed,i16,0.1,0,1500\n\
        10.0.0.1,,DB10.DBD8,level,f32,1,,\n\
        10.0.0.1,,M10.3,pump,bool,,,\n\
        10.0.0.1,,T5,delay,,,,\n\
        10.0.0.2,,tag:Tank1.Level,tank,f32,1,20,85\n\
        10.0.0.3,7,holding_register:0,flow seven,u32,1,,\n\
        10.0.0.3,,holding_register:0,flow,u16,1,,\n\
        10.0.0.4,,analog_input:3,voltage,f32,2,,\n";
    let (tags, found) = Tags::parse("tags.csv", text);
    assert!(found.is_empty(), "{found:?}");
    let find = |device: &str, station, object, kind, first, count, data: &[f64], real| {
        tags.find(&Touched {
            device: device.parse().unwrap(),
            station,
            object: Some(object),
            object_type: kind,
            first,
            count,
            data: Some(data),
            real,
        })
        .map(|(tag, value)| (tag.name.clone(), value))
    };
    let is = |name: &str, value: f64| Some((name.to_owned(), Some(value)));
    let word = |object, data: &[f64]| find("10.0.0.1", None, object, "db", Some(4), 2, data, false);
    assert_eq!(word("DB10.DBW4", &[15.0]), is("speed", 1.5));
    assert_eq!(word("DB10.DBW4", &[65535.0]), is("speed", -0.1));
    assert_eq!(word("DB11.DBW4", &[15.0]), None);
    // a run of bytes holds the word at its fifth and sixth byte
    let bytes = [0.0, 0.0, 0.0, 0.0, 1.0, 2.0];
    let run = find(
        "10.0.0.1",
        None,
        "DB10.DBB0..5",
        "db",
        Some(0),
        6,
        &bytes,
        false,
    );
    assert_eq!(run, is("speed", 25.8));
    let raw = f64::from(20.5_f32.to_bits());
    let real =
        |data: &[f64], real| find("10.0.0.1", None, "DB10.DBD8", "db", Some(8), 4, data, real);
    assert_eq!(real(&[raw], false), is("level", 20.5));
    assert_eq!(real(&[20.0], true), is("level", 20.0));
    let bit = find(
        "10.0.0.1",
        None,
        "M10.3",
        "marker",
        Some(10),
        1,
        &[1.0],
        false,
    );
    assert_eq!(bit, is("pump", 1.0));
    let bits = find(
        "10.0.0.1",
        None,
        "MB10",
        "marker",
        Some(10),
        1,
        &[8.0],
        false,
    );
    assert_eq!(bits, is("pump", 1.0));
    let timer = find("10.0.0.1", None, "T5", "timer", Some(5), 1, &[3.0], false);
    assert_eq!(timer, is("delay", 3.0));
    let tag = find(
        "10.0.0.2",
        None,
        "tag:Tank1.Level",
        "tag",
        None,
        1,
        &[98.0],
        false,
    );
    assert_eq!(tag, is("tank", 98.0));
    let register = |station, data: &[f64]| {
        let count = data.len() as u64;
        find(
            "10.0.0.3",
            station,
            "",
            "holding_register",
            Some(0),
            count,
            data,
            false,
        )
    };
    assert_eq!(register(Some("7"), &[1.0, 2.0]), is("flow seven", 65538.0));
    assert_eq!(register(Some("8"), &[1.0, 2.0]), is("flow", 1.0));
    let analog = find(
        "10.0.0.4",
        None,
        "g30v5:3",
        "analog_input",
        Some(3),
        1,
        &[1.25],
        false,
    );
    assert_eq!(analog, is("voltage", 2.5));
    let outside = |device: &str, name, value| tags.is_outside(device.parse().unwrap(), name, value);
    assert!(outside("10.0.0.2", "tank", 98.0) && !outside("10.0.0.2", "tank", 50.0));
    assert!(!outside("10.0.0.9", "tank", 98.0) && !outside("10.0.0.1", "level", 1e9));
}

use super::*;
use telltale_schema::value::parse_ip;

const CSV: &str = "\
device,segment,station,object,name,type,word_order,scale,unit,low,high
10.0.0.2,,,holding_register:100,level,u16,,0.1,%,20,85
10.0.0.2,,,holding_register:101,speed,i16,,1,rpm,0,2900
10.0.0.2,,,holding_register:110,temperature,f32,,1,°C,2,95
10.0.0.2,,,holding_register:112,total,u32,little,1,l,,
10.0.0.2,,,holding_register:120,energy,f64,,1,kWh,,
10.0.0.2,,7,holding_register:100,level of unit 7,,,1,mm,,
10.0.0.2,cell-2,,holding_register:100,level of cell 2,,,1,mm,,
10.0.0.2,,,coil:0,pump,bool,,,,,
10.0.0.3,,,binary_output:2,valve,,,,,,
10.0.0.3,,,analog_output:0,setpoint,,,0.5,bar,0,10
10.0.0.3,,,g30v1:4,pressure,i16,,0.01,bar,,
10.0.0.4,,,DB10.DBW4,weight,i16,,0.1,kg,0,50
10.0.0.4,,,DB10.DBD6,flow,f32,,1,l/s,,
10.0.0.4,,,DB10.DBX0.3,enable,,,,,,
10.0.0.4,,,MB7,mode,,,,,0,2
10.0.0.4,,,T5,dwell,,,,,,
10.0.0.5,,,tag:Tank1.Level,tank,,,1,%,0,100
10.0.0.5,,,tag:Recipe[2],step,,,1,,0,9
10.0.0.5,,,pccc:N7:3,dose,i16,,0.1,ml,,
";

fn show(device: u8, place: Place<'_>, data: &[f64]) -> String {
    at(("default", None), device, place, data)
}

fn at(where_: (&str, Option<&str>), device: u8, object: Place<'_>, data: &[f64]) -> String {
    let (tags, found) = Tags::parse("tags.csv", CSV);
    assert!(found.is_empty(), "{found:?}");
    let found = tags.find(&Touched {
        device: parse_ip(&format!("10.0.0.{device}")).unwrap(),
        segment: where_.0,
        station: where_.1,
        object,
        data,
    });
    found.map_or("nothing".to_owned(), |f| match f.value {
        Some(value) => format!("{} = {value}", f.tag.name),
        None => f.tag.name.clone(),
    })
}

fn registers(first: u64, count: u64) -> Place<'static> {
    Place::Modbus {
        class: "holding_register",
        first,
        count,
    }
}

#[test]
fn registers_make_values() {
    assert_eq!(show(2, registers(100, 1), &[980.0]), "level = 98");
    assert_eq!(show(2, registers(100, 1), &[]), "level", "a read's request");
    assert_eq!(show(2, registers(100, 1), &[3.0]), "level = 0.3");
    assert_eq!(show(2, registers(101, 1), &[65535.0]), "speed = -1");
    assert_eq!(
        show(
            2,
            registers(110, 2),
            &[f64::from(0x42a5), f64::from(0x8000)]
        ),
        "temperature = 82.75"
    );
    assert_eq!(show(2, registers(112, 2), &[2.0, 1.0]), "total = 65538");
    assert_eq!(
        show(2, registers(120, 4), &[f64::from(0x4029), 0.0, 0.0, 0.0]),
        "energy = 12.5"
    );
    assert_eq!(
        show(2, registers(111, 1), &[7.0]),
        "temperature",
        "half of it was written: no value, and yet it is touched"
    );
    assert_eq!(show(2, registers(102, 8), &[0.0; 8]), "nothing");
    assert_eq!(show(9, registers(100, 1), &[1.0]), "nothing");
    let coil = Place::Modbus {
        class: "coil",
        first: 0,
        count: 8,
    };
    assert_eq!(show(2, coil, &[1.0, 0.0]), "pump = 1");
    assert_eq!(show(2, registers(u64::MAX, 9), &[1.0]), "nothing");
}

#[test]
fn a_value_outside_its_limits_does_not_hide_behind_another() {
    let all = registers(99, 20);
    let mut data = [0.0; 20];
    data[1] = 500.0;
    data[2] = 100.0;
    assert_eq!(show(2, all, &data), "temperature = 0");
    (data[11], data[12]) = (f64::from(0x4120), 0.0);
    assert_eq!(show(2, all, &data), "level = 50", "all fit: the first");
    data[2] = 3000.0;
    assert_eq!(show(2, all, &data), "speed = 3000");
    (data[11], data[12]) = (f64::from(0x7fc0), 0.0);
    data[2] = 0.0;
    assert_eq!(
        show(2, all, &data),
        "temperature = NaN",
        "what is no number is outside"
    );
}

#[test]
fn station_and_segment_are_more_than_an_address() {
    let level = registers(100, 1);
    let unit = |n| at(("default", Some(n)), 2, level, &[400.0]);
    assert_eq!(unit("7"), "level of unit 7 = 400");
    assert_eq!(unit("1"), "level = 40");
    assert_eq!(
        at(("cell-2", Some("1")), 2, level, &[400.0]),
        "level of cell 2 = 400"
    );
}

#[test]
fn points_of_dnp3() {
    let points = |class, first, count, indexes| Place::Dnp3 {
        class,
        first,
        count,
        indexes,
    };
    assert_eq!(
        show(3, points("control_relay", 2, 1, &[2]), &[1.0]),
        "valve = 1",
        "a command is of the output that it sets"
    );
    assert_eq!(
        show(3, points("analog_command", 0, 1, &[0]), &[30.0]),
        "setpoint = 15"
    );
    assert_eq!(
        show(
            3,
            points("analog_input", 0, 8, &[]),
            &[0.0, 0.0, 0.0, 0.0, 250.0]
        ),
        "pressure = 2.5"
    );
    assert_eq!(
        show(
            3,
            points("analog_input", 9, 3, &[9, 4, 1]),
            &[1.0, 300.0, 2.0]
        ),
        "pressure = 3"
    );
    assert_eq!(
        show(3, points("analog_input", 9, 3, &[9, 4, 1]), &[1.0, 300.0]),
        "pressure",
        "a value is missing: whose, nobody knows"
    );
}

fn s7(area: u8, db: u16, first: u64, size: u8, count: u64) -> Place<'static> {
    Place::S7 {
        area,
        db,
        first,
        bit: 0,
        size,
        count,
        length: 1,
    }
}

#[test]
fn variables_of_s7() {
    // as it stands
    assert_eq!(show(4, s7(0x84, 10, 4, 5, 2), &[-30.0]), "weight = -3");
    assert_eq!(show(4, s7(0x84, 10, 4, 4, 2), &[65506.0]), "weight = -3");
    assert_eq!(show(4, s7(0x84, 10, 6, 8, 4), &[1.5]), "flow = 1.5");
    // within a run of bytes, or of words
    let bytes = [0.0, 0.0, 0.0, 0.0, 2.0, 88.0];
    assert_eq!(show(4, s7(0x84, 10, 0, 2, 6), &bytes), "weight = 60");
    assert_eq!(show(4, s7(0x84, 10, 2, 4, 4), &[0.0, 600.0]), "weight = 60");
    // a DWORD over two of them, and half a word
    assert_eq!(show(4, s7(0x84, 10, 5, 2, 1), &[1.0]), "weight");
    // bits
    assert_eq!(show(4, s7(0x84, 10, 0, 2, 1), &[8.0]), "enable = 1");
    assert_eq!(show(4, s7(0x84, 10, 0, 2, 1), &[0xf7.into()]), "enable = 0");
    let bit = |bit, length| Place::S7 {
        area: 0x84,
        db: 10,
        first: 0,
        bit,
        size: 1,
        count: 1,
        length,
    };
    assert_eq!(show(4, bit(3, 1), &[1.0]), "enable = 1");
    assert_eq!(show(4, bit(2, 2), &[1.0, 0.0]), "enable = 0");
    assert_eq!(show(4, bit(4, 1), &[1.0]), "nothing");
    assert_eq!(show(4, s7(0x83, 0, 7, 2, 1), &[3.0]), "mode = 3");
    assert_eq!(show(4, s7(0x83, 0, 6, 4, 2), &[2.0]), "mode = 2");
    assert_eq!(show(4, s7(0x1d, 0, 5, 29, 1), &[77.0]), "dwell = 77");
    assert_eq!(show(4, s7(0x84, 11, 4, 5, 2), &[1.0]), "nothing");
}

#[test]
fn names_of_cip() {
    let tag = |object, count| Place::Cip { object, count };
    assert_eq!(
        show(5, tag("tag:tank1.LEVEL", 1), &[55.5]),
        "tank = 55.5",
        "Logix does not tell case apart"
    );
    assert_eq!(
        show(5, tag("tag:Recipe", 4), &[1.0, 2.0, 3.0, 4.0]),
        "step = 3"
    );
    assert_eq!(show(5, tag("tag:Recipe[1]", 2), &[1.0, 12.0]), "step = 12");
    assert_eq!(show(5, tag("tag:Recipe[3]", 2), &[1.0, 12.0]), "nothing");
    assert_eq!(
        show(5, tag("pccc:N7:2", 4), &[1.0, 25.0]),
        "dose = 2.5",
        "its count is in bytes"
    );
    assert_eq!(show(5, tag("class:0x01/instance:1", 1), &[]), "nothing");
}

#[test]
fn what_cannot_be_a_tag() {
    let lines = [
        ("10.0.0.2,coil,x,,,,", "no point"),
        ("10.0.0,coil:1,x,,,,", "no address"),
        ("10.0.0.2,coil:1,,,,,", "a `name`"),
        ("10.0.0.2,coil:1,x,u16,,,", "is a bool"),
        ("10.0.0.2,coil:1..2,x,,,,", "several"),
        ("10.0.0.2,DB1.DBB0..3,x,,,,", "several"),
        ("10.0.0.2,DB1.DBW0,x,f32,,,", "no such type"),
        ("10.0.0.2,DB1.DBD0,x,f32,little,,", "Modbus registers"),
        ("10.0.0.2,coil:1,x,word,,,", "write bool"),
        ("10.0.0.2,coil:1,x,,middle,,", "big or little"),
        ("10.0.0.2,coil:1,x,,,9,3", "above"),
        ("10.0.0.2,coil:1,x,,,NaN,", "no number"),
    ];
    for (line, why) in lines {
        let text = format!("device,object,name,type,word_order,low,high\n{line}\n");
        let (tags, found) = Tags::parse("tags.csv", &text);
        assert!(tags.is_empty(), "{line}");
        assert_eq!((found[0].code, found[0].line), ("TT-SITE-040", 2));
        assert!(found[0].message.contains(why), "{}", found[0].message);
    }
    let twice = "device,object,name\n10.0.0.3,control_relay:2,a\n10.0.0.3,g10v2:2,b\n";
    let (tags, found) = Tags::parse("tags.csv", twice);
    assert_eq!((tags.len(), found[0].code), (1, "TT-SITE-042"));
}

#[test]
fn limits_are_asked_by_name() {
    let (tags, _) = Tags::parse("tags.csv", CSV);
    let outside = |device: &str, name, value| tags.is_outside(device.parse().unwrap(), name, value);
    assert!(outside("10.0.0.2", "level", 98.0) && !outside("10.0.0.2", "level", 50.0));
    assert!(outside("::ffff:10.0.0.2", "level", f64::INFINITY));
    assert!(outside("10.0.0.5", "tank", -0.1), "by a name of CIP");
    assert!(!outside("10.0.0.9", "level", 98.0) && !outside("10.0.0.2", "total", 1e9));
}

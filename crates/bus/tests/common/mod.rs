//! Made frames and a small source of numbers, for tests, benches and fuzz targets.
#![allow(dead_code, reason = "each test takes what it needs")]

pub mod disk;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use telltale_bus::SensorFrame;
use telltale_schema::value::{RowValues, Value, batch};
use telltale_schema::{ColumnDef, ColumnKind, Frame, TableId};

/// SplitMix64: the same numbers for the same seed.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
}

const TEXTS: [&str; 6] = [
    "",
    "short",
    "exactly twelv",
    "a text that does not fit into a view and needs a buffer",
    "größer als man denkt, mit Umlauten",
    "holding_register:40001",
];

fn value(def: &ColumnDef, random: &mut Random) -> Value {
    let n = random.next();
    match def.kind {
        ColumnKind::Bool => Value::Bool(n & 1 == 1),
        ColumnKind::U8 => Value::U64(n & 0xff),
        ColumnKind::U16 => Value::U64(n & 0xffff),
        ColumnKind::U32 => Value::U64(n & 0xffff_ffff),
        ColumnKind::U64 => Value::U64(n >> (n & 63)),
        ColumnKind::I64 => Value::I64(n as i64 >> (n & 63)),
        ColumnKind::F64 => Value::F64(f64::from(n as i32) / 8.0),
        ColumnKind::Text => match n % 7 {
            6 => Value::Text(format!("{n:016x}-{:016x}", random.next())),
            at => Value::Text(TEXTS[at as usize].to_owned()),
        },
        ColumnKind::Ip if n & 1 == 1 => Value::Ip(IpAddr::V4(Ipv4Addr::from(n as u32))),
        ColumnKind::Ip => Value::Ip(IpAddr::V6(Ipv6Addr::from(u128::from(n) << 64 | 1))),
        ColumnKind::Mac => Value::Mac(n & 0xffff_ffff_ffff),
        ColumnKind::Timestamp => Value::Time((n >> 2) as i64),
        ColumnKind::ListF64 => {
            Value::List((0..n % 5).map(|i| Value::F64(i as f64 / 2.0)).collect())
        }
        ColumnKind::ListU32 => Value::List((0..n % 5).map(Value::U64).collect()),
        ColumnKind::Enum(e) => {
            let names: Vec<_> = e.def().names().collect();
            Value::Text(names[(n % names.len() as u64) as usize].to_owned())
        }
    }
}

/// A row of any values; of the columns that it may lack, `filled` of 8 have one.
pub fn row(table: TableId, filled: u64, random: &mut Random) -> RowValues {
    let mut row = RowValues::new(table);
    for (at, def) in table.def().columns.iter().enumerate() {
        if !def.nullable || random.below(8) < filled {
            row.set_at(at, value(def, random));
        }
    }
    row
}

/// A frame of any rows.
pub fn frame(seed: u64, max_rows: u64) -> SensorFrame {
    let mut random = Random(seed);
    let mut batches = Vec::new();
    for table in TableId::ALL {
        let rows = match random.below(3) {
            0 => continue,
            1 => 1,
            _ => random.below(max_rows + 1),
        };
        let filled = random.below(9);
        let rows: Vec<_> = (0..rows)
            .map(|_| row(*table, filled, &mut random))
            .collect();
        batches.push(batch(*table, &rows).expect("made rows fit their table"));
    }
    SensorFrame {
        epoch: random.next() >> random.below(64),
        frame: Frame {
            site: TEXTS[random.below(6) as usize].into(),
            sensor: "sensor-1".into(),
            seq: random.next() >> random.below(64),
            watermark: random.next() as i64,
            batches,
        },
    }
}

/// The same rows, numbers and names.
pub fn same(a: &SensorFrame, b: &SensorFrame) -> bool {
    let (x, y) = (&a.frame, &b.frame);
    a.epoch == b.epoch
        && (&x.site, &x.sensor, x.seq, x.watermark) == (&y.site, &y.sensor, y.seq, y.watermark)
        && x.batches.len() == y.batches.len()
        && x.batches
            .iter()
            .zip(&y.batches)
            .all(|(a, b)| a.table == b.table && a.batch == b.batch)
}

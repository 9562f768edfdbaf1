//! Objects as rows write them, taken apart: the grammars of `/schemas/*.yaml`
//! read backwards, as far as people name points with them.

use crate::tables::{TableId, dnp3, modbus, s7comm};

/// What the text of an object names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object<'t> {
    /// Elements of Modbus: `holding_register:100`, `coil:0..7`.
    Modbus {
        /// Kind of the elements.
        class: modbus::ObjectClass,
        /// First and last address.
        span: (u64, u64),
    },
    /// Points of DNP3: `g30v1:0..7`, or without a variation `analog_input:0`.
    Dnp3 {
        /// Kind of the points.
        class: dnp3::ObjectClass,
        /// Group and variation, where they are said.
        group: Option<(u8, u8)>,
        /// First and last index.
        span: (u64, u64),
    },
    /// A variable of S7: `DB10.DBW4`, `M10.3`, `QB4..7`, `T5`.
    S7 {
        /// Area number, such as 0x84 for a data block.
        area: u8,
        /// Number of the data block, else 0.
        db: u16,
        /// Letter behind the area.
        size: S7Size,
        /// First and last byte, or number of a timer or counter.
        span: (u64, u64),
        /// Bit of a single bit, else 0.
        bit: u8,
    },
    /// A name of CIP: `tag:Tank1.Level`, `tag:Recipe[3]`, `pccc:N7:0`.
    Cip {
        /// Its text without the last index, prefix included.
        base: &'t str,
        /// The last index; 0 if there is none.
        index: u64,
    },
}

/// What an S7 address spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum S7Size {
    /// One bit: `X`, or a dot.
    Bit,
    /// `B`: bytes.
    Byte,
    /// `W`: 16 bits.
    Word,
    /// `D`: 32 bits.
    Double,
    /// A timer or counter.
    Element,
}

impl S7Size {
    /// Bytes of it; of a bit the byte that it lies in.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Bit | Self::Byte | Self::Element => 1,
            Self::Word => 2,
            Self::Double => 4,
        }
    }

    /// Transport size of an address of this size.
    #[must_use]
    pub const fn transport_size(self, area: u8) -> u8 {
        match self {
            Self::Bit => 1,
            Self::Byte => 2,
            Self::Word => 4,
            Self::Double => 6,
            Self::Element => area,
        }
    }
}

/// Areas of S7 by their letters, the longer ones first.
const AREAS: [(&str, u8); 7] = [
    ("PI", 0x80),
    ("PQ", 0x80),
    ("I", 0x81),
    ("Q", 0x82),
    ("M", 0x83),
    ("C", 0x1c),
    ("T", 0x1d),
];

impl<'t> Object<'t> {
    /// Takes the text of an object apart; `None` for what is no point of a
    /// process (blocks, files, classes) or follows no grammar.
    #[must_use]
    pub fn parse(text: &'t str) -> Option<Self> {
        let text = text.trim();
        if text.starts_with("tag:") || text.starts_with("pccc:") {
            let (base, index) = cip(text);
            return (base.len() > base.find(':')? + 1).then_some(Self::Cip { base, index });
        }
        let Some((kind, place)) = text.split_once(':') else {
            return s7(text);
        };
        let span = span(place)?;
        use modbus::ObjectClass as Modbus;
        if let Some(class) = Modbus::from_name(kind).filter(|class| {
            matches!(
                class,
                Modbus::Coil
                    | Modbus::DiscreteInput
                    | Modbus::InputRegister
                    | Modbus::HoldingRegister
            )
        }) {
            return Some(Self::Modbus { class, span });
        }
        if let Some((group, variation)) = kind.strip_prefix('g').and_then(|g| g.split_once('v'))
            && let (Ok(group), Ok(variation)) = (group.parse::<u8>(), variation.parse::<u8>())
        {
            return Some(Self::Dnp3 {
                class: dnp3::ObjectClass::of_number(group.into()),
                group: Some((group, variation)),
                span,
            });
        }
        let class = dnp3::ObjectClass::from_name(kind)?;
        is_point(class).then_some(Self::Dnp3 {
            class,
            group: None,
            span,
        })
    }

    /// The table whose rows have such objects.
    #[must_use]
    pub const fn table(&self) -> TableId {
        match self {
            Self::Modbus { .. } => TableId::Modbus,
            Self::Dnp3 { .. } => TableId::Dnp3,
            Self::S7 { .. } => TableId::S7comm,
            Self::Cip { .. } => TableId::Cip,
        }
    }

    /// The `object_type` of their rows.
    #[must_use]
    pub fn object_type(&self) -> &'static str {
        match self {
            Self::Modbus { class, .. } => class.as_str(),
            Self::Dnp3 { class, .. } => class.as_str(),
            Self::S7 { area, .. } => s7comm::ObjectClass::of_number((*area).into()).as_str(),
            Self::Cip { base, .. } if base.starts_with("pccc") => "pccc",
            Self::Cip { .. } => "tag",
        }
    }
}

/// Is it a kind of DNP3 point that has a value?
const fn is_point(class: dnp3::ObjectClass) -> bool {
    use dnp3::ObjectClass as Class;
    matches!(
        class,
        Class::BinaryInput
            | Class::DoubleBitInput
            | Class::BinaryOutput
            | Class::ControlRelay
            | Class::Counter
            | Class::AnalogInput
            | Class::Deadband
            | Class::AnalogOutput
            | Class::AnalogCommand
    )
}

/// A name of CIP as its text without the last index, and that index.
#[must_use]
pub fn cip(text: &str) -> (&str, u64) {
    let index = |base: &'_ str, index: &str| {
        let plain = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
        plain
            .then(|| index.parse().ok())
            .flatten()
            .map(|n| (base.len(), n))
    };
    let split = if text.starts_with("pccc:") {
        text.rsplit_once(':').and_then(|(base, at)| index(base, at))
    } else {
        text.strip_suffix(']')
            .and_then(|t| t.rsplit_once('['))
            .and_then(|(base, at)| index(base, at))
    };
    let (end, n) = split.unwrap_or((text.len(), 0));
    (text.get(..end).unwrap_or(text), n)
}

/// `4`, or `4..7`.
fn span(text: &str) -> Option<(u64, u64)> {
    let number = |t: &str| {
        let plain = !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| t.parse::<u64>().ok()).flatten()
    };
    match text.split_once("..") {
        None => number(text).map(|n| (n, n)),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some((first, last))
        }
    }
}

fn s7<'t>(text: &'t str) -> Option<Object<'t>> {
    let (area, db, rest) = match text.split_once(".DB") {
        Some((db, rest)) => (0x84, db.strip_prefix("DB")?.parse().ok()?, rest),
        None => {
            let (letters, area) = AREAS.iter().find(|(l, _)| text.starts_with(l))?;
            (*area, 0, text.get(letters.len()..)?)
        }
    };
    if matches!(area, 0x1c | 0x1d) {
        return Some(Object::S7 {
            area,
            db,
            size: S7Size::Element,
            span: span(rest)?,
            bit: 0,
        });
    }
    let sized = |size: S7Size| rest.get(1..).map(|place| (size, place));
    let (size, place) = match rest.bytes().next()? {
        b'X' if area == 0x84 => sized(S7Size::Bit)?,
        b'B' => sized(S7Size::Byte)?,
        b'W' => sized(S7Size::Word)?,
        b'D' => sized(S7Size::Double)?,
        _ if area == 0x84 => return None,
        _ => (S7Size::Bit, rest),
    };
    if size == S7Size::Bit {
        let (byte, bit) = place.split_once('.')?;
        let (byte, bit) = (span(byte)?, bit.parse::<u8>().ok().filter(|b| *b < 8)?);
        return Some(Object::S7 {
            area,
            db,
            size,
            span: byte,
            bit,
        });
    }
    let (first, last) = span(place)?;
    Some(Object::S7 {
        area,
        db,
        size,
        span: (first, last.max(first + size.bytes() - 1)),
        bit: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_read_as_they_are_written() {
        let show = |text: &str| format!("{:?}", Object::parse(text).unwrap());
        assert_eq!(
            show("holding_register:100..101"),
            "Modbus { class: HoldingRegister, span: (100, 101) }"
        );
        assert_eq!(
            show("g12v1:3"),
            "Dnp3 { class: ControlRelay, group: Some((12, 1)), span: (3, 3) }"
        );
        assert_eq!(
            show("analog_input:7"),
            "Dnp3 { class: AnalogInput, group: None, span: (7, 7) }"
        );
        assert_eq!(
            show("DB10.DBW4"),
            "S7 { area: 132, db: 10, size: Word, span: (4, 5), bit: 0 }"
        );
        assert_eq!(
            show("DB1.DBX4.7"),
            "S7 { area: 132, db: 1, size: Bit, span: (4, 4), bit: 7 }"
        );
        assert_eq!(
            show("MB20..23"),
            "S7 { area: 131, db: 0, size: Byte, span: (20, 23), bit: 0 }"
        );
        assert_eq!(
            show("PIW256"),
            "S7 { area: 128, db: 0, size: Word, span: (256, 257), bit: 0 }"
        );
        assert_eq!(
            show("I0.3"),
            "S7 { area: 129, db: 0, size: Bit, span: (0, 0), bit: 3 }"
        );
        assert_eq!(
            show("T5"),
            "S7 { area: 29, db: 0, size: Element, span: (5, 5), bit: 0 }"
        );
        assert_eq!(
            show("tag:Recipe[3]"),
            "Cip { base: \"tag:Recipe\", index: 3 }"
        );
        assert_eq!(
            show("tag:Grid[3,4]"),
            "Cip { base: \"tag:Grid[3,4]\", index: 0 }"
        );
        assert_eq!(show("pccc:N7:10"), "Cip { base: \"pccc:N7\", index: 10 }");
        assert_eq!(
            show("pccc:B3:1.4"),
            "Cip { base: \"pccc:B3:1.4\", index: 0 }"
        );
        for nothing in [
            "",
            "coil",
            "coil:",
            "coil:x",
            "coil:7..3",
            "coil:+1",
            "DB1.DBX4",
            "DB1.DBX4.8",
            "DB1.4",
            "DBx.DBW1",
            "M1",
            "tag:",
            "file:4:1",
            "block:OB1",
            "szl:0x0011:0x0000",
            "g60v1:all",
            "class_data:1",
            "class:0x01/instance:1",
            "Ü1",
            "DBÜ.DBW1",
        ] {
            assert_eq!(Object::parse(nothing), None, "{nothing}");
        }
    }
}

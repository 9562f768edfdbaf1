//! Objects of S7 communication as text, after the grammar in `schemas/s7comm.yaml`.
use crate::rows::scratch::{number, put};
use telltale_dissect::s7comm::item::{area, size};
use telltale_dissect::s7comm::{PiKind, Variable};
use telltale_schema::s7comm::ObjectClass;

/// The class of a variable's area.
pub(super) const fn class(variable: &Variable) -> ObjectClass {
    match variable.area {
        area::DB => ObjectClass::Db,
        area::INSTANCE_DB => ObjectClass::InstanceDb,
        area::MARKERS => ObjectClass::Marker,
        area::INPUTS | area::ANALOG_INPUTS => ObjectClass::Input,
        area::OUTPUTS | area::ANALOG_OUTPUTS => ObjectClass::Output,
        area::PERIPHERY => ObjectClass::Peripheral,
        area::TIMERS | area::TIMERS_200 => ObjectClass::Timer,
        area::COUNTERS | area::COUNTERS_200 => ObjectClass::Counter,
        area::LOCAL | area::PREVIOUS_LOCAL => ObjectClass::Local,
        _ => ObjectClass::System,
    }
}

/// The class of a PI service.
pub(super) const fn pi_class(kind: PiKind) -> ObjectClass {
    match kind {
        PiKind::Insert => ObjectClass::PiInsert,
        PiKind::Delete => ObjectClass::PiDelete,
        PiKind::Program => ObjectClass::PiProgram,
        PiKind::ProgramCold => ObjectClass::PiProgramCold,
        PiKind::Memory => ObjectClass::PiMemory,
        PiKind::Compress => ObjectClass::PiCompress,
        PiKind::Login => ObjectClass::PiLogin,
        PiKind::Other => ObjectClass::PiOther,
    }
}

/// Bytes (elements of timers and counters) that a variable spans.
pub(super) fn span(variable: &Variable) -> u32 {
    let length = u32::from(variable.length);
    if variable.is_numbered() {
        length
    } else if variable.transport_size == size::BIT {
        (u32::from(variable.bit()) + length).div_ceil(8)
    } else {
        length.saturating_mul(variable.element_bytes())
    }
}

/// Appends the variable's object, such as `DB1.DBX4.0`, `M10.3`, `T5`, `PIW256`.
pub(super) fn write(text: &mut String, variable: &Variable, writes: bool) {
    let span = span(variable).max(1);
    let first = variable.byte();
    let last = first.saturating_add(span - 1);
    let single_bit = variable.transport_size == size::BIT && variable.length <= 1;
    if variable.is_numbered() {
        let letter = if class(variable) as u8 == ObjectClass::Timer as u8 {
            'T'
        } else {
            'C'
        };
        text.push(letter);
        number(text, first);
        if span > 1 {
            text.push_str("..");
            number(text, last);
        }
        return;
    }
    match variable.area {
        area::DB => {
            text.push_str("DB");
            number(text, variable.db);
            text.push_str(".DB");
        }
        area::INSTANCE_DB => text.push_str("DI"),
        area::MARKERS => text.push('M'),
        area::INPUTS => text.push('I'),
        area::OUTPUTS => text.push('Q'),
        area::PERIPHERY => text.push_str(if writes { "PQ" } else { "PI" }),
        area::LOCAL => text.push('L'),
        area::PREVIOUS_LOCAL => text.push('V'),
        area::SYSTEM_INFO => text.push_str("SI"),
        area::SYSTEM_FLAGS => text.push_str("SM"),
        area::ANALOG_INPUTS => text.push_str("AI"),
        area::ANALOG_OUTPUTS => text.push_str("AQ"),
        other => put!(text, "area:{other:#04x}:"),
    }
    if single_bit {
        if variable.area == area::DB {
            text.push('X');
        }
        number(text, first);
        text.push('.');
        number(text, variable.bit());
        return;
    }
    let one = variable.length <= 1;
    text.push(match variable.element_bytes() {
        2 if one => 'W',
        4 if one => 'D',
        _ => 'B',
    });
    number(text, first);
    if span > 1 && !(one && matches!(variable.element_bytes(), 2 | 4)) {
        text.push_str("..");
        number(text, last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(area: u8, db: u16, transport_size: u8, length: u16, address: u32) -> String {
        let mut out = String::new();
        write(
            &mut out,
            &Variable {
                syntax: 0x10,
                transport_size,
                length,
                db,
                area,
                address,
            },
            false,
        );
        out
    }

    #[test]
    fn objects_follow_the_grammar() {
        assert_eq!(text(area::DB, 1, size::BIT, 1, 32), "DB1.DBX4.0");
        assert_eq!(text(area::DB, 10, size::BYTE, 20, 20 * 8), "DB10.DBB20..39");
        assert_eq!(text(area::DB, 3, size::WORD, 1, 16), "DB3.DBW2");
        assert_eq!(text(area::DB, 3, size::REAL, 1, 16), "DB3.DBD2");
        assert_eq!(text(area::DB, 3, size::REAL, 2, 16), "DB3.DBB2..9");
        assert_eq!(text(area::MARKERS, 0, size::BIT, 1, 83), "M10.3");
        assert_eq!(text(area::MARKERS, 0, size::BYTE, 4, 160), "MB20..23");
        assert_eq!(text(area::INPUTS, 0, size::BIT, 1, 0), "I0.0");
        assert_eq!(text(area::OUTPUTS, 0, size::BYTE, 1, 32), "QB4");
        assert_eq!(text(area::PERIPHERY, 0, size::WORD, 1, 2048), "PIW256");
        assert_eq!(text(area::TIMERS, 0, size::TIMER, 1, 5), "T5");
        assert_eq!(text(area::COUNTERS, 0, size::COUNTER, 4, 0), "C0..3");
    }
}

//! Objects of CIP as text, after the grammar in `schemas/cip.yaml`.
use crate::rows::scratch::{append_bytes, hex, number, put};
use telltale_dissect::cip::pccc::{self, Address};
use telltale_dissect::cip::{Path, Segment, Target};
use telltale_schema::cip::ObjectClass;

/// The class of what a path addresses.
pub(super) const fn class(target: &Target<'_>) -> ObjectClass {
    match (target.symbol, target.class) {
        (Some(_), _) => ObjectClass::Tag,
        (None, Some(class)) => ObjectClass::of_number(class),
        (None, None) => ObjectClass::None,
    }
}

/// Appends a path: `tag:Tank1.Level[3]` or `class:0x01/instance:1/attribute:7`.
pub(super) fn write(text: &mut String, path: &Path<'_>) {
    if path
        .segments()
        .flatten()
        .any(|s| matches!(s, Segment::Symbol(_)))
    {
        text.push_str("tag:");
        tag(text, path);
        return;
    }
    let start = text.len();
    for segment in path.segments().flatten() {
        let before = text.len();
        if before > start {
            text.push('/');
        }
        match segment {
            Segment::Class(id) => {
                text.push_str("class:");
                hex(text, id, if id > 0xff { 4 } else { 2 });
            }
            Segment::Instance(id) => {
                text.push_str("instance:");
                number(text, id);
            }
            Segment::Attribute(id) => {
                text.push_str("attribute:");
                number(text, id);
            }
            Segment::Member(id) => {
                text.push_str("member:");
                number(text, id);
            }
            Segment::ConnectionPoint(id) => {
                text.push_str("connection_point:");
                number(text, id);
            }
            _ => text.truncate(before),
        }
    }
}

/// Appends the name of a tag without a prefix.
pub(super) fn tag(text: &mut String, path: &Path<'_>) {
    let start = text.len();
    let mut in_index = false;
    for segment in path.segments().flatten() {
        if in_index && !matches!(segment, Segment::Member(_)) {
            text.push(']');
            in_index = false;
        }
        match segment {
            Segment::Symbol(name) => {
                if text.len() > start {
                    text.push('.');
                }
                append_bytes(text, name);
            }
            Segment::Member(index) => {
                text.push(if in_index { ',' } else { '[' });
                number(text, index);
                in_index = true;
            }
            _ => {}
        }
    }
    if in_index {
        text.push(']');
    }
}

/// Appends the route of port segments: `1/0`, or `2/10.0.0.1,1/3`.
pub(super) fn route(text: &mut String, path: &Path<'_>) {
    let start = text.len();
    for segment in path.segments().flatten() {
        if let Segment::Port { port, link } = segment {
            if text.len() > start {
                text.push(',');
            }
            match link {
                [node] => {
                    number(text, port);
                    text.push('/');
                    number(text, *node);
                }
                link => {
                    number(text, port);
                    text.push('/');
                    append_bytes(text, link);
                }
            }
        }
    }
}

/// Appends an address of a data table: `pccc:N7:0`, `pccc:B3:1.4`.
pub(super) fn pccc(text: &mut String, address: &Address<'_>) {
    text.push_str("pccc:");
    match pccc::file_letters(address.file_type) {
        Some(letters) => text.push_str(letters),
        None => put!(text, "{:#04x}-", address.file_type),
    }
    put!(text, "{}:{}", address.file, address.element);
    if let Some(sub) = address.sub.filter(|sub| *sub != 0) {
        put!(text, ".{sub}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &[u8]) -> String {
        let mut out = String::new();
        write(&mut out, &Path { raw });
        out
    }

    #[test]
    fn paths_follow_the_grammar() {
        assert_eq!(
            text(&[0x20, 1, 0x24, 1, 0x30, 7]),
            "class:0x01/instance:1/attribute:7"
        );
        assert_eq!(
            text(&[0x21, 0, 0x2a, 3, 0x25, 0, 0x20, 0x24]),
            "class:0x032a/instance:9248"
        );
        assert_eq!(
            text(&[0x20, 4, 0x2c, 150]),
            "class:0x04/connection_point:150"
        );
        assert_eq!(
            text(&[
                0x91, 5, b'T', b'a', b'n', b'k', b'1', 0, 0x91, 2, b'L', b'v'
            ]),
            "tag:Tank1.Lv"
        );
        assert_eq!(
            text(&[0x91, 2, b'R', b'c', 0x28, 3, 0x28, 4]),
            "tag:Rc[3,4]"
        );
        assert_eq!(
            text(&[0x91, 2, b'R', b'c', 0x28, 3, 0x91, 1, b'x', 0]),
            "tag:Rc[3].x"
        );
        assert_eq!(text(&[0xff, 1, 2]), "");
    }

    #[test]
    fn routes_and_data_table_addresses() {
        let mut out = String::new();
        route(
            &mut out,
            &Path {
                raw: &[1, 0, 0x12, 3, b'1', b'.', b'2', 0],
            },
        );
        assert_eq!(out, "1/0,2/1.2");
        out.clear();
        pccc(
            &mut out,
            &Address {
                file_type: 0x89,
                file: 7,
                element: 0,
                sub: Some(0),
                bytes: 2,
                values: &[],
            },
        );
        assert_eq!(out, "pccc:N7:0");
    }
}

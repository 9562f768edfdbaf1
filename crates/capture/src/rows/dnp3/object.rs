//! Object headers and their points as items of rows.

use super::{Dnp3, Item, MAX_ROWS};
use crate::rows::scratch::{append_bytes, number, put};
use telltale_dissect::dnp3::{FileObject, Object, Range, auth_user, file_function};
use telltale_schema::Decision;
use telltale_schema::dnp3::{ObjectClass, Row, Space, decide};

/// Points whose values are kept of one object header.
const MAX_POINTS: usize = 4096;
/// Indexes that are written out in an object's text.
const NAMED_INDEXES: usize = 8;

impl Dnp3<'_> {
    /// Rows of an object header: one, or one per point for controls.
    pub(super) fn object(&mut self, function: u8, object: &Object<'_>, base: Row<'static>) {
        let class = ObjectClass::of_number(u32::from(object.group));
        let decision = decide(Space::Application, u16::from(function), None, class);
        let (range_start, range_stop) = match object.range {
            Range::Span { first, last } => (Some(first), Some(last)),
            _ => (None, None),
        };
        let row = Row {
            group: Some(object.group),
            variation: Some(object.variation),
            qualifier: Some(object.qualifier),
            range_start,
            range_stop,
            ..base
        };
        if object.has_data && matches!(object.group, 12 | 41) {
            self.controls(decision, class, object, row);
            return;
        }
        let (data, indexes, text, file) = (
            self.buffers.data.len(),
            self.buffers.indexes.len(),
            self.buffers.names.len(),
            self.buffers.names.len(),
        );
        let mut row = row;
        let mut first = range_start;
        let (mut text_at, mut file_at) = ((text, text), (file, file));
        if let Some(point) = object.points().next() {
            if first.is_none() && object.is_indexed() {
                first = Some(point.index);
            }
            let at = self.buffers.names.len();
            match object.group {
                120 => row.auth_user = auth_user(object.variation, point.bytes),
                70 => {
                    row.file_function = file_function(object.variation);
                    if let Ok(found) = FileObject::read(object.variation, point.bytes) {
                        append_bytes(&mut self.buffers.names, found.name);
                        file_at = (at, self.buffers.names.len());
                        row.file_size = found.size;
                    }
                }
                0 => {
                    let attribute = point.attribute();
                    if let Some(text) = attribute.and_then(|a| a.text()) {
                        append_bytes(&mut self.buffers.names, text);
                        text_at = (at, self.buffers.names.len());
                    }
                    let number = attribute.and_then(|a| a.number());
                    #[expect(clippy::cast_precision_loss, reason = "documented: values are f64")]
                    self.buffers.data.extend(number.map(|n| n as f64));
                }
                110..=113 => {
                    append_bytes(&mut self.buffers.names, point.bytes);
                    text_at = (at, self.buffers.names.len());
                }
                _ => {}
            }
        }
        let points = object.points().take(MAX_POINTS);
        if object.is_indexed() {
            for point in points {
                self.buffers.indexes.push(point.index);
                self.buffers.data.extend(point.value);
            }
        } else {
            self.buffers
                .data
                .extend(points.filter_map(|point| point.value));
        }
        let at = self.buffers.names.len();
        if file_at.1 > file_at.0 {
            put!(&mut self.buffers.names, "file:");
            self.buffers.names.extend_from_within_range(file_at);
        } else {
            group(&mut self.buffers.names, object);
            match (object.range, self.buffers.indexes.get(indexes..)) {
                (Range::Span { first, last }, _) if first == last => {
                    self.buffers.names.push(':');
                    number(&mut self.buffers.names, first);
                }
                (Range::Span { first, last }, _) => {
                    self.buffers.names.push(':');
                    number(&mut self.buffers.names, first);
                    self.buffers.names.push_str("..");
                    number(&mut self.buffers.names, last);
                }
                (Range::All, _) => put!(&mut self.buffers.names, ":all"),
                (Range::Count(_), Some(list)) if !list.is_empty() => {
                    for (n, index) in list.iter().take(NAMED_INDEXES).enumerate() {
                        self.buffers.names.push(if n == 0 { ':' } else { ',' });
                        number(&mut self.buffers.names, *index);
                    }
                    if list.len() > NAMED_INDEXES {
                        put!(&mut self.buffers.names, "…");
                    }
                }
                (Range::Count(count), _) => put!(&mut self.buffers.names, ":count={count}"),
            }
        }
        self.buffers.items.push(Item {
            decision,
            class,
            row,
            object: (at, self.buffers.names.len()),
            first: first.map(u64::from),
            count: object.count(),
            data: (data, self.buffers.data.len()),
            indexes: (indexes, self.buffers.indexes.len()),
            text: text_at,
            file: file_at,
            failed: None,
        });
    }

    fn controls(
        &mut self,
        decision: Decision,
        class: ObjectClass,
        object: &Object<'_>,
        base: Row<'static>,
    ) {
        for point in object.points().take(MAX_POINTS) {
            if self.buffers.items.len() >= MAX_ROWS {
                break;
            }
            let data = self.buffers.data.len();
            let indexes = self.buffers.indexes.len();
            self.buffers.indexes.push(point.index);
            let mut row = base;
            let mut status = point.flags.filter(|_| object.group == 41);
            if let Some(crob) = point
                .crob()
                .filter(|_| object.group == 12 && object.variation == 1)
            {
                row.control_code = Some(crob.code);
                row.control_op = crob.operation_name();
                row.trip_close = Some(crob.trip_close_name());
                row.count = Some(crob.count);
                row.on_time = Some(crob.on_time);
                row.off_time = Some(crob.off_time);
                status = Some(crob.status);
                let on = matches!(crob.operation(), 1 | 3) || crob.trip_close() == 1;
                self.buffers.data.push(f64::from(u8::from(on)));
            } else if let Some(value) = point.value {
                self.buffers.data.push(value);
            }
            row.control_status = status;
            let at = self.buffers.names.len();
            group(&mut self.buffers.names, object);
            self.buffers.names.push(':');
            number(&mut self.buffers.names, point.index);
            self.buffers.items.push(Item {
                decision,
                class,
                row,
                object: (at, self.buffers.names.len()),
                first: Some(u64::from(point.index)),
                count: Some(1),
                data: (data, self.buffers.data.len()),
                indexes: (indexes, self.buffers.indexes.len()),
                text: (0, 0),
                file: (0, 0),
                failed: status.filter(|s| *s != 0).map(u32::from),
            });
        }
    }
}

/// Group and variation of an object, as `g30v1`.
fn group(text: &mut String, object: &Object<'_>) {
    text.push('g');
    number(text, object.group);
    text.push('v');
    number(text, object.variation);
}

/// Text copied within one buffer.
trait ExtendWithin {
    fn extend_from_within_range(&mut self, range: (usize, usize));
}

impl ExtendWithin for String {
    fn extend_from_within_range(&mut self, (from, to): (usize, usize)) {
        if self.is_char_boundary(from) && self.is_char_boundary(to) && from <= to {
            self.reserve(to - from);
            let mut at = from;
            while at < to {
                let Some(c) = self.get(at..to).and_then(|s| s.chars().next()) else {
                    break;
                };
                self.push(c);
                at += c.len_utf8();
            }
        }
    }
}

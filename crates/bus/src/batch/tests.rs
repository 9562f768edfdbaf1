//! Messages that Arrow would take, or fall over, and we refuse.

use super::*;
use arrow_ipc::{
    BodyCompressionBuilder, BodyCompressionMethod, CompressionType, FieldNode, KeyValueBuilder,
    MessageBuilder, MessageHeader, RecordBatchBuilder,
};
use flatbuffers::FlatBufferBuilder;
use telltale_schema::value::{RowDefaults, batch, row_from_json};

const TABLE: TableId = TableId::Modbus;

/// Everything that a message says.
struct Craft {
    version: MetadataVersion,
    kind: MessageHeader,
    compression: Option<CompressionType>,
    rows: i64,
    nodes: Vec<FieldNode>,
    buffers: Vec<arrow_ipc::Buffer>,
    variadic: Vec<i64>,
    body_bytes: i64,
    metadata: bool,
}

impl Craft {
    fn of(message: &[u8]) -> Self {
        let message = arrow_ipc::root_as_message(message).unwrap();
        let batch = message.header_as_record_batch().unwrap();
        Self {
            version: message.version(),
            kind: message.header_type(),
            compression: None,
            rows: batch.length(),
            nodes: batch.nodes().unwrap().iter().copied().collect(),
            buffers: batch.buffers().unwrap().iter().copied().collect(),
            variadic: batch.variadicBufferCounts().unwrap().iter().collect(),
            body_bytes: message.bodyLength(),
            metadata: false,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut fbb = FlatBufferBuilder::new();
        let nodes = fbb.create_vector(&self.nodes);
        let buffers = fbb.create_vector(&self.buffers);
        let variadic = fbb.create_vector(&self.variadic);
        let compression = self.compression.map(|codec| {
            let mut builder = BodyCompressionBuilder::new(&mut fbb);
            builder.add_method(BodyCompressionMethod::BUFFER);
            builder.add_codec(codec);
            builder.finish()
        });
        let mut builder = RecordBatchBuilder::new(&mut fbb);
        builder.add_length(self.rows);
        builder.add_nodes(nodes);
        builder.add_buffers(buffers);
        builder.add_variadicBufferCounts(variadic);
        if let Some(compression) = compression {
            builder.add_compression(compression);
        }
        let header = builder.finish().as_union_value();
        let metadata = self.metadata.then(|| {
            let key = fbb.create_string("key");
            let mut builder = KeyValueBuilder::new(&mut fbb);
            builder.add_key(key);
            let pair = builder.finish();
            fbb.create_vector(&[pair])
        });
        let mut builder = MessageBuilder::new(&mut fbb);
        builder.add_version(self.version);
        builder.add_header_type(self.kind);
        builder.add_bodyLength(self.body_bytes);
        builder.add_header(header);
        if let Some(metadata) = metadata {
            builder.add_custom_metadata(metadata);
        }
        let root = builder.finish();
        fbb.finish(root, None);
        fbb.finished_data().to_vec()
    }
}

/// Some rows with short and long texts, lists and missing values.
fn rows() -> TableBatch {
    let mut rows = Vec::new();
    for n in 0..5_u64 {
        let text = format!("holding_register:{n}, and more than fits a view");
        let json = serde_json::json!({
            "function": "read_holding_registers",
            "unit_id": n,
            "object": if n == 1 { serde_json::Value::Null } else { text.into() },
            "data": [1.5, 2.5],
        });
        let defaults = RowDefaults {
            row_no: n,
            ..RowDefaults::default()
        };
        rows.push(row_from_json(TABLE, json.as_object().unwrap(), &defaults).unwrap());
    }
    batch(TABLE, &rows).unwrap()
}

/// Columns, message and body.
fn encoded(rows: &TableBatch) -> (Columns, Vec<u8>, Buffer) {
    let encoded = Writer::new().unwrap().encode(rows).unwrap();
    let mut message = Vec::new();
    encoded.write(&mut message);
    let body = message.split_off(encoded.metadata_bytes);
    assert_eq!(body.len(), encoded.body_bytes);
    (encoded.columns, message, Buffer::from_vec(body))
}

fn refused(change: impl FnOnce(&mut Craft)) -> String {
    let rows = rows();
    let (columns, message, body) = encoded(&rows);
    let mut craft = Craft::of(&message);
    change(&mut craft);
    let read = decode(&Sent {
        table: TABLE,
        rows: 5,
        columns: &columns,
        metadata: &craft.bytes(),
        body: &body,
    });
    match read {
        Ok(read) => {
            assert_eq!(read.batch, rows.batch);
            String::new()
        }
        Err(RecordError::Message { reason, .. }) => reason.to_owned(),
        Err(e) => e.to_string(),
    }
}

fn buffer(offset: i64, length: i64) -> arrow_ipc::Buffer {
    arrow_ipc::Buffer::new(offset, length)
}

#[test]
fn what_is_crafted_as_arrow_writes_it_is_read() {
    assert_eq!(refused(|_| {}), "");
}

#[test]
fn messages_that_are_not_ours_are_refused() {
    let compressed = refused(|c| c.compression = Some(CompressionType::ZSTD));
    assert_eq!(compressed, "its Arrow message is compressed");
    let compressed = refused(|c| c.compression = Some(CompressionType::LZ4_FRAME));
    assert_eq!(compressed, "its Arrow message is compressed");
    for kind in [
        MessageHeader::NONE,
        MessageHeader::Schema,
        MessageHeader::DictionaryBatch,
    ] {
        let reason = refused(|c| c.kind = kind);
        // the content is then no table of that kind, or one of a kind we refuse
        assert!(
            reason == "its Arrow message is malformed"
                || reason == "its Arrow message is no record batch",
            "{reason}"
        );
    }
    assert!(refused(|c| c.version = MetadataVersion::V4).contains("version 5"));
    assert!(refused(|c| c.metadata = true).contains("metadata of its own"));
    assert!(refused(|c| c.body_bytes += 8).contains("body of another length"));
    assert!(refused(|c| c.body_bytes = -1).contains("body of another length"));
}

#[test]
fn counts_that_do_not_fit_are_refused() {
    assert!(refused(|c| c.rows = 6).contains("number of rows"));
    assert!(refused(|c| c.rows = -1).contains("number of rows"));
    assert!(refused(|c| c.nodes.truncate(c.nodes.len() - 1)).contains("missing"));
    assert!(refused(|c| c.nodes.push(FieldNode::new(5, 0))).contains("does not have"));
    assert!(refused(|c| c.buffers.truncate(c.buffers.len() - 1)).contains("missing"));
    assert!(refused(|c| c.buffers.push(buffer(c.body_bytes, 0))).contains("does not have"));
    assert!(refused(|c| c.variadic.clear()).contains("how many buffers"));
    assert!(refused(|c| c.variadic.push(0)).contains("does not have"));
    assert!(refused(|c| c.variadic = vec![0; 1000]).contains("too many columns"));
    assert!(refused(|c| c.variadic[0] = -3).contains("impossible"));
    assert!(refused(|c| c.variadic[0] = i64::MAX).contains("impossible"));
    assert!(refused(|c| c.variadic[0] = u32::MAX.into()).contains("missing"));
    for node in [
        FieldNode::new(4, 0),
        FieldNode::new(6, 0),
        FieldNode::new(-1, 0),
        FieldNode::new(i64::MAX, 0),
        FieldNode::new(5, 6),
        FieldNode::new(5, -1),
        FieldNode::new(5, 1),
    ] {
        assert_ne!(refused(|c| c.nodes[0] = node), "", "{node:?}");
    }
}

#[test]
fn buffers_outside_the_body_are_refused() {
    let outside = "a buffer lies outside the body";
    let at = |c: &Craft| c.buffers.iter().position(|b| b.length() > 0).unwrap();
    for wrong in [
        buffer(-8, 8),
        buffer(0, -8),
        buffer(i64::MAX, 8),
        buffer(0, i64::MAX),
        buffer(i64::MAX - 7, i64::MAX - 7),
    ] {
        let reason = refused(|c| {
            let at = at(c);
            c.buffers[at] = wrong;
        });
        assert_eq!(reason, outside, "{wrong:?}");
    }
    let reason = refused(|c| {
        let at = at(c);
        c.buffers[at] = buffer(4, c.buffers[at].length());
    });
    assert_eq!(reason, "a buffer is not aligned");
    let reason = refused(|c| {
        let at = c.buffers.iter().rposition(|b| b.offset() > 0).unwrap();
        c.buffers[at] = buffer(0, c.buffers[at].length());
    });
    assert_eq!(reason, "a buffer begins before the last one ends");
    let reason = refused(|c| {
        let at = at(c);
        c.buffers[at] = buffer(c.buffers[at].offset(), 1);
    });
    assert_eq!(reason, "a column has fewer values than rows");
}

#[test]
fn columns_that_the_table_needs_must_be_sent() {
    let (columns, message, body) = encoded(&rows());
    let read = |columns: Columns| {
        decode(&Sent {
            table: TABLE,
            rows: 5,
            columns: &columns,
            metadata: &message,
            body: &body,
        })
    };
    assert!(read(columns.clone()).is_ok());
    let required = TABLE.def().columns.iter().position(|c| !c.nullable);
    let required = required.unwrap();
    let mut less = columns.clone();
    less.0[required / 8] &= !(1 << (required % 8));
    assert_eq!(read(less).unwrap_err().code(), "TT-BUS-008");
    let mut wider = columns.clone();
    wider.0.push(0);
    assert_eq!(read(wider).unwrap_err().code(), "TT-BUS-008");
    assert_eq!(read(Columns(Vec::new())).unwrap_err().code(), "TT-BUS-008");
    let all = TABLE.def().columns.len();
    if !all.is_multiple_of(8) {
        let mut beyond = columns;
        beyond.0[all / 8] |= 1 << (all % 8);
        assert_eq!(read(beyond).unwrap_err().code(), "TT-BUS-008");
    }
}

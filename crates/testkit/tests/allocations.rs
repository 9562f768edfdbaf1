//! Decoding a flow that has settled allocates nothing per packet: what is
//! allocated is what the columns of a batch grow by, and a batch's own frame.

#![allow(clippy::expect_used)] // a test

use std::io::Cursor;
use telltale_capture::{Config, Pipeline, Reader};
use telltale_testkit::{Mix, Plan, write_pcap};

/// Packets in which flows open and all buffers find their size.
const WARM: u64 = 20_000;
/// Packets that are looked at.
const STEADY: u64 = 20_000;

/// Allocations, and frames cut, over [`STEADY`] packets of settled flows.
fn steady(mix: Mix, config: Config) -> (u64, u64) {
    let plan = Plan {
        mix,
        flows: 16,
        packets: WARM + STEADY + 1000,
        seed: 5,
    };
    let mut bytes = Vec::new();
    write_pcap(&plan, &mut bytes).expect("a capture");
    let mut reader = Reader::new("made.pcap", Box::new(Cursor::new(bytes))).expect("a reader");
    let mut pipeline = Pipeline::new(config);
    let mut run = |packets: u64| {
        let mut frames = 0;
        for _ in 0..packets {
            let packet = reader.next_packet().expect("a sound file");
            pipeline.packet(&packet.expect("more packets"));
            frames += u64::from(pipeline.take_frame().expect("a frame").is_some());
        }
        frames
    };
    run(WARM);
    let mut frames = 0;
    let made = allocation_counter::measure(|| frames = run(STEADY));
    assert_eq!(pipeline.counters().errors, 0);
    (made.count_total, frames)
}

#[test]
fn a_packet_of_a_settled_flow_allocates_nothing() {
    for mix in [Mix::Modbus, Mix::Mixed] {
        let config = Config {
            flush_rows: 1 << 20,
            flush_bytes: 1 << 30,
            ..Config::default()
        };
        let (allocations, frames) = steady(mix, config);
        assert_eq!(frames, 0, "all in one batch");
        assert!(
            allocations < STEADY / 100,
            "{mix:?}: {allocations} allocations in {STEADY} packets"
        );
    }
}

#[test]
fn a_batch_allocates_by_its_columns_not_its_rows() {
    for mix in [Mix::Modbus, Mix::Mixed] {
        let few = steady(mix, Config::default());
        let many = steady(
            mix,
            Config {
                flush_rows: 2048,
                ..Config::default()
            },
        );
        for (allocations, frames) in [few, many] {
            assert!(frames > 0);
            assert!(
                allocations < frames * 1500,
                "{mix:?}: {allocations} allocations for {frames} frames"
            );
        }
    }
}

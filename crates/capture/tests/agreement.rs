//! Agreement with tshark, PDU by PDU, over the third-party captures that lie
//! beside the project. Skipped, with a line that says so, where they are absent.
//!
//! A PDU agrees when everything that both sides state of it is equal: function
//! or service, address, object, status. The table is printed with
//! `cargo test -p telltale-capture --test agreement -- --nocapture`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#[path = "agreement/cip.rs"]
mod cip;
#[path = "agreement/common.rs"]
mod common;
#[path = "agreement/dnp3.rs"]
mod dnp3;
#[path = "agreement/modbus.rs"]
mod modbus;
#[path = "agreement/s7comm.rs"]
mod s7comm;

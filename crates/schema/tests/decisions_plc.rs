//! The decision tables of S7comm and CIP say what an expert of these protocols expects.

use telltale_schema::{Decision, Operation, Phase, cip, s7comm};

fn is(d: Decision, function: &str, operation: Operation, phase: Option<Phase>) {
    assert_eq!(
        (d.function.as_str(), d.operation, d.phase),
        (function, operation, phase)
    );
}

#[test]
fn s7_control_of_the_plc() {
    use s7comm::{ObjectClass as C, Space, decide};
    let job = |code, class| decide(Space::Job, code, None, class);
    is(job(0x29, C::None), "plc_stop", Operation::Stop, None);
    is(job(0x28, C::PiProgram), "plc_start", Operation::Start, None);
    is(
        job(0x28, C::PiDelete),
        "delete_block",
        Operation::Delete,
        None,
    );
    is(job(0x28, C::PiOther), "pi_service", Operation::Other, None);
    is(
        job(0x1b, C::Block),
        "download_block",
        Operation::ProgramDownload,
        None,
    );
    is(
        job(0x1e, C::Block),
        "upload",
        Operation::ProgramUpload,
        None,
    );
    is(job(0x05, C::Db), "write_var", Operation::Write, None);
    is(
        job(0x05, C::Output),
        "write_var",
        Operation::Control,
        Some(Phase::Direct),
    );
    is(
        job(0xf0, C::None),
        "setup_communication",
        Operation::Session,
        None,
    );
    let user = |group, sub, class| decide(Space::Userdata, group, Some(sub), class);
    is(
        user(4, 1, C::SzlIdentity),
        "read_szl",
        Operation::Identify,
        None,
    );
    is(user(4, 1, C::Szl), "read_szl", Operation::Diagnostic, None);
    is(
        user(5, 1, C::None),
        "set_session_password",
        Operation::Auth,
        None,
    );
    is(user(7, 2, C::None), "set_clock", Operation::TimeSync, None);
    is(
        user(7, 1, C::None),
        "read_clock",
        Operation::ConfigRead,
        None,
    );
    is(
        user(1, 12, C::None),
        "memory_reset",
        Operation::Delete,
        None,
    );
    is(
        user(1, 9, C::None),
        "force_variable",
        Operation::Force,
        None,
    );
    is(
        user(3, 1, C::None),
        "list_blocks",
        Operation::ConfigRead,
        None,
    );
}

#[test]
fn cip_services_are_decided_by_class() {
    use cip::{ObjectClass as C, Space, decide};
    let service = |code, class| decide(Space::Service, code, None, class);
    is(
        service(0x05, C::Identity),
        "reset",
        Operation::Restart,
        None,
    );
    is(
        service(0x05, C::Connection),
        "reset",
        Operation::ConfigWrite,
        None,
    );
    is(
        service(0x0e, C::Identity),
        "get_attribute_single",
        Operation::Identify,
        None,
    );
    is(
        service(0x0e, C::Assembly),
        "get_attribute_single",
        Operation::Read,
        None,
    );
    is(
        service(0x0e, C::Network),
        "get_attribute_single",
        Operation::ConfigRead,
        None,
    );
    is(
        service(0x10, C::Network),
        "set_attribute_single",
        Operation::ConfigWrite,
        None,
    );
    is(
        service(0x10, C::Assembly),
        "set_attribute_single",
        Operation::Write,
        None,
    );
    is(
        service(0x10, C::TimeSync),
        "set_attribute_single",
        Operation::TimeSync,
        None,
    );
    is(
        service(0x4e, C::ConnectionManager),
        "forward_close",
        Operation::Session,
        None,
    );
    is(
        service(0x4e, C::Tag),
        "read_modify_write_tag",
        Operation::Write,
        None,
    );
    is(
        service(0x52, C::ConnectionManager),
        "unconnected_send",
        Operation::Session,
        None,
    );
    is(
        service(0x52, C::Tag),
        "read_tag_fragmented",
        Operation::Read,
        None,
    );
    is(
        service(0x54, C::ConnectionManager),
        "forward_open",
        Operation::Session,
        None,
    );
    is(service(0x4d, C::Tag), "write_tag", Operation::Write, None);
    is(
        service(0x07, C::Controller),
        "cip_stop",
        Operation::Stop,
        None,
    );
    is(service(0x63, C::Tag), "cip_service", Operation::Other, None);
    let encap = |code| decide(Space::Encapsulation, code, None, C::None);
    is(encap(0x63), "list_identity", Operation::Identify, None);
    is(encap(0x65), "register_session", Operation::Session, None);
    let pccc = |code, sub| decide(Space::Pccc, code, sub, C::None);
    is(
        pccc(0x0f, Some(0x80)),
        "pccc_change_mode",
        Operation::ModeChange,
        None,
    );
    is(
        pccc(0x0f, Some(0xa2)),
        "pccc_typed_logical_read",
        Operation::Read,
        None,
    );
    is(
        pccc(0x0f, Some(0xaa)),
        "pccc_typed_logical_write",
        Operation::Write,
        None,
    );
    is(
        pccc(0x06, Some(3)),
        "pccc_diagnostic_status",
        Operation::Identify,
        None,
    );
    is(pccc(0x0f, None), "pccc", Operation::Other, None);
    let mode = |class| decide(Space::Pccc, 0x0f, Some(0x3a), class);
    is(
        mode(C::ModeProgram),
        "pccc_change_mode",
        Operation::Stop,
        None,
    );
    is(mode(C::ModeRun), "pccc_change_mode", Operation::Start, None);
    is(
        service(0x4b, C::Lock),
        "controller_lock",
        Operation::Session,
        None,
    );
    is(
        service(0x4c, C::DataTable),
        "read_data_table",
        Operation::Read,
        None,
    );
}

//! The decision tables say what a protocol expert expects.

use telltale_schema::{
    CodeMatch, Decision, Function, Operation, Phase, TableId, arp, cip, dnp3, flow, modbus,
    packet_error, s7comm,
};

fn is(d: Decision, function: &str, operation: Operation, phase: Option<Phase>) {
    assert_eq!(
        (d.function.as_str(), d.operation, d.phase),
        (function, operation, phase)
    );
}

#[test]
fn modbus_diagnostics_are_decided_by_sub_function() {
    use modbus::{ObjectClass::None as NoClass, Space::Pdu, decide};
    is(
        decide(Pdu, 8, Some(1), NoClass),
        "diag_restart_communications",
        Operation::Restart,
        None,
    );
    is(
        decide(Pdu, 8, Some(4), NoClass),
        "diag_force_listen_only",
        Operation::Stop,
        None,
    );
    is(
        decide(Pdu, 8, Some(10), NoClass),
        "diag_clear_counters",
        Operation::Diagnostic,
        None,
    );
    is(
        decide(Pdu, 8, Some(14), NoClass),
        "diag_read_counter",
        Operation::Diagnostic,
        None,
    );
    is(
        decide(Pdu, 8, Some(999), NoClass),
        "diagnostics",
        Operation::Diagnostic,
        None,
    );
    is(
        decide(Pdu, 8, None, NoClass),
        "diagnostics",
        Operation::Diagnostic,
        None,
    );
    is(
        decide(Pdu, 43, Some(14), NoClass),
        "read_device_identification",
        Operation::Identify,
        None,
    );
    is(
        decide(Pdu, 43, Some(13), NoClass),
        "canopen_general_reference",
        Operation::Other,
        None,
    );
}

#[test]
fn modbus_writes_of_coils_are_controls_of_registers_writes() {
    use modbus::{ObjectClass, Space::Pdu, decide};
    is(
        decide(Pdu, 5, None, ObjectClass::Coil),
        "write_single_coil",
        Operation::Control,
        Some(Phase::Direct),
    );
    is(
        decide(Pdu, 15, None, ObjectClass::Coil),
        "write_multiple_coils",
        Operation::Control,
        Some(Phase::Direct),
    );
    is(
        decide(Pdu, 6, None, ObjectClass::HoldingRegister),
        "write_single_register",
        Operation::Write,
        None,
    );
    is(
        decide(Pdu, 23, Some(0), ObjectClass::HoldingRegister),
        "read_write_multiple_registers",
        Operation::Read,
        None,
    );
    is(
        decide(Pdu, 23, Some(1), ObjectClass::HoldingRegister),
        "read_write_multiple_registers",
        Operation::Write,
        None,
    );
    assert_eq!(decide(Pdu, 99, None, ObjectClass::None), Decision::UNKNOWN);
}

#[test]
fn modbus_public_function_codes_all_have_a_name() {
    for code in [
        1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43,
    ] {
        let d = modbus::decide(modbus::Space::Pdu, code, None, modbus::ObjectClass::None);
        assert_ne!(d.function, Function::UNKNOWN, "function code {code}");
    }
}

#[test]
fn umas_start_stop_and_transfer() {
    use modbus::{ObjectClass::None as NoClass, Space::Umas, decide};
    is(
        decide(Umas, 0x40, None, NoClass),
        "umas_start_plc",
        Operation::Start,
        None,
    );
    is(
        decide(Umas, 0x41, None, NoClass),
        "umas_stop_plc",
        Operation::Stop,
        None,
    );
    is(
        decide(Umas, 0x02, None, NoClass),
        "umas_read_id",
        Operation::Identify,
        None,
    );
    is(
        decide(Umas, 0x10, None, NoClass),
        "umas_take_reservation",
        Operation::Session,
        None,
    );
    // from the station into the controller
    is(
        decide(Umas, 0x31, None, NoClass),
        "umas_download_block",
        Operation::ProgramDownload,
        None,
    );
    is(
        decide(Umas, 0x34, None, NoClass),
        "umas_upload_block",
        Operation::ProgramUpload,
        None,
    );
    is(
        decide(Umas, 0x99, None, NoClass),
        "umas",
        Operation::Other,
        None,
    );
}

#[test]
fn dnp3_writes_are_decided_by_group() {
    use dnp3::{ObjectClass as C, Space::Application, decide};
    let write = |class| decide(Application, 2, None, class);
    is(write(C::Time), "write", Operation::TimeSync, None);
    is(write(C::Iin), "write", Operation::ConfigWrite, None);
    is(
        write(C::Deadband),
        "write",
        Operation::ReportingConfig,
        None,
    );
    is(write(C::File), "write", Operation::File, None);
    is(write(C::OctetString), "write", Operation::Write, None);
    is(
        decide(Application, 1, None, C::DeviceAttribute),
        "read",
        Operation::Identify,
        None,
    );
    is(
        decide(Application, 1, None, C::ClassData),
        "read",
        Operation::Read,
        None,
    );
}

#[test]
fn dnp3_controls_have_phases_and_restarts_are_restarts() {
    use dnp3::{ObjectClass as C, Space, decide};
    let app = |code, class| decide(Space::Application, code, None, class);
    is(
        app(3, C::ControlRelay),
        "select",
        Operation::Control,
        Some(Phase::Select),
    );
    is(
        app(4, C::ControlRelay),
        "operate",
        Operation::Control,
        Some(Phase::Operate),
    );
    is(
        app(5, C::AnalogCommand),
        "direct_operate",
        Operation::Control,
        Some(Phase::Direct),
    );
    is(
        app(6, C::ControlRelay),
        "direct_operate_no_ack",
        Operation::Control,
        Some(Phase::Direct),
    );
    is(app(13, C::None), "cold_restart", Operation::Restart, None);
    is(app(14, C::None), "warm_restart", Operation::Restart, None);
    is(
        app(18, C::Application),
        "stop_application",
        Operation::Stop,
        None,
    );
    is(
        app(21, C::ClassData),
        "disable_unsolicited",
        Operation::ReportingConfig,
        None,
    );
    is(app(27, C::File), "delete_file", Operation::Delete, None);
    is(
        app(130, C::None),
        "unsolicited_response",
        Operation::Report,
        None,
    );
    for code in (0..=33).chain(129..=131) {
        assert_ne!(
            app(code, C::None).function,
            Function::UNKNOWN,
            "function code {code}"
        );
    }
    assert_eq!(app(34, C::None), Decision::UNKNOWN);
    // the same number means other things at the link
    let link = decide(Space::LinkPrimary, 0, None, C::None);
    is(link, "reset_link", Operation::Session, None);
    let link = decide(Space::LinkSecondary, 0, None, C::None);
    is(link, "link_ack", Operation::Session, None);
}

#[test]
fn tables_that_are_no_protocol_have_functions_too() {
    let d = flow::decide(flow::Space::Event, 2, None, flow::ObjectClass::None);
    is(d, "flow_end", Operation::Session, None);
    let d = arp::decide(arp::Space::Arp, 2, None, arp::ObjectClass::Gratuitous);
    is(d, "arp_announcement", Operation::Report, None);
    let d = arp::decide(arp::Space::Arp, 1, None, arp::ObjectClass::None);
    is(d, "arp_request", Operation::Identify, None);
    let d = packet_error::decide(
        packet_error::Space::Layer,
        4,
        None,
        packet_error::ObjectClass::None,
    );
    is(d, "application_error", Operation::Other, None);
}

#[test]
fn a_function_finds_its_row_for_a_class() {
    let def = TableId::Dnp3.def();
    let write = Function::from_name("write").expect("dnp3 has write");
    let op = |class| def.decision_for(write, class).map(|d| d.operation);
    assert_eq!(op(Some("time")), Some(Operation::TimeSync));
    assert_eq!(op(Some("octet_string")), Some(Operation::Write));
    assert_eq!(op(None), Some(Operation::Write));
    assert!(CodeMatch::Ranges(&[(1, 3)]).fits(Some(2)));
    assert!(!CodeMatch::Absent.fits(Some(2)));
}

#[test]
fn classes_are_known_by_number_and_name() {
    assert_eq!(
        dnp3::ObjectClass::of_number(12),
        dnp3::ObjectClass::ControlRelay
    );
    assert_eq!(dnp3::ObjectClass::of_number(50), dnp3::ObjectClass::Time);
    assert_eq!(dnp3::ObjectClass::of_number(102), dnp3::ObjectClass::Other);
    assert_eq!(
        cip::ObjectClass::of_number(0x01),
        cip::ObjectClass::Identity
    );
    assert_eq!(
        cip::ObjectClass::of_number(0x8e),
        cip::ObjectClass::Controller
    );
    assert_eq!(cip::ObjectClass::of_number(0x74), cip::ObjectClass::Lock);
    assert_eq!(cip::ObjectClass::of_number(0x99), cip::ObjectClass::Vendor);
    assert_eq!(cip::ObjectClass::of_number(0x9999), cip::ObjectClass::Other);
    assert_eq!(
        s7comm::ObjectClass::of_number(0x84),
        s7comm::ObjectClass::Db
    );
    assert_eq!(
        s7comm::ObjectClass::of_number(0x03),
        s7comm::ObjectClass::System
    );
    assert_eq!(
        s7comm::ObjectClass::of_name("P_PROGRAM"),
        s7comm::ObjectClass::PiProgram
    );
    assert_eq!(
        s7comm::ObjectClass::of_name("_N_SELECT"),
        s7comm::ObjectClass::PiOther
    );
}

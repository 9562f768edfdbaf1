//! S7 communication against tshark.
use super::common::{Case, Tally, captures, cases, column, differ, heads, numbers, rows, texts};
use serde_json::{Map, Value as Json};
use telltale_schema::TableId;
use telltale_schema::value::{RowValues, Value};

fn block_type(tshark: &str) -> &str {
    match tshark {
        "08" => "OB",
        "0A" => "DB",
        "0B" => "SDB",
        "0C" => "FC",
        "0D" => "SFC",
        "0E" => "FB",
        "0F" => "SFB",
        other => other,
    }
}

fn strings(rows: &[RowValues], name: &str) -> Vec<String> {
    rows.iter()
        .filter_map(|r| r.get(name).as_str().map(str::to_owned))
        .collect()
}

fn compare(frame: &Map<String, Json>, ours: &[RowValues]) -> Vec<String> {
    let s7: Vec<RowValues> = ours
        .iter()
        .filter(|r| r.get("rosctr").as_u64() != Some(0))
        .cloned()
        .collect();
    let heads = heads(&s7);
    let requests: Vec<RowValues> = s7
        .iter()
        .filter(|r| r.get("direction").as_str() == Some("request"))
        .cloned()
        .collect();
    let mut out = Vec::new();
    for (field, name) in [
        ("s7comm.header.rosctr", "rosctr"),
        ("s7comm.header.pduref", "pdu_ref"),
        ("s7comm.header.errcls", "error_class"),
        ("s7comm.header.errcod", "s7_error_code"),
        ("s7comm.param.userdata.funcgroup", "function_group"),
    ] {
        out.extend(differ(field, &numbers(frame, field), &column(&heads, name)));
    }
    // tshark has no subfunction for a change of mode: its value is the mode.
    let moded = numbers(frame, "s7comm.param.userdata.funcgroup") == [0];
    if !moded {
        let field = "s7comm.param.userdata.subfunc";
        out.extend(differ(
            field,
            &numbers(frame, field),
            &column(&heads, "sub_function"),
        ));
    }
    let functions: Vec<u64> = heads
        .iter()
        .filter(|r| r.get("rosctr").as_u64() != Some(7))
        .cloned()
        .collect::<Vec<_>>()
        .iter()
        .filter_map(|r| r.get("function_code").as_u64())
        .collect();
    let truth = numbers(frame, "s7comm.param.func");
    // An acknowledgement without parameters repeats its request's function here.
    if !truth.is_empty() || numbers(frame, "s7comm.header.rosctr") == [1] {
        out.extend(differ("function", &truth, &functions));
    }
    let kinds: Vec<u64> = heads
        .iter()
        .filter(|r| r.get("rosctr").as_u64() == Some(7))
        .map(|r| match r.get("direction").as_str() {
            Some("request") => 4,
            Some("response") => 8,
            Some("unsolicited") => 0,
            // another type, which has no column
            _ => numbers(frame, "s7comm.param.userdata.type")
                .first()
                .copied()
                .unwrap_or(0),
        })
        .collect();
    out.extend(differ(
        "userdata type",
        &numbers(frame, "s7comm.param.userdata.type"),
        &kinds,
    ));
    out.extend(addresses(frame, &requests));
    out.extend(codes(frame, &s7));
    let lists = numbers(frame, "s7comm.data.userdata.szl_id");
    out.extend(if lists.is_empty() {
        None
    } else {
        differ("szl", &lists, &column(&heads, "szl_id"))
    });
    let names = texts(frame, "s7comm.param.blockcontrol.filename");
    let ours_names: Vec<String> = strings(&heads_of(&requests), "filename");
    // A PI service's list of blocks shows as file names in tshark.
    if names.iter().any(|n| n.starts_with('_')) {
        out.extend(differ("file name", &names, &ours_names));
    }
    let kinds: Vec<String> = texts(frame, "s7comm.data.blockcontrol.block_type")
        .iter()
        .map(|t| block_type(t).to_owned())
        .collect();
    if !kinds.is_empty() {
        out.extend(differ(
            "block type",
            &kinds,
            &strings(&requests, "block_type"),
        ));
        let blocks = numbers(frame, "s7comm.data.blockcontrol.block_number");
        out.extend(differ(
            "block number",
            &blocks,
            &column(&requests, "block_number"),
        ));
    }
    let service = texts(frame, "s7comm.param.pistart.servicename");
    if !service.is_empty() {
        out.extend(differ(
            "pi service",
            &service,
            &strings(&heads_of(&requests), "pi_service"),
        ));
    }
    let listed = numbers(frame, "s7comm.blockinfo.block_num");
    if (
        column(&heads, "function_group"),
        column(&heads, "sub_function"),
    ) == (vec![3], vec![2])
        && !listed.is_empty()
    {
        let data: Vec<u64> = match heads[0].get("data") {
            Value::List(all) => all
                .iter()
                .filter_map(Value::as_f64)
                .map(|v| v as u64)
                .collect(),
            _ => Vec::new(),
        };
        out.extend(differ("block list", &listed, &data));
    }
    out
}

fn heads_of(rows: &[RowValues]) -> Vec<RowValues> {
    heads(rows)
}

fn addresses(frame: &Map<String, Json>, requests: &[RowValues]) -> Vec<String> {
    let syntax = numbers(frame, "s7comm.param.item.syntaxid");
    if syntax.is_empty() || syntax.iter().any(|s| *s != 0x10) {
        return Vec::new();
    }
    let mut out = Vec::new();
    for (field, name) in [
        ("s7comm.param.item.area", "area"),
        ("s7comm.param.item.db", "db_number"),
        ("s7comm.param.item.transp_size", "transport_size"),
        ("s7comm.param.item.length", "item_length"),
    ] {
        out.extend(differ(
            field,
            &numbers(frame, field),
            &column(requests, name),
        ));
    }
    let addressed: Vec<RowValues> = requests
        .iter()
        .filter(|r| !r.get("bit_address").is_null())
        .cloned()
        .collect();
    for (field, name) in [
        ("s7comm.param.item.address.byte", "byte_address"),
        ("s7comm.param.item.address.bit", "bit_address"),
    ] {
        out.extend(differ(
            field,
            &numbers(frame, field),
            &column(&addressed, name),
        ));
    }
    out
}

/// Return codes of answers. The truth lists that of the data part, then those of its items.
fn codes(frame: &Map<String, Json>, s7: &[RowValues]) -> Option<String> {
    let answers: Vec<RowValues> = s7
        .iter()
        .filter(|r| r.get("direction").as_str() != Some("request"))
        .cloned()
        .collect();
    if answers.is_empty() {
        return None;
    }
    let truth = numbers(frame, "s7comm.data.returncode");
    let ours = column(&answers, "return_code");
    // Codes inside the contents of alarms are no columns of ours: only the PDU's own is compared.
    let alarms =
        column(&answers, "function_group") == [4] && column(&answers, "sub_function") != [1];
    let truth = if alarms {
        truth.into_iter().take(1).collect()
    } else {
        truth
    };
    let items = truth.get(1..).unwrap_or_default();
    if column(&answers, "rosctr").contains(&7) && items == ours {
        None
    } else {
        differ("return codes", &truth, &ours)
    }
}

fn connection(frame: &Map<String, Json>, ours: &[RowValues]) -> Vec<String> {
    let mut out = Vec::new();
    let truth: Vec<String> =
        [texts(frame, "cotp.src-tsap"), texts(frame, "cotp.dst-tsap")].concat();
    let ours: Vec<String> = ours
        .iter()
        .filter(|r| matches!(r.get("cotp_type").as_u64(), Some(0xe0 | 0xd0)))
        .filter_map(|r| r.get("object").as_str())
        .flat_map(|o| {
            o.trim_start_matches("cotp:")
                .split('>')
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    out.extend(differ("tsaps", &truth, &ours));
    out
}

fn check(case: &Case) -> Tally {
    let mut tally = Tally::default();
    let ours = rows(&case.capture, TableId::S7comm);
    for frame in &case.truth {
        let at = numbers(frame, "frame.number")[0];
        let rows = ours.get(&at).map_or(&[] as &[RowValues], Vec::as_slice);
        let pdus = texts(frame, "s7comm.header.rosctr").len() as u64;
        if pdus > 0 {
            tally.frame(&case.name, at, pdus, compare(frame, rows));
        } else if !texts(frame, "cotp.dst-tsap").is_empty() {
            tally.frame(&case.name, at, 1, connection(frame, rows));
        }
    }
    tally
}

#[test]
fn agrees_with_tshark() {
    let Some(folder) = captures() else { return };
    let mut total = Tally::default();
    for case in cases(&folder, "s7comm") {
        assert!(case.pdus > 0);
        check(&case).close(&case.name, &mut total);
    }
    println!(
        "s7comm: {} of {} PDUs agree, {:.3} %",
        total.agree,
        total.pdus,
        total.percent()
    );
    assert!(total.percent() >= 99.5, "{:#?}", total.notes);
}

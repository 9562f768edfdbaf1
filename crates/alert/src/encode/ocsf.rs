//! OCSF 1.8.0 Detection Finding (class 2004). OT fields that OCSF has no place
//! for stand in `unmapped`.

use super::time_quality;
use crate::v1::{Alert, Entity, RecordKind, Scope};
use serde_json::{Map, Value, json};

fn device(entity: &Entity) -> Value {
    let mut map = Map::new();
    map.insert("type_id".to_owned(), 99.into());
    map.insert("type".to_owned(), entity.role.as_str().into());
    for (name, value) in [
        ("ip", &entity.ip),
        ("mac", &entity.mac),
        ("hostname", &entity.name),
        ("zone", &entity.zone),
    ] {
        if !value.is_empty() && value != "unknown" {
            map.insert(name.to_owned(), value.as_str().into());
        }
    }
    map.into()
}

/// What OCSF has no place for.
fn unmapped(alert: &Alert, scope: &Scope, target: &Entity) -> Value {
    json!({
        "site": scope.site,
        "sensor": scope.sensor,
        "segment": scope.segment,
        "correlation_key": alert.correlation_key,
        "iec62443": alert.iec62443,
        "process_meaning": alert.process_meaning,
        "purdue_level": target.level,
        "severity_score": alert.severity,
        "provisional": alert.provisional,
        "delayed_by_ns": alert.delayed_by_ns,
        "time_quality": time_quality(alert),
        "retimed_by_ns": alert.retimed_by_ns,
        "warming_until": alert.warming_until_ns.map(telltale_schema::value::time_text),
        "lowered_by": alert.lowered_by,
    })
}

/// One object.
#[must_use]
pub fn ocsf(alert: &Alert) -> Value {
    let rule = alert.rule.clone().unwrap_or_default();
    let scope = alert.scope.clone().unwrap_or_default();
    let (activity_id, activity, status_id, status) = match alert.record() {
        RecordKind::Updated => (2, "Update", 2, "In Progress"),
        RecordKind::Closed => (3, "Close", 4, "Resolved"),
        _ => (1, "Create", 1, "New"),
    };
    let (severity_id, severity) = match alert.severity_name.as_str() {
        "critical" => (5, "Critical"),
        "high" => (4, "High"),
        "medium" => (3, "Medium"),
        "low" => (2, "Low"),
        _ => (1, "Informational"),
    };
    let (confidence_id, confidence) = match alert.confidence.as_str() {
        "high" => (3, "High"),
        "medium" => (2, "Medium"),
        _ => (1, "Low"),
    };
    let ms = |ns: i64| ns.div_euclid(1_000_000);
    let attacks: Vec<Value> = alert
        .attack
        .iter()
        .map(|t| {
            let tactics: Vec<Value> = t.tactics.iter().map(|name| json!({"name": name})).collect();
            json!({"technique": {"uid": t.id, "name": t.name}, "tactics": tactics, "version": "18.1"})
        })
        .collect();
    let actor = alert.actor.clone().unwrap_or_default();
    let target = alert.target.clone().unwrap_or_default();
    let endpoint = |e: &Entity| {
        let mut map = Map::new();
        if !e.ip.is_empty() {
            map.insert("ip".to_owned(), e.ip.as_str().into());
        }
        if !e.mac.is_empty() {
            map.insert("mac".to_owned(), e.mac.as_str().into());
        }
        if e.port > 0 {
            map.insert("port".to_owned(), e.port.into());
        }
        if e.name != "unknown" && !e.name.is_empty() {
            map.insert("name".to_owned(), e.name.as_str().into());
        }
        Value::from(map)
    };
    let evidences: Vec<Value> = alert
        .evidence
        .iter()
        .map(|e| {
            let row: Map<String, Value> = e.fields.iter().map(|f| (f.name.clone(), f.value.as_str().into())).collect();
            json!({
                "src_endpoint": endpoint(&actor),
                "dst_endpoint": endpoint(&target),
                "data": {"table": e.table, "capture_file": e.capture_file, "packet": e.packet, "step": e.step, "row": row},
            })
        })
        .collect();
    let observables: Vec<Value> = [("actor", &actor), ("target", &target)]
        .into_iter()
        .filter(|(_, e)| !e.ip.is_empty())
        .map(|(name, e)| json!({"name": format!("{name}.ip"), "type_id": 2, "type": "IP Address", "value": e.ip}))
        .collect();
    // alerts that a risk alert is made of
    let parts = alert.evidence.iter().filter(|e| e.table == "alert");
    let related: Vec<Value> = parts
        .map(|e| {
            let field = |name: &str| {
                let mut named = e.fields.iter().filter(|f| f.name == name);
                named.next().map_or("", |f| f.value.as_str())
            };
            json!({"uid": field("alert"), "title": field("rule_name"), "desc": field("sentence")})
        })
        .collect();
    // one of its own for each record: of `updated` there may be several
    let mut uid = format!("{}/{}", alert.id, super::record(alert));
    if alert.record() == RecordKind::Updated {
        uid = format!("{uid}/{}/{}", alert.count, alert.last_ns);
    }
    let mut out = json!({
        "activity_id": activity_id,
        "activity_name": activity,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200_400 + activity_id,
        "type_name": format!("Detection Finding: {activity}"),
        "time": ms(alert.event_time_ns),
        "start_time": ms(alert.first_ns),
        "end_time": ms(alert.last_ns),
        "count": alert.count,
        "severity_id": severity_id,
        "severity": severity,
        "confidence_id": confidence_id,
        "confidence": confidence,
        "status_id": status_id,
        "status": status,
        "is_alert": alert.mode == "alert",
        "risk_score": alert.risk,
        "message": alert.sentence,
        "metadata": {
            "version": "1.8.0",
            "uid": uid,
            "product": {"name": "Telltale", "vendor_name": "Telltale", "version": env!("CARGO_PKG_VERSION")},
            "tenant_uid": scope.tenant,
        },
        "finding_info": {
            "uid": alert.id,
            "title": rule.name,
            "desc": alert.description,
            "types": ["OT network"],
            "created_time": ms(alert.first_ns),
            "first_seen_time": ms(alert.first_ns),
            "last_seen_time": ms(alert.last_ns),
            "analytic": {"uid": rule.id, "name": rule.name, "version": rule.version, "type_id": 1, "type": "Rule"},
            "attacks": attacks,
        },
        "device": device(if target == Entity::default() { &actor } else { &target }),
        "evidences": evidences,
        "observables": observables,
        "remediation": {"desc": alert.response.join("\n")},
        "unmapped": unmapped(alert, &scope, &target),
    });
    if !related.is_empty()
        && let Some(info) = out.get_mut("finding_info").and_then(Value::as_object_mut)
    {
        info.insert("related_events".to_owned(), related.into());
    }
    out
}

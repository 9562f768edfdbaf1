//! The alert's own JSON: the names of the proto, times as RFC 3339.

use super::{record, time_quality};
use crate::v1::{Alert, Entity};
use serde_json::{Map, Value, json};
use telltale_schema::value::time_text;

fn entity(entity: Option<&Entity>) -> Value {
    let Some(e) = entity else { return Value::Null };
    let mut map = Map::new();
    for (name, value) in [
        ("value", &e.value),
        ("ip", &e.ip),
        ("mac", &e.mac),
        ("station", &e.station),
        ("name", &e.name),
        ("zone", &e.zone),
        ("level", &e.level),
        ("role", &e.role),
    ] {
        if !value.is_empty() {
            map.insert(name.to_owned(), value.as_str().into());
        }
    }
    if e.port > 0 {
        map.insert("port".to_owned(), e.port.into());
    }
    map.into()
}

/// One object.
#[must_use]
pub fn json(alert: &Alert) -> Value {
    let rule = alert.rule.clone().unwrap_or_default();
    let scope = alert.scope.clone().unwrap_or_default();
    let evidence: Vec<Value> = alert
        .evidence
        .iter()
        .map(|e| {
            let row: Map<String, Value> = e.fields.iter().map(|f| (f.name.clone(), f.value.as_str().into())).collect();
            json!({"table": e.table, "capture_file": e.capture_file, "packet": e.packet, "row_no": e.row_no, "step": e.step, "row": row})
        })
        .collect();
    let attack: Vec<Value> = alert
        .attack
        .iter()
        .map(|t| json!({"id": t.id, "name": t.name, "tactics": t.tactics}))
        .collect();
    json!({
        "id": alert.id,
        "record": record(alert),
        "correlation_key": alert.correlation_key,
        "rule": {"id": rule.id, "version": rule.version, "name": rule.name, "status": rule.status},
        "severity": alert.severity_name,
        "severity_score": alert.severity,
        "confidence": alert.confidence,
        "scope": {"tenant": scope.tenant, "site": scope.site, "sensor": scope.sensor, "segment": scope.segment},
        "event_time": time_text(alert.event_time_ns),
        "first": time_text(alert.first_ns),
        "last": time_text(alert.last_ns),
        "count": alert.count,
        "actor": entity(alert.actor.as_ref()),
        "target": entity(alert.target.as_ref()),
        "sentence": alert.sentence,
        "process_meaning": alert.process_meaning,
        "description": alert.description,
        "attack": attack,
        "iec62443": alert.iec62443,
        "response": alert.response,
        "false_positives": alert.false_positives,
        "evidence": evidence,
        "mode": alert.mode,
        "rule_set": alert.rule_set,
        "context": alert.context,
        "summarises": alert.summarises,
        "provisional": alert.provisional,
        "delayed_by_ns": alert.delayed_by_ns,
        "time_quality": time_quality(alert),
        "retimed_by_ns": alert.retimed_by_ns,
        "warming_until": alert.warming_until_ns.map(time_text),
        "lowered_by": alert.lowered_by,
        "risk": alert.risk,
    })
}

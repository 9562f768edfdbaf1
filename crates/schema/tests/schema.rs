//! What holds for every table, and goldens of their schemas.

use std::collections::BTreeSet;
use telltale_schema::{
    COMMON_COLUMNS, ColumnKind, EnumId, META_ENUM, META_SENSITIVITY, META_UNIT, Sensitivity,
    TableId, events_columns, events_schema,
};

#[test]
fn no_two_functions_share_an_id_or_a_name() {
    let values = EnumId::Function.def().values;
    let ids: BTreeSet<u16> = values.iter().map(|v| v.0).collect();
    let names: BTreeSet<&str> = values.iter().map(|v| v.1).collect();
    assert_eq!(ids.len(), values.len());
    assert_eq!(names.len(), values.len());
    assert!(
        values.len() > 200,
        "the vocabulary has {} names",
        values.len()
    );
}

#[test]
fn guard_columns_are_never_null() {
    for table in TableId::ALL {
        for guard in ["protocol", "operation", "function", "direction"] {
            let (at, def) = table.def().column(guard).expect("a guard column");
            assert!(!def.nullable, "{table}.{guard}");
            assert!(!table.schema().field(at).is_nullable(), "{table}.{guard}");
        }
    }
}

#[test]
fn every_column_says_what_it_means_and_who_may_see_it() {
    for table in TableId::ALL {
        let schema = table.schema();
        for (def, field) in table.def().columns.iter().zip(schema.fields()) {
            assert!(def.description.len() > 8, "{table}.{}", def.name);
            assert_eq!(
                field.metadata().get(META_SENSITIVITY).map(String::as_str),
                Some(def.sensitivity.as_str())
            );
            assert_eq!(
                field.metadata().get(META_UNIT).map(String::as_str),
                def.unit
            );
        }
        assert!(!table.def().description.is_empty() && !table.def().object_grammar.is_empty());
    }
}

#[test]
fn no_secret_is_stored_in_clear() {
    let mut secrets = Vec::new();
    for table in TableId::ALL {
        for def in table.def().columns {
            let named = ["password", "secret", "passphrase"]
                .iter()
                .any(|w| def.name.contains(w));
            if def.sensitivity == Sensitivity::Secret {
                assert_eq!(def.kind, ColumnKind::Text);
                assert!(
                    def.name.ends_with("_hash"),
                    "{table}.{} is not a hash",
                    def.name
                );
                secrets.push(def.name);
            } else {
                assert!(!named, "{table}.{} looks like a secret", def.name);
            }
        }
    }
    assert_eq!(secrets, ["password_hash"]);
}

#[test]
fn common_columns_come_first_and_are_events() {
    assert_eq!(events_columns().len(), COMMON_COLUMNS.len());
    for table in TableId::ALL {
        let columns = table.def().columns;
        for (common, own) in COMMON_COLUMNS.iter().zip(columns) {
            assert_eq!(common, own, "{table}");
        }
        assert!(columns.iter().skip(COMMON_COLUMNS.len()).all(|c| !c.common));
        let names: BTreeSet<&str> = columns.iter().map(|c| c.name).collect();
        assert_eq!(names.len(), columns.len(), "{table} has a name twice");
        for (i, field) in events_schema().fields().iter().enumerate() {
            assert_eq!(field.as_ref(), table.schema().field(i));
        }
    }
}

#[test]
fn enumerations_carry_their_names_in_the_field() {
    let schema = TableId::Modbus.schema();
    let field = schema.field_with_name("operation").expect("operation");
    let text = field.metadata().get(META_ENUM).expect("names");
    let names: serde_json::Value = serde_json::from_str(text).expect("json");
    assert_eq!(names["6"], "stop");
    let field = schema.field_with_name("function").expect("function");
    let names: serde_json::Value =
        serde_json::from_str(field.metadata().get(META_ENUM).expect("names")).expect("json");
    assert_eq!(names["105"], "write_single_coil");
}

#[test]
fn schemas_are_as_agreed() {
    let line = |c: &telltale_schema::ColumnDef| {
        let null = if c.nullable { "?" } else { "" };
        format!(
            "{}: {}{null} = {}",
            c.name,
            c.kind.name(),
            c.kind.data_type()
        )
    };
    let common: Vec<String> = events_columns().iter().map(line).collect();
    insta::assert_snapshot!("events", common.join("\n"));
    for table in TableId::ALL {
        let own: Vec<String> = table.def().own_columns().map(line).collect();
        insta::assert_snapshot!(table.as_str(), own.join("\n"));
    }
}

#[test]
fn numbers_of_names_are_as_agreed() {
    let mut text = String::new();
    for e in EnumId::ALL {
        let values: Vec<String> = e
            .def()
            .values
            .iter()
            .map(|v| format!("{}={}", v.0, v.1))
            .collect();
        text += &format!("{}: {}\n", e.def().name, values.join(" "));
    }
    insta::assert_snapshot!("numbers", text);
}

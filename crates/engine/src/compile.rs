//! One rule: SQL to atoms.

use crate::atom::{Atom, Test};
use crate::literals::Scope;
use crate::provider::Provider;
use crate::sql::{self, Place};
use arrow_schema::Schema;
use datafusion_common::{DFSchema, DataFusionError, ScalarValue};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::expr::InList;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::utils::split_conjunction_owned;
use datafusion_expr::{BinaryExpr, Expr, Operator};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::create_physical_expr;
use datafusion_sql::planner::{PlannerContext, SqlToRel};
use std::collections::BTreeMap;
use std::sync::Arc;
use telltale_rules::site::assets::Assets;
use telltale_rules::{Diagnostic, Rule, Site};
use telltale_schema::{ColumnDef, ColumnKind, TableId};

/// A rule in the form in which it runs.
pub(crate) struct Compiled {
    pub tables: Vec<TableId>,
    pub atoms: Vec<Atom>,
}

fn first_line(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    let text = text
        .trim_start_matches("Error during planning: ")
        .trim_start_matches("Schema error: ");
    text.lines().next().unwrap_or(text).to_owned()
}

pub(crate) fn compile(
    rule: &Rule,
    site: &Site,
    assets: &Arc<Assets>,
    provider: &Provider,
) -> Result<Compiled, Vec<Diagnostic>> {
    let read = sql::read(rule, provider)?;
    let place = Place(rule);
    let fail = |code, error: &DataFusionError| {
        vec![place.error(code, (0, 0), first_line(error), "see docs/sql.md")]
    };
    let fields: Vec<_> = read.columns.iter().map(ColumnDef::field).collect();
    let schema =
        Arc::new(DFSchema::try_from(Schema::new(fields)).map_err(|e| fail("TT-SQL-020", &e))?);
    let planner = SqlToRel::new(provider);
    let condition = planner
        .sql_to_expr(read.condition, &schema, &mut PlannerContext::new())
        .map_err(|e| fail("TT-SQL-021", &e))?;
    let mut parameters: BTreeMap<String, serde_json::Value> = rule.parameters.clone();
    if let Some(layer) = site.overrides.get(&rule.id) {
        parameters.extend(layer.parameters.clone());
    }
    let scope = Scope {
        columns: read.columns,
        site,
        assets: assets.clone(),
        parameters: &parameters,
        lists: &rule.requires.lists,
        calendars: &rule.requires.calendars,
    };
    let condition = scope.bind(condition).map_err(|e| fail("TT-SQL-022", &e))?;
    let simplifier = ExprSimplifier::new(
        SimplifyContext::builder()
            .with_schema(schema.clone())
            .build(),
    );
    let condition = simplifier
        .coerce(condition, &schema)
        .and_then(|c| simplifier.simplify(c))
        .map_err(|e| fail("TT-SQL-023", &e))?;
    if let Expr::Literal(ScalarValue::Boolean(value), _) = &condition {
        let says = if *value == Some(true) {
            "always true: it would fire on every row"
        } else {
            "never true: it would never fire"
        };
        return Err(vec![place.error(
            "TT-SQL-024",
            (0, 0),
            format!("the condition is {says}"),
            "look for a comparison of a column with itself, or for two that exclude each other",
        )]);
    }
    let mut atoms = Vec::new();
    for conjunct in split_conjunction_owned(condition) {
        atoms.push(atom(&conjunct, read.columns).map_err(|e| fail("TT-SQL-025", &e))?);
    }
    debug_assert!(!read.named.is_empty() || !atoms.is_empty());
    Ok(Compiled {
        tables: read.tables,
        atoms,
    })
}

fn unsigned(value: &ScalarValue) -> Option<u64> {
    match value {
        ScalarValue::UInt8(v) => v.map(u64::from),
        ScalarValue::UInt16(v) => v.map(u64::from),
        ScalarValue::UInt32(v) => v.map(u64::from),
        ScalarValue::UInt64(v) => *v,
        _ => None,
    }
}

/// A conjunct in its cheapest form.
fn atom(expr: &Expr, columns: &'static [ColumnDef]) -> Result<Atom, DataFusionError> {
    let test = match cheap(expr, columns) {
        Some(test) => test,
        None => {
            let named = expr.column_refs();
            let positions: Vec<usize> = columns
                .iter()
                .enumerate()
                .filter(|(_, d)| named.iter().any(|c| c.name == d.name))
                .map(|(at, _)| at)
                .collect();
            let fields: Vec<_> = positions
                .iter()
                .filter_map(|p| columns.get(*p))
                .map(ColumnDef::field)
                .collect();
            let arrow = Arc::new(Schema::new(fields));
            let schema = DFSchema::try_from(arrow.as_ref().clone())?;
            let physical = create_physical_expr(
                expr,
                &schema,
                &ExecutionProps::new(),
                &PhysicalPlanningContext::default(),
            )?;
            Test::Expr {
                expr: physical,
                columns: positions,
                schema: arrow,
            }
        }
    };
    Ok(Atom {
        text: readable(expr, columns),
        test,
    })
}

fn cheap(expr: &Expr, columns: &'static [ColumnDef]) -> Option<Test> {
    let position = |e: &Expr| match e {
        Expr::Column(c) => columns.iter().enumerate().find(|(_, d)| d.name == c.name),
        _ => None,
    };
    let number = |e: &Expr| match e {
        Expr::Literal(s, _) => unsigned(s),
        _ => None,
    };
    let set = |column: (usize, &ColumnDef), values: Vec<u64>, negated: bool| -> Option<Test> {
        match column.1.kind {
            ColumnKind::U8 | ColumnKind::Enum(_)
                if column.1.kind.data_type() == arrow_schema::DataType::UInt8 =>
            {
                let mut bits = [0_u64; 4];
                for v in values {
                    let v = u8::try_from(v).ok()?;
                    *bits.get_mut(usize::from(v >> 6))? |= 1 << (v & 63);
                }
                if negated {
                    bits = bits.map(|w| !w);
                }
                Some(Test::U8 {
                    column: column.0,
                    set: bits,
                })
            }
            ColumnKind::U16 | ColumnKind::Enum(_) if !negated && values.len() <= 16 => {
                Some(Test::U16 {
                    column: column.0,
                    values: values
                        .into_iter()
                        .map(u16::try_from)
                        .collect::<Result<_, _>>()
                        .ok()?,
                })
            }
            _ => None,
        }
    };
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            // several equalities of one column, joined by OR, come back from the simplifier
            if *op == Operator::Or {
                let (a, b) = (cheap(left, columns)?, cheap(right, columns)?);
                return match (a, b) {
                    (
                        Test::U8 { column, set: x },
                        Test::U8 {
                            column: other,
                            set: y,
                        },
                    ) if column == other => {
                        let mut both = x;
                        both.iter_mut().zip(y).for_each(|(a, b)| *a |= b);
                        Some(Test::U8 { column, set: both })
                    }
                    (
                        Test::U16 { column, mut values },
                        Test::U16 {
                            column: other,
                            values: more,
                        },
                    ) if column == other => {
                        values.extend(more);
                        Some(Test::U16 { column, values })
                    }
                    _ => None,
                };
            }
            let (column, value, op) = match (position(left), number(right)) {
                (Some(c), Some(v)) => (c, v, *op),
                _ => (position(right)?, number(left)?, op.swap()?),
            };
            let range = |low, high| {
                matches!(
                    column.1.kind,
                    ColumnKind::U8 | ColumnKind::U16 | ColumnKind::U32 | ColumnKind::U64
                )
                .then_some(Test::Range {
                    column: column.0,
                    low,
                    high,
                })
            };
            match op {
                Operator::Eq => set(column, vec![value], false).or_else(|| range(value, value)),
                Operator::NotEq => set(column, vec![value], true),
                Operator::Lt => range(0, value.checked_sub(1)?),
                Operator::LtEq => range(0, value),
                Operator::Gt => range(value.checked_add(1)?, u64::MAX),
                Operator::GtEq => range(value, u64::MAX),
                _ => None,
            }
        }
        Expr::InList(InList {
            expr,
            list,
            negated,
        }) => {
            let column = position(expr)?;
            set(
                column,
                list.iter().map(number).collect::<Option<_>>()?,
                *negated,
            )
        }
        _ => None,
    }
}

/// The conjunct as SQL, with names instead of numbers.
fn readable(expr: &Expr, columns: &'static [ColumnDef]) -> String {
    let names = |def: &ColumnDef, list: Vec<u64>| -> String {
        let ColumnKind::Enum(id) = def.kind else {
            return list
                .iter()
                .map(u64::to_string)
                .collect::<Vec<_>>()
                .join(", ");
        };
        list.iter()
            .map(|n| {
                format!(
                    "'{}'",
                    u16::try_from(*n)
                        .ok()
                        .and_then(|n| id.def().name_of(n))
                        .unwrap_or("?")
                )
            })
            .collect::<Vec<_>>()
            .join(", ")
    };
    match cheap(expr, columns) {
        Some(Test::U8 { column, set }) => {
            let Some(def) = columns.get(column) else {
                return expr.to_string();
            };
            let holds = |v: u64| {
                set.get(usize::try_from(v >> 6).unwrap_or(0))
                    .is_some_and(|w| w >> (v & 63) & 1 == 1)
            };
            let (yes, no): (Vec<u64>, Vec<u64>) = (0..256_u64).partition(|v| holds(*v));
            match (yes.as_slice(), no.as_slice()) {
                ([_], _) => format!("{} = {}", def.name, names(def, yes)),
                (_, [_]) => format!("{} <> {}", def.name, names(def, no)),
                _ if yes.len() <= no.len() => format!("{} IN ({})", def.name, names(def, yes)),
                _ => format!("{} NOT IN ({})", def.name, names(def, no)),
            }
        }
        Some(Test::U16 { column, values }) => {
            let Some(def) = columns.get(column) else {
                return expr.to_string();
            };
            let list: Vec<u64> = values.iter().map(|v| u64::from(*v)).collect();
            match list.as_slice() {
                [_] => format!("{} = {}", def.name, names(def, list)),
                _ => format!("{} IN ({})", def.name, names(def, list)),
            }
        }
        _ => expr.to_string(),
    }
}

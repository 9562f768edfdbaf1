//! One rule: SQL to atoms.

use crate::atom::Atom;
use crate::cheap::{cell_test, look, tree};
use crate::context::Context;
use crate::literals::Scope;
use crate::possible::impossible;
use crate::provider::Provider;
use crate::set::{Set, bits_of};
use crate::sql::calls::{Crossed, FirstSeen};
use crate::sql::window::Windowed;
use crate::sql::{self, Parameters, Text};
use crate::test::{CellTest, Test};
use crate::text;
use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, RecordBatch, UInt8Array, UInt16Array};
use arrow_schema::{DataType, Schema};
use datafusion_common::{DFSchema, DataFusionError, ScalarValue};
use datafusion_expr::Expr;
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::utils::split_conjunction_owned;
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::create_physical_expr;
use datafusion_sql::planner::{PlannerContext, SqlToRel};
use std::sync::Arc;
use telltale_rules::{Diagnostic, Rule, Site};
use telltale_schema::{ColumnDef, ColumnKind, TableId};

/// A rule's SELECT, or a step's conditions, in the form in which it runs.
pub(crate) struct Compiled {
    pub tables: Vec<TableId>,
    pub columns: &'static [ColumnDef],
    pub atoms: Vec<Atom>,
    pub first_seen: Vec<FirstSeen>,
    pub crossed: Vec<Crossed>,
    pub window: Option<Windowed>,
}

fn first_line(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    let text = text
        .trim_start_matches("Error during planning: ")
        .trim_start_matches("Schema error: ");
    text.lines().next().unwrap_or(text).to_owned()
}

/// A rule's SELECT, or all its steps.
pub(crate) fn compile(
    rule: &Rule,
    site: &Site,
    context: &Context,
    provider: &Provider,
) -> Result<Vec<Compiled>, Vec<Diagnostic>> {
    let mut parameters: Parameters = rule.parameters.clone();
    if let Some(layer) = site.overrides.get(&rule.id) {
        parameters.extend(layer.parameters.clone());
    }
    let scope = |columns| Scope {
        columns,
        site,
        context,
        parameters: &parameters,
        lists: &rule.requires.lists,
        calendars: &rule.requires.calendars,
    };
    let Some(sequence) = &rule.sequence else {
        return select(&Text::of_rule(rule), &scope, provider).map(|one| vec![one]);
    };
    let (mut steps, mut found) = (Vec::new(), Vec::new());
    for at in 0..sequence.steps.len() {
        let Some(text) = Text::of_step(rule, &sequence.steps, at) else {
            continue;
        };
        match select(&text, &scope, provider) {
            Ok(step) => steps.push(step),
            Err(mut more) => found.append(&mut more),
        }
    }
    if let (true, Some(first)) = (found.is_empty(), steps.first()) {
        found.extend(tied(rule, &sequence.steps, &steps, first));
    }
    if found.is_empty() {
        Ok(steps)
    } else {
        Err(found)
    }
}

/// Key columns that a step's table lacks, or that are of another type than the first step's.
fn tied(
    rule: &Rule,
    steps: &[telltale_rules::Step],
    compiled: &[Compiled],
    first: &Compiled,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let kind = |columns: &'static [ColumnDef], name: &str| {
        columns.iter().find(|c| c.name == name).map(|c| c.kind)
    };
    let names = steps.first().map_or(&[][..], |s| s.by.as_slice());
    for (at, (step, read)) in steps.iter().zip(compiled).enumerate() {
        let Some(text) = Text::of_step(rule, steps, at) else {
            continue;
        };
        for (own, theirs) in step.by.iter().zip(names) {
            let wrong = match (kind(read.columns, own), kind(first.columns, theirs)) {
                (None, _) => format!(
                    "step `{}`: `{}` has no column `{own}`",
                    step.name, step.table
                ),
                (Some(a), Some(b)) if !sql::calls::comparable(a, b) => format!(
                    "step `{}`: `{own}` is of another type than `{theirs}` of the first step",
                    step.name
                ),
                _ => continue,
            };
            found.push(text.error(
                "TT-SQL-038",
                (0, 0),
                wrong,
                "tie steps by columns of one type: addresses with addresses",
            ));
        }
        let keys: Vec<usize> = step
            .by
            .iter()
            .filter_map(|n| read.columns.iter().position(|c| c.name == *n))
            .collect();
        sql::calls::unbounded(&text, (0, 0), &keys, read.columns, &mut found);
    }
    found
}

fn select<'s>(
    place: &Text<'_>,
    scope: &impl Fn(&'static [ColumnDef]) -> Scope<'s>,
    provider: &Provider,
) -> Result<Compiled, Vec<Diagnostic>> {
    let parameters = scope(&[]).parameters;
    let read = sql::read(place, parameters, provider)?;
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
    let scope = scope(read.columns);
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
    if let Some((a, b)) = contradiction(&atoms) {
        let message = if a == b {
            format!("never true: no value fits `{a}`")
        } else {
            format!("never true: `{a}` and `{b}` exclude each other")
        };
        return Err(vec![place.error(
            "TT-SQL-024",
            (0, 0),
            message,
            "a row has one value in a column; say either with OR or IN",
        )]);
    }
    if let Some((message, help)) = impossible(&read.tables, &atoms) {
        return Err(vec![place.error("TT-SQL-014", (0, 0), message, help)]);
    }
    // a rule over `events` runs over the tables whose functions can fulfil it
    let tables = read
        .tables
        .into_iter()
        .filter(|table| impossible(&[*table], &atoms).is_none())
        .collect();
    Ok(Compiled {
        tables,
        columns: read.columns,
        atoms,
        first_seen: read.first_seen,
        crossed: read.crossed,
        window: read.window,
    })
}

/// Two conjuncts over one column that no cell can pass together.
fn contradiction(atoms: &[Atom]) -> Option<(&str, &str)> {
    let mut seen: Vec<(&str, CellTest)> = Vec::new();
    for atom in atoms {
        let Test::Cell(test) = &atom.test else {
            continue;
        };
        if test.is_never() {
            return Some((&atom.text, &atom.text));
        }
        match seen.iter_mut().find(|(_, t)| t.column == test.column) {
            None => seen.push((&atom.text, test.clone())),
            Some((text, both)) => {
                if let Some(joined) = both.and(test) {
                    if joined.is_never() {
                        return Some((text, &atom.text));
                    }
                    *both = joined;
                }
            }
        }
    }
    None
}

/// A conjunct in its cheapest form.
fn atom(expr: &Expr, columns: &'static [ColumnDef]) -> Result<Atom, DataFusionError> {
    let test = match (cell_test(expr, columns), look(expr, columns)) {
        (Some(test), _) => Test::Cell(test),
        (None, Some(look)) => Test::Look(look),
        (None, None) => {
            let whole = expression(expr, columns)?;
            match (of_names(&whole, columns), tree(expr, columns)) {
                (Some(test), _) => Test::Cell(test),
                (None, Some(tree)) => Test::Tree(tree),
                (None, None) => whole,
            }
        }
    };
    let test_of = match &test {
        Test::Cell(test) => Some(test),
        Test::Tree(_) | Test::Look(_) | Test::Expr { .. } => None,
    };
    Ok(Atom {
        key: expr.to_string(),
        text: text::of(expr, test_of, columns),
        test,
    })
}

/// The conjunct as DataFusion's physical expression.
fn expression(expr: &Expr, columns: &'static [ColumnDef]) -> Result<Test, DataFusionError> {
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
    Ok(Test::Expr {
        expr: physical,
        columns: positions,
        schema: arrow,
    })
}

/// A conjunct over one enumeration is decided here, for each of its names:
/// `function LIKE 'read%'` becomes the set of functions that it means.
fn of_names(test: &Test, columns: &'static [ColumnDef]) -> Option<CellTest> {
    let Test::Expr {
        expr,
        columns: positions,
        schema,
    } = test
    else {
        return None;
    };
    let [column] = positions.as_slice() else {
        return None;
    };
    let ColumnKind::Enum(id) = columns.get(*column)?.kind else {
        return None;
    };
    let last = id.def().values.iter().map(|v| v.0).max()?;
    let nullable = schema.field(0).is_nullable();
    let values = (0..=last).map(Some).chain(nullable.then_some(None));
    let array: ArrayRef = match schema.field(0).data_type() {
        DataType::UInt16 => Arc::new(values.collect::<UInt16Array>()),
        DataType::UInt8 => Arc::new(
            values
                .map(|v| v.and_then(|v| u8::try_from(v).ok()))
                .collect::<UInt8Array>(),
        ),
        _ => return None,
    };
    let rows = array.len();
    let batch = RecordBatch::try_new(schema.clone(), vec![array]).ok()?;
    let answer = expr.evaluate(&batch).ok()?.into_array(rows).ok()?;
    let answer = answer.as_boolean_opt()?;
    let passes = |row: usize| answer.is_valid(row) && answer.value(row);
    Some(CellTest {
        column: *column,
        set: Set::Bits {
            bits: bits_of(
                (0..=last)
                    .filter(|v| passes(usize::from(*v)))
                    .map(u64::from),
            ),
            rest: false,
        },
        null: nullable && passes(rows - 1),
    })
}

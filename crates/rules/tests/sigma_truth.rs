//! The SQL of an imported rule is true of the rows that Sigma's own meaning matches,
//! of those and no others: two evaluators that know nothing of each other agree.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use proptest::prelude::*;
use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, SetExpr, Statement,
    UnaryOperator, Value,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use std::collections::BTreeMap;
use telltale_rules::Rule;
use telltale_rules::sigma::{Mapping, Outcome, import};

const MAPPING: &str = "
logsources:
  - logsource: {product: truth}
    table: modbus
    own_columns: true
";

/// A row: text of each column, `None` where it has none.
type Row = BTreeMap<&'static str, Option<&'static str>>;

/// A column, the values that rows have, and the values that rules ask for.
type Column = (
    &'static str,
    &'static [Option<&'static str>],
    &'static [&'static str],
);

const COLUMNS: [Column; 6] = [
    (
        "function",
        &[
            Some("read_coils"),
            Some("write_single_coil"),
            Some("write_single_register"),
        ],
        &["read_coils", "WRITE_SINGLE_COIL", "write*", "*single*", "*"],
    ),
    (
        "unit_id",
        &[Some("1"), Some("2"), Some("30")],
        &["1", "2", "30", "*"],
    ),
    (
        "exception_code",
        &[None, Some("1"), Some("2")],
        &["1", "2", "3", "null", "*"],
    ),
    (
        "object",
        &[
            None,
            Some(""),
            Some("abc"),
            Some("ABC"),
            Some("a%c"),
            Some("a_c"),
            Some("ab'c\\"),
        ],
        &[
            "abc", "a%c", "A_C", "a?c", "a*", "*C", "", "ab'c\\\\", "null", "*",
        ],
    ),
    (
        "client_ip",
        &[
            None,
            Some("10.0.0.1"),
            Some("10.1.0.1"),
            Some("192.168.1.1"),
        ],
        &["10.0.0.1", "10.*", "*.1.1", "192.168.1.1", "null"],
    ),
    (
        "src_ip",
        &[None, Some("10.0.0.1"), Some("10.1.0.1")],
        &["10.0.0.1", "*", "null"],
    ),
];

#[derive(Debug, Clone)]
struct Item {
    column: usize,
    modifier: &'static str,
    values: Vec<String>,
}

#[derive(Debug, Clone)]
enum Condition {
    Name(usize),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    OneOfThem,
    AllOfThem,
}

const SELECTIONS: usize = 3;

fn item() -> impl Strategy<Value = Item> {
    (0..COLUMNS.len()).prop_flat_map(|column| {
        let (name, _, asked) = COLUMNS[column];
        let modifiers: Vec<&'static str> = match name {
            "unit_id" | "exception_code" => {
                vec!["", "", "|gt", "|gte", "|lt", "|lte", "|exists", "|neq"]
            }
            "object" => vec![
                "",
                "",
                "|contains",
                "|startswith",
                "|endswith",
                "|cased",
                "|re",
                "|contains|all",
                "|exists",
                "|neq",
            ],
            "function" => vec!["", "|contains", "|startswith", "|neq"],
            _ => vec!["", "|cidr", "|fieldref", "|exists", "|neq"],
        };
        (
            proptest::sample::select(modifiers),
            proptest::collection::vec(proptest::sample::select(asked), 1..4),
        )
            .prop_map(move |(modifier, values)| {
                let values: Vec<String> = match modifier {
                    "|exists" => vec![if values.len() > 1 { "true" } else { "false" }.to_owned()],
                    "|cidr" => vec!["10.0.0.0/15".to_owned(), "192.168.0.0/16".to_owned()]
                        [..values.len().min(2)]
                        .to_vec(),
                    "|fieldref" => vec![
                        if name == "src_ip" {
                            "client_ip"
                        } else {
                            "src_ip"
                        }
                        .to_owned(),
                    ],
                    "|re" => {
                        vec!["^a.c".to_owned(), "b".to_owned()][..values.len().min(2)].to_vec()
                    }
                    "|gt" | "|gte" | "|lt" | "|lte" => vec!["2".to_owned()],
                    "|neq" => values.into_iter().take(1).map(str::to_owned).collect(),
                    "" => values.into_iter().map(str::to_owned).collect(),
                    // null has no text
                    _ => values
                        .into_iter()
                        .map(|v| if v == "null" { "a" } else { v }.to_owned())
                        .collect(),
                };
                Item {
                    column,
                    modifier,
                    values,
                }
            })
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        6 => (0..SELECTIONS).prop_map(Condition::Name),
        1 => Just(Condition::OneOfThem),
        1 => Just(Condition::AllOfThem),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|c| Condition::Not(Box::new(c))),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| Condition::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Condition::Or(Box::new(a), Box::new(b))),
        ]
    })
}

fn text(condition: &Condition) -> String {
    match condition {
        Condition::Name(n) => format!("s{n}"),
        Condition::Not(c) => format!("not ({})", text(c)),
        Condition::And(a, b) => format!("({} and {})", text(a), text(b)),
        Condition::Or(a, b) => format!("({} or {})", text(a), text(b)),
        Condition::OneOfThem => "1 of s*".to_owned(),
        Condition::AllOfThem => "all of them".to_owned(),
    }
}

fn yaml(selections: &[Vec<Vec<Item>>], condition: &Condition) -> String {
    let mut out = "title: truth\nlogsource: {product: truth}\ndetection:\n".to_owned();
    for (n, maps) in selections.iter().enumerate() {
        out.push_str(&format!("  s{n}:\n"));
        for map in maps {
            let mut dash = "    - ";
            let mut seen = Vec::new();
            for item in map {
                let key = format!("{}{}", COLUMNS[item.column].0, item.modifier);
                if seen.contains(&key) {
                    continue;
                }
                let values: Vec<String> = item
                    .values
                    .iter()
                    .map(|v| match v.as_str() {
                        "null" | "true" | "false" => v.clone(),
                        v => format!("'{}'", v.replace('\'', "''")),
                    })
                    .collect();
                out.push_str(&format!("{dash}{key}: [{}]\n", values.join(", ")));
                dash = "      ";
                seen.push(key);
            }
        }
    }
    out.push_str(&format!("  condition: {}\n", text(condition)));
    out
}

// --- Sigma, by its specification ---

/// Does the text fit, where `*` and `?` are wildcards and `\` takes their meaning?
fn wild(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|n| wild(rest, &text[n..])),
        ['?', rest @ ..] => !text.is_empty() && wild(rest, &text[1..]),
        ['\\', c @ ('*' | '?' | '\\'), rest @ ..] | [c, rest @ ..] => {
            text.first() == Some(c) && wild(rest, &text[1..])
        }
    }
}

fn one(value: &str, modifier: &str, cell: Option<&str>, row: &Row) -> bool {
    if modifier == "|exists" {
        return cell.is_some() == (value == "true");
    }
    if value == "null" {
        return cell.is_none() == (modifier != "|neq");
    }
    if modifier == "|neq" {
        return !one(value, "", cell, row);
    }
    let Some(cell) = cell else { return false };
    let number = |t: &str| t.parse::<f64>().unwrap();
    let (small, asked) = (cell.to_lowercase(), value.to_lowercase());
    match modifier {
        "" => wild(&chars(&asked), &chars(&small)),
        "|cased" => wild(&chars(value), &chars(cell)),
        "|contains" | "|contains|all" => wild(&chars(&format!("*{asked}*")), &chars(&small)),
        "|startswith" => wild(&chars(&format!("{asked}*")), &chars(&small)),
        "|endswith" => wild(&chars(&format!("*{asked}")), &chars(&small)),
        "|re" => regex::Regex::new(value).unwrap().is_match(cell),
        "|gt" => number(cell) > number(value),
        "|gte" => number(cell) >= number(value),
        "|lt" => number(cell) < number(value),
        "|lte" => number(cell) <= number(value),
        "|cidr" => value
            .parse::<ipnet::IpNet>()
            .unwrap()
            .contains(&cell.parse::<std::net::IpAddr>().unwrap()),
        "|fieldref" => row[value] == Some(cell),
        other => panic!("{other}"),
    }
}

fn selected(maps: &[Vec<Item>], row: &Row) -> bool {
    maps.iter().any(|map| {
        let mut seen: Vec<(usize, &str)> = Vec::new();
        map.iter().all(|item| {
            if seen.contains(&(item.column, item.modifier)) {
                return true;
            }
            seen.push((item.column, item.modifier));
            let cell = row[COLUMNS[item.column].0];
            let mut fits = item.values.iter().map(|v| one(v, item.modifier, cell, row));
            if item.modifier.ends_with("|all") {
                fits.all(|f| f)
            } else {
                fits.any(|f| f)
            }
        })
    })
}

fn sigma(condition: &Condition, of: &[bool]) -> bool {
    match condition {
        Condition::Name(n) => of[*n],
        Condition::Not(c) => !sigma(c, of),
        Condition::And(a, b) => sigma(a, of) && sigma(b, of),
        Condition::Or(a, b) => sigma(a, of) || sigma(b, of),
        Condition::OneOfThem => of.iter().any(|s| *s),
        Condition::AllOfThem => of.iter().all(|s| *s),
    }
}

// --- SQL, with its three truth values ---

fn like(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|n| like(rest, &text[n..])),
        ['_', rest @ ..] => !text.is_empty() && like(rest, &text[1..]),
        ['\\', c, rest @ ..] | [c, rest @ ..] => text.first() == Some(c) && like(rest, &text[1..]),
    }
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn scalar(expr: &Expr, row: &Row) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => row[ident.value.as_str()].map(str::to_owned),
        Expr::Value(v) => Some(match &v.value {
            Value::SingleQuotedString(t) | Value::Number(t, _) => t.clone(),
            other => panic!("{other}"),
        }),
        Expr::Function(f) if f.name.to_string() == "lower" => {
            scalar(&args(f)[0], row).map(|t| t.to_lowercase())
        }
        other => panic!("{other}"),
    }
}

fn args(f: &sqlparser::ast::Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &f.args else {
        panic!("{f}")
    };
    list.args
        .iter()
        .map(|a| match a {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => e.clone(),
            other => panic!("{other}"),
        })
        .collect()
}

fn sql(expr: &Expr, row: &Row) -> Option<bool> {
    let not = |v: Option<bool>, negated: bool| v.map(|v| v != negated);
    let compare = |left: &Expr, right: &Expr, of: fn(&str, &str) -> bool| {
        let (left, right) = (scalar(left, row)?, scalar(right, row)?);
        Some(of(&left, &right))
    };
    fn number(t: &str) -> f64 {
        t.parse().unwrap()
    }
    match expr {
        Expr::Nested(inner) => sql(inner, row),
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => not(sql(expr, row), true),
        Expr::BinaryOp { left, op, right } => match op {
            BinaryOperator::And => match (sql(left, row), sql(right, row)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            BinaryOperator::Or => match (sql(left, row), sql(right, row)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            BinaryOperator::Eq => compare(left, right, |a, b| a == b),
            BinaryOperator::NotEq => compare(left, right, |a, b| a != b),
            BinaryOperator::Gt => compare(left, right, |a, b| number(a) > number(b)),
            BinaryOperator::GtEq => compare(left, right, |a, b| number(a) >= number(b)),
            BinaryOperator::Lt => compare(left, right, |a, b| number(a) < number(b)),
            BinaryOperator::LtEq => compare(left, right, |a, b| number(a) <= number(b)),
            other => panic!("{other}"),
        },
        Expr::IsNull(e) => Some(scalar(e, row).is_none()),
        Expr::IsNotNull(e) => Some(scalar(e, row).is_some()),
        Expr::IsDistinctFrom(a, b) => Some(scalar(a, row) != scalar(b, row)),
        Expr::InList {
            expr,
            list,
            negated,
        } => {
            let cell = scalar(expr, row)?;
            not(
                Some(list.iter().any(|v| scalar(v, row).as_ref() == Some(&cell))),
                *negated,
            )
        }
        Expr::Like {
            negated,
            expr,
            pattern,
            ..
        } => {
            let (cell, pattern) = (scalar(expr, row)?, scalar(pattern, row)?);
            not(Some(like(&chars(&pattern), &chars(&cell))), *negated)
        }
        Expr::ILike {
            negated,
            expr,
            pattern,
            ..
        } => {
            let (cell, pattern) = (scalar(expr, row)?, scalar(pattern, row)?);
            not(
                Some(like(
                    &chars(&pattern.to_lowercase()),
                    &chars(&cell.to_lowercase()),
                )),
                *negated,
            )
        }
        Expr::Function(f) => {
            let (name, args) = (f.name.to_string(), args(f));
            let (cell, asked) = (scalar(&args[0], row), scalar(&args[1], row).unwrap());
            match name.as_str() {
                "regexp_like" => cell.map(|c| regex::Regex::new(&asked).unwrap().is_match(&c)),
                // never NULL
                "cidr_match" => Some(cell.is_some_and(|c| {
                    asked
                        .parse::<ipnet::IpNet>()
                        .unwrap()
                        .contains(&c.parse::<std::net::IpAddr>().unwrap())
                })),
                other => panic!("{other}"),
            }
        }
        other => panic!("{other}"),
    }
}

/// All rows that the columns' values make.
fn rows() -> Vec<Row> {
    let mut all = vec![Row::new()];
    for (name, values, _) in COLUMNS {
        all = all
            .into_iter()
            .flat_map(|row| {
                values.iter().map(move |value| {
                    let mut row = row.clone();
                    row.insert(name, *value);
                    row
                })
            })
            .collect();
    }
    all
}

/// Each case looks at one row of so many; 11 divides the number of values of no column.
const STRIDE: usize = 11;

fn mapping() -> &'static Mapping {
    static MADE: std::sync::OnceLock<Mapping> = std::sync::OnceLock::new();
    MADE.get_or_init(|| Mapping::parse("truth.yaml", MAPPING).unwrap())
}

/// The condition after WHERE.
fn condition_of(text: &str) -> Expr {
    let (rule, found) = Rule::parse("truth.yaml", text);
    let rule = rule.unwrap_or_else(|| panic!("{found:?}\n{text}"));
    let statements = Parser::parse_sql(&GenericDialect {}, &rule.sql).unwrap();
    let [Statement::Query(query)] = statements.as_slice() else {
        panic!("{}", rule.sql)
    };
    let SetExpr::Select(select) = &*query.body else {
        panic!("{}", rule.sql)
    };
    select.selection.clone().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_truth_table_is_kept(
        selections in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec(item(), 1..4), 1..3),
            SELECTIONS..=SELECTIONS,
        ),
        condition in condition(),
        offset in 0..STRIDE,
    ) {
        let text = yaml(&selections, &condition);
        let all = import("truth.yml", &text, mapping());
        let by_sigma: Vec<(Row, bool)> = rows()
            .into_iter()
            .skip(offset)
            .step_by(STRIDE)
            .map(|row| {
                let of: Vec<bool> = selections.iter().map(|s| selected(s, &row)).collect();
                let holds = sigma(&condition, &of);
                (row, holds)
            })
            .collect();
        match &all[0].outcome {
            Outcome::Rules(made) => {
                let expr = condition_of(&made[0].text);
                for (row, holds) in by_sigma {
                    // WHERE takes what is true; NULL is not
                    prop_assert_eq!(sql(&expr, &row) == Some(true), holds, "{:?}\n{}\n{}", row, text, expr);
                }
            }
            Outcome::Refused(why) => {
                prop_assert!(why.iter().all(|r| ["TT-SIG-013", "TT-SIG-004"].contains(&r.code)), "{:?}\n{}", why, text);
                if why.iter().any(|r| r.code == "TT-SIG-013") {
                    // true or false of every row, then also of these
                    let first = by_sigma[0].1;
                    prop_assert!(by_sigma.iter().all(|(_, holds)| *holds == first), "{}", text);
                }
            }
            Outcome::Part(_) => prop_assert!(false),
        }
    }
}

//! HAVING: what it says of a group's aggregates.

use super::calls::Comparison;

/// A side of a comparison in HAVING.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    /// An aggregate, by position.
    Aggregate(usize),
    Number(f64),
    Sum(Box<Term>, Box<Term>),
    Difference(Box<Term>, Box<Term>),
    Product(Box<Term>, Box<Term>),
    Quotient(Box<Term>, Box<Term>),
}

/// HAVING.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Having {
    All(Vec<Having>),
    Any(Vec<Having>),
    Not(Box<Having>),
    Compare(Term, Comparison, Term),
}

impl Term {
    /// Its value for a group whose aggregates are given; what cannot be worked out
    /// (a quotient by zero, an aggregate of no rows) is NaN, which no comparison passes.
    pub(crate) fn value(&self, of: &impl Fn(usize) -> f64) -> f64 {
        match self {
            Self::Aggregate(at) => of(*at),
            Self::Number(n) => *n,
            Self::Sum(a, b) => a.value(of) + b.value(of),
            Self::Difference(a, b) => a.value(of) - b.value(of),
            Self::Product(a, b) => a.value(of) * b.value(of),
            Self::Quotient(a, b) => {
                let below = b.value(of);
                if below == 0.0 {
                    f64::NAN
                } else {
                    a.value(of) / below
                }
            }
        }
    }
}

impl Having {
    /// Three-valued, as SQL's: `None` where a value is missing.
    fn answer(&self, of: &impl Fn(usize) -> f64) -> Option<bool> {
        match self {
            Self::Compare(a, comparison, b) => a
                .value(of)
                .partial_cmp(&b.value(of))
                .map(|order| comparison.holds(order)),
            Self::Not(inner) => inner.answer(of).map(|v| !v),
            Self::All(parts) => {
                let mut all = Some(true);
                for part in parts {
                    match part.answer(of) {
                        Some(false) => return Some(false),
                        None => all = None,
                        Some(true) => {}
                    }
                }
                all
            }
            Self::Any(parts) => {
                let mut any = Some(false);
                for part in parts {
                    match part.answer(of) {
                        Some(true) => return Some(true),
                        None => any = None,
                        Some(false) => {}
                    }
                }
                any
            }
        }
    }

    /// Is it true of a group?
    pub(crate) fn holds(&self, of: &impl Fn(usize) -> f64) -> bool {
        self.answer(of) == Some(true)
    }

    /// Once true of some rows, is it true of them and any others? Then it may fire at
    /// the row that crosses.
    pub(crate) fn is_monotone(
        &self,
        rises: &impl Fn(usize) -> bool,
        falls: &impl Fn(usize) -> bool,
    ) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().all(|p| p.is_monotone(rises, falls))
            }
            Self::Not(_) => false,
            Self::Compare(a, comparison, b) => {
                let (at, comparison) = match (a, b) {
                    (Term::Aggregate(at), Term::Number(_)) => (*at, *comparison),
                    (Term::Number(_), Term::Aggregate(at)) => (*at, comparison.turned()),
                    _ => return false,
                };
                match comparison {
                    Comparison::Greater | Comparison::GreaterOrEqual => rises(at),
                    Comparison::Less | Comparison::LessOrEqual => falls(at),
                    Comparison::Equal | Comparison::Unequal => false,
                }
            }
        }
    }
}

//! Distinct conjuncts.

use crate::test::Test;

/// A distinct conjunct.
#[derive(Debug, Clone)]
pub(crate) struct Atom {
    /// Equal keys are equal conjuncts.
    pub(crate) key: String,
    /// As SQL, for people.
    pub(crate) text: String,
    pub(crate) test: Test,
}

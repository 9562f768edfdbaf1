//! What a conjunct tests.

use crate::cells::Cells;
use crate::look::Look;
use crate::set::Set;
use arrow_schema::SchemaRef;
use datafusion_physical_expr::PhysicalExpr;
use std::sync::Arc;

/// A conjunct in the form in which it runs.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// A column's cell is in a set; read straight from Arrow's buffers.
    Cell(CellTest),
    /// Such tests of several columns, joined with AND and OR.
    Tree(Tree),
    /// Are some cells in a list of the site?
    Look(Look),
    /// Anything else, over these columns of the table.
    Expr {
        expr: Arc<dyn PhysicalExpr>,
        columns: Vec<usize>,
        schema: SchemaRef,
    },
}

/// Tests of cells joined with AND and OR. Each test says where its condition is
/// *true*, and AND and OR are true exactly by what is true below them, so that NULL
/// needs no third value here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Leaf(CellTest),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

impl Tree {
    /// Does the row pass? `cells` gives the cells of a column.
    #[inline]
    pub(crate) fn passes<'c, 'b: 'c>(
        &self,
        cells: &impl Fn(usize) -> Option<&'c Cells<'b>>,
        row: usize,
    ) -> bool {
        self.holds(&|test| cells(test.column).is_some_and(|c| test.passes(c, row)))
    }

    /// Does it hold, if these tests do?
    pub(crate) fn holds(&self, leaf: &impl Fn(&CellTest) -> bool) -> bool {
        match self {
            Self::Leaf(test) => leaf(test),
            Self::All(parts) => parts.iter().all(|p| p.holds(leaf)),
            Self::Any(parts) => parts.iter().any(|p| p.holds(leaf)),
        }
    }

    /// Columns that it reads, in order, each once.
    pub(crate) fn columns(&self) -> Vec<usize> {
        let mut columns = Vec::new();
        self.visit(&mut |test| columns.push(test.column));
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    fn visit(&self, see: &mut impl FnMut(&CellTest)) {
        match self {
            Self::Leaf(test) => see(test),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|p| p.visit(see)),
        }
    }
}

/// A test of one cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CellTest {
    /// Position in the table.
    pub column: usize,
    /// The values that pass.
    pub set: Set,
    /// Does NULL pass?
    pub null: bool,
}

impl CellTest {
    /// Does the cell of this row pass?
    #[inline]
    pub(crate) fn passes(&self, cells: &Cells<'_>, row: usize) -> bool {
        if cells.is_null(row) {
            return self.null;
        }
        match &self.set {
            Set::Every(all) => *all,
            Set::Range { low, high, inside } => {
                (cells.word(row).wrapping_sub(*low) <= high.wrapping_sub(*low)) == *inside
            }
            Set::Bits { .. } | Set::Words { .. } => self.set.has_word(cells.word(row)),
            Set::Wide { .. } | Set::Wides { .. } => self.set.has_wide(cells.wide(row)),
            Set::Texts { .. } | Set::Like { .. } => self.set.has_text(cells.text(row)),
        }
    }

    /// Both tests of one column as one.
    pub(crate) fn and(&self, other: &Self) -> Option<Self> {
        (self.column == other.column)
            .then(|| self.set.intersect(&other.set))
            .flatten()
            .map(|set| Self {
                column: self.column,
                set,
                null: self.null && other.null,
            })
    }

    /// Can no cell pass?
    pub(crate) fn is_never(&self) -> bool {
        !self.null && self.set.is_empty()
    }
}

impl Test {
    /// Order in which people read a rule's conjuncts, and in which they run: the
    /// most selective and cheapest first.
    pub(crate) fn cost(&self) -> (u8, u32) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        match self {
            Self::Cell(test) => match &test.set {
                Set::Bits { bits, rest: false } => {
                    (0, bits.iter().map(|w| w.count_ones()).sum::<u32>())
                }
                Set::Bits { .. } => (0, u32::MAX),
                Set::Every(_) => (1, 0),
                Set::Range { .. } => (2, 0),
                Set::Wide { .. } => (2, 1),
                Set::Words { values, .. } => (3, count(values.len())),
                Set::Wides { values, .. } => (3, count(values.len())),
                Set::Texts { values, .. } => (4, count(values.len())),
                Set::Like { .. } => (4, u32::MAX),
            },
            Self::Tree(tree) => (5, count(tree.columns().len())),
            Self::Look(look) => (6, count(look.columns.len())),
            Self::Expr { columns, .. } => (7, count(columns.len())),
        }
    }
}

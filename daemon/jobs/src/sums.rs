//! What is summed. The protocol knows windows and bytes; what is in them is behind a trait.

use memberd_membership::Name;

/// Sums that cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SumsError {
    /// The bytes are no sums of this query.
    #[error("these are no sums of this query: {0}")]
    Malformed(String),
    /// A window has more than it may have. The job stops, and says so.
    #[error("{0}")]
    Full(String),
}

/// One row of a window, as texts that are already escaped: neither has a newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumRow {
    /// The key's columns, with tabs between them.
    pub key: Vec<u8>,
    /// The values' columns, with tabs between them.
    pub values: Vec<u8>,
    /// If a query orders its rows: what orders this one among those of all partitions, first by its
    /// key and then at each stage. Ranks compare as bytes. Else there are none.
    pub ranks: Vec<Vec<u8>>,
}

/// A stage that orders the rows of a window. Those that are equal stay in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStep {
    /// All rows stay.
    Sort,
    /// So many of the first rows stay.
    Top(usize),
}

/// A query's way to sum. Adding must be exact, and the same in every order: recovery adds in
/// another one, and the rows must not change by a bit. Sums of floating point are not.
pub trait Sums {
    /// The sums of one partition over the lines of [`JobSpec::every_ms`](crate::JobSpec), which is
    /// a window, or a part of several that overlap.
    type Table;

    /// No sums.
    fn empty(&self) -> Self::Table;

    /// Whether these bytes, which came from `member`, are sums of the lines from `window` on.
    ///
    /// # Errors
    /// When they are not. Nothing of their delta is then taken.
    fn check(&self, member: &Name, window: i64, sums: &[u8]) -> Result<(), SumsError>;

    /// Adds bytes that were checked, or that [`Sums::bytes`] made.
    ///
    /// # Errors
    /// When they cannot be read, or there is no room. The table may then lack some of them.
    fn add(&self, table: &mut Self::Table, sums: &[u8]) -> Result<(), SumsError>;

    /// The table as bytes, in pieces. Adding all of them to an empty table makes it again.
    fn bytes(&self, table: &Self::Table) -> Vec<Vec<u8>>;

    /// The stages that order rows. None: each row stands for itself. Else the rows of a window are
    /// a list of all partitions, and the sink makes it.
    fn steps(&self) -> Vec<OrderStep> {
        Vec::new()
    }

    /// The rows of the window that begins at `window`, of which `tables` are all parts, in the
    /// order of their keys. If a query orders its rows, in any order that depends on the sums
    /// alone; then those may be left out that the first [`OrderStep::Top`] takes away.
    ///
    /// # Errors
    /// When they have more than a window may have.
    fn rows(&self, window: i64, tables: &[&Self::Table]) -> Result<Vec<SumRow>, SumsError>;

    /// About how many bytes of memory the table takes.
    fn weight(&self, table: &Self::Table) -> usize;
}

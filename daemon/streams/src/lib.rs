//! Questions over the lines of logs, such as `| nginx | count by status every 10s`: the language,
//! the sums of one machine, and how those of many machines are merged. No I/O, no clock, no
//! threads, no randomness.
//!
//! A [`Query`] is the text, parsed. A [`Plan`] is the query, checked and compiled. Each thread that
//! reads lines has a [`Fold`], which becomes partial sums: opaque bytes of at most
//! [`MAX_PARTIAL`]. The asker merges those of all members in a [`Gather`], and gets [`Rows`].
//! These are the same however lines were divided over folds, and in whatever order partial sums
//! came. Sums may also come without end: then the rows, or those that changed, are shown between.

mod aggregate;
mod cells;
mod decimal;
mod divide;
mod error;
mod expression;
mod fold;
mod gather;
mod key;
mod partial;
mod plan;
mod query;
mod report;
mod rows;
mod scan;
mod syntax;
mod table;

pub use decimal::Decimal;
pub use divide::Division;
pub use error::{Full, PartialError, QueryError};
pub use fold::{Fold, Limits, LineTime, MAX_PARTIAL};
pub use gather::Gather;
pub use plan::{DurableWindows, MAX_DURABLE_OVERLAP, Plan};
pub use query::Query;
pub use rows::{Column, ColumnKind, Counts, OrderStage, RankedRow, Row, Rows, Value, time_text};
pub use syntax::MAX_QUERY_BYTES;

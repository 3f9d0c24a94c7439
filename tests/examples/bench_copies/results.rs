//! What a record is about, and how its cell is written. It owns no state.

use crate::options::Row;
use memberd_tests::bench;
pub(crate) use memberd_tests::bench::Measure;

/// The results of one run or of several.
pub(crate) type Results = bench::Results<Subject>;

/// A row of a fleet, of a part in shipping, or of a program that searches.
pub(crate) type Subject = bench::Column<Row>;

/// One cell of a table.
pub(crate) type Record = bench::Record<Subject>;

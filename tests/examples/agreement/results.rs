//! What a record is about: a row of a system and a number of servers. It owns no state.

use crate::options::Row;
use crate::system::System;
use memberd_tests::bench;
pub(crate) use memberd_tests::bench::Measure;
use serde::{Deserialize, Serialize};

/// The results of one run or of several.
pub(crate) type Results = bench::Results<Subject>;

/// One measurement: a row of one system and number of servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub(crate) row: Row,
    pub(crate) servers: usize,
    pub(crate) system: String,
}

/// One cell of the table.
pub(crate) type Record = bench::Record<Subject>;

impl Subject {
    pub(crate) fn new(row: Row, servers: impl Into<usize>, system: System) -> Self {
        Subject { row, servers: servers.into(), system: system.name().to_owned() }
    }
}

impl bench::Subject for Subject {
    type Row = Row;

    fn row(&self) -> Row {
        self.row
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "{:?} of {} x {}", self.row, self.servers, self.system)
    }
}

/// Formats a cell: the median and the worst, or a count.
pub(crate) fn cell(record: &Record) -> String {
    let typical = record.measure.show(record.typical());
    match record.measure {
        Measure::Total => typical,
        measure => format!("{typical}, {}", measure.show(record.worst())),
    }
}

/// The cell of a system, if it was measured.
pub(crate) fn find<'a>(
    results: &'a Results,
    what: &str,
    servers: usize,
    system: System,
) -> Option<&'a Record> {
    let is_it = |record: &&Record| {
        (record.what.as_str(), record.of.servers) == (what, servers)
            && record.of.system == system.name()
    };
    results.records.iter().find(is_it)
}

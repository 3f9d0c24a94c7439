//! The sums of `memberd_streams`: what durable jobs count with. Owns no state but its tables.

use crate::ids::Partition;
use crate::placement::partition_of;
use crate::sums::{OrderStep, SumRow, Sums, SumsError};
use memberd_membership::Name;
use memberd_streams::{
    ColumnKind, Counts, Division, Full, Gather, Limits, OrderStage, PartialError, Plan, Row,
};
use std::sync::Arc;

/// The pieces of a table are merged once they have so many bytes more than the merged ones.
const SLACK_BYTES: usize = 64 << 10;

/// A query's sums.
#[derive(Debug, Clone)]
pub struct StreamSums {
    plan: Arc<Plan>,
    limits: Limits,
}

/// The sums of a window or a part of it: partial sums that are merged when they have become many.
#[derive(Debug, Clone, Default)]
pub struct StreamTable {
    pieces: Vec<Vec<u8>>,
    bytes: usize,
    /// What `bytes` was after they were merged.
    merged_bytes: usize,
}

impl From<PartialError> for SumsError {
    fn from(error: PartialError) -> SumsError {
        match error {
            PartialError::Full(full) => full.into(),
            other => SumsError::Malformed(other.to_string()),
        }
    }
}

impl From<Full> for SumsError {
    fn from(full: Full) -> SumsError {
        SumsError::Full(match full {
            Full::Groups(most) => format!(
                "a window has more than {most} groups in a partition; group by less, or raise \
                 limits.groups"
            ),
            Full::Bytes(most) => format!(
                "a window needs more than {most} bytes in a partition; group by less, or raise \
                 limits.memory"
            ),
        })
    }
}

impl StreamSums {
    /// Sums of this plan, which has windows. `limits` are those of a window in a partition.
    #[must_use]
    pub fn new(plan: Arc<Plan>, limits: Limits) -> StreamSums {
        StreamSums { plan, limits }
    }

    /// Divides what a fold of a range made by partitions and windows, for deltas.
    ///
    /// # Errors
    /// When the bytes are no partial sum of this query.
    pub fn divide(
        &self,
        partial: &[u8],
        partitions: u16,
    ) -> Result<(Counts, Vec<(Partition, Division)>), SumsError> {
        let mut part = |key: &[u8]| partition_of(key, partitions).0;
        let (counts, divisions) = self.plan.divide(partial, &mut part)?;
        let of_partition = |division: Division| (Partition(division.part), division);
        Ok((counts, divisions.into_iter().map(of_partition).collect()))
    }

    fn gather(&self, table: &StreamTable) -> Result<Gather, SumsError> {
        let mut gather = Gather::new(Arc::clone(&self.plan), self.limits);
        for piece in &table.pieces {
            gather.checked_partial(piece)?;
        }
        Ok(gather)
    }

    fn row(&self, row: &Row, ranks: Vec<Vec<u8>>) -> SumRow {
        let joined = |kind: ColumnKind| {
            let columns = self.plan.columns().iter().zip(&row.values);
            let values = columns.filter(|(column, _)| column.kind == kind);
            let texts = values.map(|(_, value)| escaped(&value.to_bytes()));
            texts.collect::<Vec<Vec<u8>>>().join(&b'\t')
        };
        SumRow { key: joined(ColumnKind::Key), values: joined(ColumnKind::Figure), ranks }
    }
}

/// A text without tabs and newlines. Other bytes stay, whatever they are.
fn escaped(text: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'\t' => escaped.extend_from_slice(b"\\t"),
            b'\n' => escaped.extend_from_slice(b"\\n"),
            b'\\' => escaped.extend_from_slice(b"\\\\"),
            other => escaped.push(*other),
        }
    }
    escaped
}

impl Sums for StreamSums {
    type Table = StreamTable;

    fn empty(&self) -> StreamTable {
        StreamTable::default()
    }

    fn check(&self, member: &Name, window: i64, sums: &[u8]) -> Result<(), SumsError> {
        Gather::new(Arc::clone(&self.plan), self.limits).check(member.as_str(), sums)?;
        let (_, divisions) = self.plan.divide(sums, &mut |_| 0)?;
        if divisions.iter().all(|division| division.window == Some(window)) {
            return Ok(());
        }
        Err(SumsError::Malformed("they are of another window".to_owned()))
    }

    fn add(&self, table: &mut StreamTable, sums: &[u8]) -> Result<(), SumsError> {
        table.pieces.push(sums.to_vec());
        table.bytes += sums.len();
        if table.bytes > 2 * table.merged_bytes + SLACK_BYTES {
            table.pieces = self.gather(table)?.into_partials().collect();
            table.bytes = table.pieces.iter().map(Vec::len).sum();
            table.merged_bytes = table.bytes;
        }
        Ok(())
    }

    fn bytes(&self, table: &StreamTable) -> Vec<Vec<u8>> {
        match self.gather(table) {
            Ok(gather) => gather.into_partials().collect(),
            // More than its limits: it stays in the pieces that came.
            Err(_) => table.pieces.clone(),
        }
    }

    fn steps(&self) -> Vec<OrderStep> {
        let step = |stage| match stage {
            OrderStage::Sort => OrderStep::Sort,
            OrderStage::Top(rows) => OrderStep::Top(rows),
        };
        self.plan.order_stages().into_iter().map(step).collect()
    }

    fn rows(&self, window: i64, tables: &[&StreamTable]) -> Result<Vec<SumRow>, SumsError> {
        let mut gather = Gather::of_window(Arc::clone(&self.plan), self.limits, window);
        for piece in tables.iter().flat_map(|table| &table.pieces) {
            gather.checked_partial(piece)?;
        }
        if self.steps().is_empty() {
            let rows = gather.finish()?;
            return Ok(rows.rows.iter().map(|row| self.row(row, Vec::new())).collect());
        }
        let rows = gather.finish_ranked()?;
        Ok(rows.into_iter().map(|ranked| self.row(&ranked.row, ranked.ranks)).collect())
    }

    fn weight(&self, table: &StreamTable) -> usize {
        table.bytes
    }
}

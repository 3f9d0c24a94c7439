//! Which queries a durable job can answer. Owns no state.
//!
//! Its rows are written when a window closes, and nothing takes a row back: a late line makes the
//! row again, with a larger revision; or all rows of the window, if `top` or `sort` is behind the
//! aggregate. So a window with lines must have a row whatever its figures are, and a row its whole
//! key.

use super::Plan;
use crate::error::QueryError;
use crate::query::Query;
use crate::rows::ColumnKind;
use crate::syntax::{Aggregate, Stage, StageKind, Windows};

/// In how many windows of a durable job a line may be: each is summed anew when it closes.
pub const MAX_DURABLE_OVERLAP: i64 = 60;

/// The windows of a durable job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurableWindows {
    /// How often one begins, in milliseconds.
    pub every_ms: i64,
    /// How long one is, in milliseconds: 1 to [`MAX_DURABLE_OVERLAP`] times `every_ms`.
    pub over_ms: i64,
}

impl Plan {
    /// The windows of a durable job with this query. `query` is the one of which this plan was
    /// made.
    ///
    /// # Errors
    /// When the query has a stage or windows with which a durable job cannot answer it, or has no
    /// windows.
    pub fn durable_windows(&self, query: &Query) -> Result<DurableWindows, QueryError> {
        let mut found = None;
        for stage in query.stages() {
            match &stage.kind {
                StageKind::Aggregate(aggregate) => found = Some(windows(aggregate, stage)?),
                StageKind::Top { .. } if found.is_none() => {
                    let instead = "`count by .. every 10s | top .. by count`";
                    return Err(refused("has windows", instead, stage));
                }
                StageKind::Where(_) if found.is_some() => {
                    let instead = "it before the aggregate, or awk(1) on its file";
                    return Err(refused("has no `where` behind the aggregate", instead, stage));
                }
                StageKind::Keep(_) if !self.has_whole_key() => {
                    let instead = "all columns behind `by`";
                    return Err(refused("keeps the whole key", instead, stage));
                }
                StageKind::Read { .. }
                | StageKind::Top { .. }
                | StageKind::Sort(_)
                | StageKind::Where(_)
                | StageKind::Let { .. }
                | StageKind::Keep(_) => {}
            }
        }
        let end = query.text().len();
        found.ok_or_else(|| QueryError::new("an aggregate is missing", end..end))
    }

    /// Whether the rows have all keys as columns.
    fn has_whole_key(&self) -> bool {
        let keys = self.columns().iter().filter(|column| column.kind == ColumnKind::Key);
        keys.count() == self.keys().len()
    }
}

fn refused(what: &str, instead: &str, stage: &Stage) -> QueryError {
    QueryError::new(format!("a durable job {what}; use {instead}"), stage.span.clone())
}

fn windows(aggregate: &Aggregate, stage: &Stage) -> Result<DurableWindows, QueryError> {
    match &aggregate.windows {
        Some(Windows { every, over, .. }) if over / every <= MAX_DURABLE_OVERLAP => {
            Ok(DurableWindows { every_ms: *every, over_ms: *over })
        }
        Some(Windows { span, .. }) => {
            let message = "in a durable job, `over` is at most 60 times `every`";
            Err(QueryError::new(message, span.clone()))
        }
        None => {
            let end = stage.span.end;
            let message = "a durable job has windows; add `every 10s` to the aggregate";
            Err(QueryError::new(message, end..end))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(text: &str) -> Result<(i64, i64), String> {
        let query = Query::parse(text).unwrap();
        let plan = Plan::new(&query).unwrap();
        let found = plan.durable_windows(&query).map_err(|error| error.pointed(text))?;
        Ok((found.every_ms, found.over_ms))
    }

    #[test]
    fn what_a_durable_job_answers_has_windows() {
        for (text, ms) in [
            ("| nginx | count by member, status every 10s", 10_000),
            (
                "x | nginx | where status > 499 | let s = status | count, p99(rt) by s every 1m",
                60_000,
            ),
            ("| logfmt | sum(n), count by k every 500ms | let mean = sum(n) / count", 500),
            ("| logfmt | sum(n), count by k every 1h | keep window, k, count", 3_600_000),
            ("| nginx | count by path every 10s | top 3 by count", 10_000),
            ("| nginx | count by path every 1s | let c = count | top 3 by c | sort path", 1_000),
        ] {
            assert_eq!(windows(text), Ok((ms, ms)), "{text}");
        }
        let text = "| nginx | count by path every 10s over 10m | top 3 by count";
        assert_eq!(windows(text), Ok((10_000, 600_000)));
    }

    #[test]
    fn what_it_cannot_answer_is_refused_at_its_place() {
        for (text, marks, message) in [
            (
                "| nginx | count by status",
                "                         ^",
                "a durable job has windows; add `every 10s` to the aggregate",
            ),
            (
                "| nginx | count every 10s over 11m",
                "                               ^^^",
                "in a durable job, `over` is at most 60 times `every`",
            ),
            (
                "| nginx | top 3 by path",
                "          ^^^^^^^^^^^^^",
                "a durable job has windows; use `count by .. every 10s | top .. by count`",
            ),
            (
                "| nginx | count by path every 10s | where count > 3",
                "                                    ^^^^^^^^^^^^^^^",
                "a durable job has no `where` behind the aggregate; use it before the aggregate, \
                 or awk(1) on its file",
            ),
            (
                "| nginx | count by path, status every 10s | keep window, path, count",
                "                                            ^^^^^^^^^^^^^^^^^^^^^^^^",
                "a durable job keeps the whole key; use all columns behind `by`",
            ),
        ] {
            assert_eq!(windows(text), Err(format!("{text}\n{marks}\n{message}")));
        }
    }
}

//! Writes the metrics of jobs, and what the status warns of. It owns no state.

use super::Told;
use crate::metrics::text::Text;
use crate::subsystem::TaskReport;
use memberd_jobs::{JobStatus, PartitionStatus};

impl TaskReport for Told {
    fn warnings(&self) -> Vec<String> {
        warnings(self)
    }

    fn write_metrics(&self, text: &mut Text) {
        write(text, self);
    }
}

/// Writes all metrics of jobs.
fn write(text: &mut Text, told: &Told) {
    let running = told.table.jobs.values().filter(|job| !job.is_ending()).count();
    text.gauge("memberd_jobs", "Durable jobs of the group.").value(running);
    text.gauge("memberd_jobs_leads", "Whether this machine leads the jobs.").value(told.leads);
    let parts = || told.statuses.iter().flat_map(|status: &JobStatus| &status.partitions);
    let sum = |figure: fn(&PartitionStatus) -> u64| parts().map(figure).sum::<u64>();
    text.gauge("memberd_jobs_parts", "Parts of jobs that this machine has.").value(parts().count());
    text.gauge("memberd_jobs_parts_open", "Those of them that count.")
        .value(sum(|part| part.is_open.into()));
    text.gauge("memberd_jobs_gaps", "Ranges that were lost before these parts counted them.")
        .value(sum(|part| part.gaps));
    text.gauge("memberd_jobs_late", "Lines that came too late for these parts.")
        .value(sum(|part| part.late));
    let lags = told.statuses.iter().filter_map(|status| status.lag);
    text.gauge(
        "memberd_jobs_lag_bytes",
        "Bytes of this machine's logs that its jobs have not counted yet.",
    )
    .value(lags.map(|lag| lag.bytes).sum::<u64>());
    text.gauge("memberd_jobs_connections", "Connections for jobs to other members.")
        .value(told.links);
    text.counter(
        "memberd_jobs_messages_dropped_total",
        "Messages that found a full queue. They are sent again.",
    )
    .value(told.dropped);
}

/// A sentence for each job that cannot go on.
fn warnings(told: &Told) -> Vec<String> {
    let stopped = told.table.jobs.values().filter_map(|job| {
        let reason = job.stopped.as_ref()?;
        Some(format!("the durable job {} has stopped: {reason}", job.spec.name))
    });
    stopped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_jobs::{Epoch, From, Job, JobId, JobSpec, Lag, OnFailed, Partition, Table};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn told(stopped: Option<&str>) -> Told {
        let mut job = Job::new(JobSpec {
            name: "shop".to_owned(),
            query: "| logfmt | count every 10s".to_owned(),
            partitions: 8,
            every_ms: 10_000,
            over_ms: None,
            lateness_ms: 0,
            retain_ms: 0,
            commit_ms: 1_000,
            on_failed: OnFailed::Exclude,
            copies: 5,
            files: vec!["/x".to_owned()],
            from: From::Now,
            tags: Vec::new(),
            sink: "/streams/shop.tsv".to_owned(),
            limits: memberd_jobs::JobLimits::default(),
        });
        job.stopped = stopped.map(str::to_owned);
        let part = |number: u16| PartitionStatus {
            partition: Partition(number),
            epoch: Epoch::default(),
            is_open: number == 0,
            has_ended: false,
            is_full: false,
            watermark: None,
            held_back_by: None,
            late: 4,
            uncounted: 0,
            gaps: 1,
            groups_bytes: 0,
        };
        let lag = Some(Lag { bytes: 9, ms: 1 });
        let status = JobStatus { partitions: vec![part(0), part(3)], sink: None, lag };
        let jobs = BTreeMap::from([(JobId(1), job)]);
        let table = Arc::new(Table { jobs, ..Table::default() });
        Told { table, statuses: vec![status], leads: true, links: 2, dropped: 0 }
    }

    #[test]
    fn the_metrics_are_those_of_the_parts_here() {
        let mut text = Text::default();
        write(&mut text, &told(None));
        let text = text.finish();
        for line in [
            "memberd_jobs 1",
            "memberd_jobs_leads 1",
            "memberd_jobs_parts 2",
            "memberd_jobs_parts_open 1",
            "memberd_jobs_gaps 2",
            "memberd_jobs_late 8",
            "memberd_jobs_lag_bytes 9",
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line}: {text}");
        }
    }

    #[test]
    fn a_job_that_has_stopped_is_a_warning() {
        assert!(warnings(&told(None)).is_empty());
        let told = warnings(&told(Some("too many groups")));
        assert_eq!(told, ["the durable job shop has stopped: too many groups"]);
    }
}

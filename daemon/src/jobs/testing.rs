//! What the tests of jobs share.

use memberd_jobs::{From, JobLimits, JobSpec, OnFailed};

/// A job of two parts over one file.
pub(in crate::jobs) fn shop() -> JobSpec {
    JobSpec {
        name: "shop".to_owned(),
        query: "| logfmt | count every 10s".to_owned(),
        partitions: 2,
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
        limits: JobLimits::default(),
    }
}

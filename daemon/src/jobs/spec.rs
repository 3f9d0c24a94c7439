//! Makes the spec of a job of what a client asks for. It owns no state.

use memberd_control::streams::{StreamFrom, StreamSpec};
use memberd_files::FilePath;
use memberd_jobs::{From, JobLimits, JobSpec, OnFailed};
use memberd_search::ExposedFiles;
use memberd_streams::{Plan, Query};

/// How many parts the keys have unless the client says so: enough that a few members more than
/// usual share the work, and few enough that idle ones cost little.
const PARTITIONS: u16 = 8;

/// The spec, which all members can carry out.
///
/// # Errors
/// When it is not one: one line, or the query with its place marked.
pub(super) fn job_spec(asked: &StreamSpec) -> Result<JobSpec, String> {
    asked.check().map_err(|error| error.to_string())?;
    let pointed = |error: memberd_streams::QueryError| error.pointed(&asked.query);
    let query = Query::parse(&asked.query).map_err(pointed)?;
    let windows = Plan::new(&query).and_then(|plan| plan.durable_windows(&query));
    let windows = windows.map_err(pointed)?;
    ExposedFiles::new(&asked.files).map_err(|error| error.to_string())?;
    FilePath::parse(&asked.sink).map_err(|error| format!("sink {}: {error}", asked.sink))?;
    let usual = JobLimits::default();
    let limits = JobLimits {
        groups: asked.groups.unwrap_or(usual.groups),
        bytes: asked.memory.unwrap_or(usual.bytes),
    };
    Ok(JobSpec {
        name: asked.name.clone(),
        query: asked.query.clone(),
        partitions: asked.partitions.unwrap_or(PARTITIONS),
        every_ms: windows.every_ms,
        over_ms: Some(windows.over_ms),
        lateness_ms: i64::try_from(asked.lateness_ms).unwrap_or(i64::MAX),
        retain_ms: i64::try_from(asked.retain_ms).unwrap_or(i64::MAX),
        commit_ms: asked.commit_ms,
        on_failed: if asked.waits_for_failed { OnFailed::Wait } else { OnFailed::Exclude },
        copies: asked.copies,
        files: asked.files.clone(),
        from: match asked.from {
            StreamFrom::Now => From::Now,
            StreamFrom::Beginning => From::Beginning,
            StreamFrom::At(ms) => From::At(ms),
        },
        tags: asked.tags.clone(),
        sink: asked.sink.clone(),
        limits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(change: impl FnOnce(&mut StreamSpec)) -> StreamSpec {
        let mut asked = StreamSpec {
            name: "errors".to_owned(),
            query: "| nginx | count by status every 10s".to_owned(),
            files: vec!["/var/log/*.log".to_owned()],
            lateness_ms: 10_000,
            retain_ms: 3_600_000,
            commit_ms: 1_000,
            sink: "/streams/errors.tsv".to_owned(),
            copies: 5,
            ..StreamSpec::default()
        };
        change(&mut asked);
        asked
    }

    #[test]
    fn the_windows_are_those_of_the_query() {
        let spec = job_spec(&asked(|_| ())).unwrap();
        assert_eq!((spec.every_ms, spec.over_ms), (10_000, Some(10_000)));
        assert_eq!((spec.partitions, spec.copies), (8, 5));
        assert_eq!((spec.from, spec.on_failed), (From::Now, OnFailed::Exclude));
        assert_eq!(spec.limits, JobLimits { groups: 200_000, bytes: 64 << 20 });
        let limited = job_spec(&asked(|asked| asked.groups = Some(9))).unwrap();
        assert_eq!(limited.limits, JobLimits { groups: 9, bytes: 64 << 20 });
        let waits = job_spec(&asked(|asked| asked.waits_for_failed = true)).unwrap();
        assert_eq!(waits.on_failed, OnFailed::Wait);
    }

    #[test]
    fn what_no_member_can_carry_out_is_refused() {
        for (wrong, words) in [
            (asked(|asked| asked.query = "| nginx | count by status".to_owned()), "every 10s"),
            (asked(|asked| asked.query = "| nginx | cuont".to_owned()), "^"),
            (asked(|asked| asked.files = vec!["var/log".to_owned()]), "var/log"),
            (asked(|asked| asked.sink = "errors.tsv".to_owned()), "sink errors.tsv"),
            (asked(|asked| asked.copies = 9), "copies"),
            (asked(|asked| asked.memory = Some(1 << 30)), "limits.memory is"),
        ] {
            let error = job_spec(&wrong).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}

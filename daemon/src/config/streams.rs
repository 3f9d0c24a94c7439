//! Checks the section `[streams]`: questions over logs. It owns no state.

use super::files::Files;
use super::parse::socket_path;
use super::problems::Problems;
use super::raw;
use std::path::PathBuf;

/// The socket that memberd-worker.socket opens.
const WORKER: &str = "/run/memberd/worker.sock";

/// The settings of questions over logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streams {
    /// Whether this machine answers them.
    pub enabled: bool,
    /// The socket of its worker.
    pub worker: PathBuf,
    /// Whether it takes part in durable jobs.
    pub jobs: bool,
}

impl Streams {
    /// The socket of the worker, if questions are answered.
    pub fn socket(&self) -> Option<PathBuf> {
        self.enabled.then(|| self.worker.clone())
    }
}

/// Reads the section.
pub(super) fn streams(raw: raw::Streams, files: &Files, problems: &mut Problems) -> Streams {
    let enabled = raw.enabled.is_none_or(toml::Spanned::into_inner);
    Streams {
        enabled,
        jobs: jobs(raw.jobs.as_ref(), enabled, files, problems),
        worker: raw.worker.map_or_else(
            || PathBuf::from(WORKER),
            |set| socket_path(set, "streams.worker", problems),
        ),
    }
}

/// Jobs read logs as questions do, and keep what they have counted in replicated files.
fn jobs(
    set: Option<&toml::Spanned<bool>>,
    is_enabled: bool,
    files: &Files,
    problems: &mut Problems,
) -> bool {
    let Some(set) = set.filter(|set| *set.get_ref()) else { return false };
    if !is_enabled {
        let why = "streams.jobs needs streams.enabled = true, which is false here";
        problems.add(set, "streams.jobs", why);
    }
    if !files.enabled {
        let why = "streams.jobs needs the replicated files: set files.enabled = true, and \
                   agreement.enabled = true, on all machines";
        problems.add(set, "streams.jobs", why);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const FILES: &str =
        "[agreement]\nenabled = true\ninitial_council = ['vm1']\n[files]\nenabled = true\n";

    fn read(before: &str, lines: &str) -> Result<Streams, String> {
        let text =
            format!("[node]\nname = 'vm1'\naddress = '127.0.0.1'\n{before}[streams]\n{lines}");
        let config = Config::parse("m.toml", &text).map_err(|error| error.to_string())?;
        Ok(config.streams)
    }

    #[test]
    fn jobs_are_off_unless_they_are_switched_on() {
        let streams = read("", "").unwrap();
        assert!(streams.enabled && !streams.jobs);
        assert!(read(FILES, "jobs = true").unwrap().jobs);
        assert!(!read("", "jobs = false").unwrap().jobs);
    }

    #[test]
    fn what_jobs_need_is_told_with_both_keys() {
        for (before, lines, needed) in [
            ("", "jobs = true", "files.enabled = true"),
            (FILES, "enabled = false\njobs = true", "streams.enabled = true"),
        ] {
            let error = read(before, lines).unwrap_err();
            assert!(error.contains("streams.jobs") && error.contains(needed), "{lines}: {error}");
        }
    }
}

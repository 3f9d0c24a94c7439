//! Reads a durable job from a TOML file. It owns no state.

mod problem;
mod raw;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use jiff::Zoned;
use memberd_control::duration;
use memberd_control::streams::{StreamFrom, StreamSpec, StreamSpecError};
use memberd_control::toml_text::TomlText;
use memberd_streams::{DurableWindows, Plan, Query, QueryError};
use toml::Spanned;

pub(super) use self::problem::Problem;
use self::problem::Problems;
use self::raw::{Limits, Set, Sink};
use crate::arguments;
use crate::exit::{Exit, Failure};
use crate::moment::past_moment;

/// The longest file, in bytes. A query has at most 16 KiB.
const MAX_BYTES: u64 = 128 * 1024;

/// How many copies logs and sink have by default: they survive any four crashes.
const COPIES: u8 = 5;

const LATENESS: Duration = Duration::from_secs(10);
const RETAIN: Duration = Duration::from_secs(60 * 60);
const COMMIT: Duration = Duration::from_secs(1);

/// The windows of a query that is none.
const NO_WINDOWS: DurableWindows = DurableWindows { every_ms: 0, over_ms: 0 };

/// A job that is as it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    /// What the daemon is asked for.
    pub(super) spec: StreamSpec,
    /// Its windows.
    pub(super) windows: DurableWindows,
}

/// Reads the text of a job's file.
///
/// # Errors
/// When it cannot be read, is too long, or is no text.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let failed = |what: String| Failure::new(Exit::Failed, format!("{shown}: {what}"));
    let mut text = String::new();
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| failed(error.to_string()))?;
    match text.len() as u64 > MAX_BYTES {
        true => Err(failed("longer than 128 KiB, which no job needs".to_owned())),
        false => Ok(text),
    }
}

/// Reads a job.
///
/// # Errors
/// With all that is wrong, at least one.
pub(super) fn parse(text: &str, now: &Zoned) -> Result<Job, Vec<Problem>> {
    let text = TomlText(text);
    let raw = source::parse(text)?;
    let mut problems = Problems::new(text);
    let name = problems.needed("name", raw.name, "a job needs a name, such as \"errors\"");
    let (query, windows) = query(raw.query, &mut problems);
    let files = problems.needed(
        "files",
        raw.files,
        "a job needs globs over the files that members offer, such as [\"/var/log/nginx/*.log\"]",
    );
    for glob in files.iter().filter(|glob| !glob.get_ref().starts_with('/')) {
        problems.add(glob, "files", "a glob is over whole paths, such as \"/var/log/nginx/*.log\"");
    }
    let (lateness_ms, retain_ms) = (
        duration_ms("lateness", raw.lateness, LATENESS, &mut problems),
        retain_ms(raw.late.as_ref(), raw.retain, &mut problems),
    );
    let (sink, copies) = sink(raw.sink, &name, &mut problems);
    let Limits { groups, memory } = raw.limits;
    let spec = StreamSpec {
        name,
        query,
        files: files.into_iter().map(Spanned::into_inner).collect(),
        from: from(raw.from, now, &mut problems),
        tags: pairs(raw.on),
        lateness_ms,
        retain_ms,
        commit_ms: duration_ms("commit", raw.commit, COMMIT, &mut problems),
        waits_for_failed: waits_for_failed(raw.on_failed, &mut problems),
        sink,
        copies,
        partitions: raw.partitions.map(Spanned::into_inner),
        groups: groups.map(Spanned::into_inner),
        memory: memory.map(|memory| bytes("limits.memory", &memory, &mut problems)),
    };
    problems.end()?;
    match spec.check() {
        Ok(()) => Ok(Job { spec, windows }),
        Err(error) => {
            let key = key_of(&error);
            let line = text.lines().get(key).copied();
            Err(vec![Problem::new(line, Some(key), &error.to_string())])
        }
    }
}

/// The key that is outside of a bound.
fn key_of(error: &StreamSpecError) -> &'static str {
    match error {
        StreamSpecError::Name => "name",
        StreamSpecError::Query => "query",
        StreamSpecError::Files | StreamSpecError::Text(_) => "files",
        StreamSpecError::Tags => "on",
        StreamSpecError::Lateness => "lateness",
        StreamSpecError::Retain => "retain",
        StreamSpecError::Commit => "commit",
        StreamSpecError::Copies => "sink.replication",
        StreamSpecError::Partitions => "partitions",
        StreamSpecError::Groups => "limits.groups",
        StreamSpecError::Memory => "limits.memory",
    }
}

fn pairs(tags: BTreeMap<String, String>) -> Vec<(String, String)> {
    tags.into_iter().collect()
}

/// The query, and its windows.
fn query(set: Set<String>, problems: &mut Problems) -> (String, DurableWindows) {
    let Some(set) = set else {
        let words = "a job needs a query, such as '| nginx | count by status every 10s'";
        problems.missing("query", words);
        return (String::new(), NO_WINDOWS);
    };
    let windows = || -> Result<DurableWindows, QueryError> {
        let query = Query::parse(set.get_ref())?;
        Plan::new(&query)?.durable_windows(&query)
    };
    let windows = windows().unwrap_or_else(|error| {
        problems.add_pointed(&set, "query", &error);
        NO_WINDOWS
    });
    (set.into_inner(), windows)
}

fn from(set: Set<String>, now: &Zoned, problems: &mut Problems) -> StreamFrom {
    let Some(set) = set else { return StreamFrom::Now };
    match set.get_ref().as_str() {
        "now" => StreamFrom::Now,
        "beginning" => StreamFrom::Beginning,
        text => match past_moment(text, now) {
            Ok(moment) => StreamFrom::At(moment),
            Err(words) => {
                problems.add(&set, "from", &format!("{words}; or write \"beginning\""));
                StreamFrom::Now
            }
        },
    }
}

/// How long closed windows take late lines. Without revisions that is no time.
fn retain_ms(late: Option<&Spanned<String>>, retain: Set<String>, problems: &mut Problems) -> u64 {
    let drops = late.is_some_and(|late| match late.get_ref().as_str() {
        "revise" => false,
        "drop" => true,
        _ => {
            problems.add(late, "late", "write \"revise\" or \"drop\"");
            false
        }
    });
    match (&retain, drops) {
        (Some(set), true) => {
            let words = "late = \"drop\" keeps no window that has closed: leave retain out";
            problems.add(set, "retain", words);
            0
        }
        (None, true) => 0,
        (_, false) => duration_ms("retain", retain, RETAIN, problems),
    }
}

fn waits_for_failed(set: Set<String>, problems: &mut Problems) -> bool {
    set.is_some_and(|set| match set.get_ref().as_str() {
        "exclude" => false,
        "wait" => true,
        _ => {
            problems.add(&set, "on_failed", "write \"exclude\" or \"wait\"");
            false
        }
    })
}

fn duration_ms(key: &str, set: Set<String>, usual: Duration, problems: &mut Problems) -> u64 {
    let read = set.as_ref().map_or(Ok(usual), |set| duration::parse(set.get_ref()));
    match (read, set) {
        (Ok(read), _) => u64::try_from(read.as_millis()).unwrap_or(u64::MAX),
        (Err(error), Some(set)) => {
            problems.add(&set, key, &error.to_string());
            0
        }
        (Err(_), None) => 0,
    }
}

/// A size in bytes, such as `16M`.
fn bytes(key: &str, set: &Spanned<String>, problems: &mut Problems) -> u64 {
    let size = arguments::size(set.get_ref());
    size.map_or_else(
        |words| {
            problems.add(set, key, &words);
            0
        },
        |bytes| u64::try_from(bytes).unwrap_or(u64::MAX),
    )
}

/// The path of the sink, and how many copies there are.
fn sink(set: Sink, name: &str, problems: &mut Problems) -> (String, u8) {
    let Sink { file, replication } = set;
    let copies = replication.map_or(COPIES, Spanned::into_inner);
    let Some(file) = file else { return (format!("/streams/{name}.tsv"), copies) };
    if let Some(words) = wrong_sink(file.get_ref()) {
        problems.add(&file, "sink.file", words);
    }
    (file.into_inner(), copies)
}

/// Why no sink can be there. The daemon checks the name of the share.
fn wrong_sink(path: &str) -> Option<&'static str> {
    let names: Vec<&str> = path.strip_prefix('/').unwrap_or_default().split('/').collect();
    let is_name = |name: &&str| !matches!(*name, "" | "." | "..") && name.len() <= 255;
    match names.as_slice() {
        ["streams", ".jobs", ..] => Some("/streams/.jobs is where jobs keep their sums"),
        [_, _, ..] if names.iter().all(is_name) => None,
        _ => Some("a sink is a replicated file, /SHARE/NAME, such as /streams/errors.tsv"),
    }
}

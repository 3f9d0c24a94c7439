//! The shapes of `--json`. Users rely on them, so they are separate from the records of the socket.
//! Times are in milliseconds.

use std::collections::BTreeMap;

use memberd_control::message::{
    Change, EventRecord, EvidenceRecord, LeaderRecord, MemberRecord, MemberStatus, MissedRecord,
    NeighbourRecord, PastViewRecord, PendingRecord, ReloadReport, RunningGrep, StatusReport,
    ViewChange, ViewEventRecord, ViewMember, ViewRecord, ViewSummary,
};
use memberd_control::tags::Tags;
use serde::Serialize;
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::format;
use crate::view_events;

/// The `schema` of JSON objects that are not elements of an array.
const SCHEMA: u32 = 1;

/// An object with its `schema`, on one line.
pub(crate) fn object(object: &impl Serialize) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Object<'a, T> {
        schema: u32,
        #[serde(flatten)]
        fields: &'a T,
    }
    Ok(text(&Object { schema: SCHEMA, fields: object })? + "\n")
}

/// A value as JSON on one line.
pub(crate) fn text(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot write JSON: {error}")))
}

/// One member of the list.
#[derive(Debug, Serialize)]
pub(crate) struct Member<'a> {
    id: &'a str,
    name: &'a str,
    address: &'a str,
    port: u16,
    status: MemberStatus,
    incarnation: u64,
    since: u64,
    this_machine: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a EvidenceRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspected_by: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a Tags,
}

impl<'a> From<&'a MemberRecord> for Member<'a> {
    fn from(member: &'a MemberRecord) -> Member<'a> {
        Member {
            id: &member.id,
            name: &member.name,
            address: &member.address,
            port: member.port,
            status: member.status,
            incarnation: member.incarnation,
            since: member.since,
            this_machine: member.this_machine,
            evidence: member.evidence.as_ref(),
            suspected_by: member.suspected_by.as_deref(),
            tags: &member.tags,
        }
    }
}

/// A membership change.
#[derive(Debug, Serialize)]
pub(crate) struct Event<'a> {
    time: u64,
    event: &'a str,
    /// The member's new status; none if its status did not change.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<MemberStatus>,
    member: Member<'a>,
}

impl<'a> From<&'a EventRecord> for Event<'a> {
    fn from(event: &'a EventRecord) -> Event<'a> {
        let status = (event.change == Change::Liveness).then_some(event.status);
        Event {
            time: event.time,
            event: format::verb(event),
            status,
            member: (&event.member).into(),
        }
    }
}

/// Something that happened to the agreed views.
#[derive(Debug, Serialize)]
pub(crate) struct ViewEvent<'a> {
    time: u64,
    /// The kind, as the journal's field has it.
    event: &'a str,
    change: ViewChange,
    number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<&'a [String]>,
    #[serde(skip_serializing_if = "<[PendingRecord]>::is_empty")]
    operations: &'a [PendingRecord],
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    missing: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    after_ms: Option<u64>,
}

impl<'a> From<&'a ViewEventRecord> for ViewEvent<'a> {
    fn from(event: &'a ViewEventRecord) -> ViewEvent<'a> {
        let installed = event.change == ViewChange::Installed;
        ViewEvent {
            time: event.time,
            event: view_events::kind(event.change),
            change: event.change,
            number: event.number,
            term: event.term,
            leader: event.leader.as_deref(),
            members: installed.then_some(event.members),
            added: installed.then_some(&event.added),
            removed: installed.then_some(&event.removed),
            operations: &event.operations,
            by: event.by.as_deref(),
            reason: event.reason.as_deref(),
            missing: &event.missing,
            after_ms: event.after_ms,
        }
    }
}

/// A gap in the membership changes.
#[derive(Debug, Serialize)]
pub(crate) struct Missed<'a> {
    missed: &'a MissedRecord,
}

impl<'a> From<&'a MissedRecord> for Missed<'a> {
    fn from(missed: &'a MissedRecord) -> Missed<'a> {
        Missed { missed }
    }
}

/// The state of the daemon.
#[derive(Debug, Serialize)]
pub(crate) struct Status<'a> {
    version: &'a str,
    phase: &'a str,
    name: &'a str,
    address: &'a str,
    id: Option<&'a str>,
    uptime: u64,
    alive: u64,
    failed: u64,
    left: u64,
    suspected: u64,
    digest: &'a str,
    neighbours: &'a [NeighbourRecord],
    counters: BTreeMap<&'a str, u64>,
    warnings: &'a [String],
    greps: &'a [RunningGrep],
    searches: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a Tags,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    keys: &'a [String],
    /// The agreed view; none where they are switched off.
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<&'a ViewSummary>,
}

impl<'a> From<&'a StatusReport> for Status<'a> {
    fn from(report: &'a StatusReport) -> Status<'a> {
        Status {
            version: &report.version,
            phase: &report.phase,
            name: &report.name,
            address: &report.address,
            id: report.id.as_deref(),
            uptime: report.uptime,
            alive: report.alive,
            failed: report.failed,
            left: report.left,
            suspected: report.suspected,
            digest: &report.digest,
            neighbours: &report.neighbours,
            counters: report.counters.iter().map(|(name, count)| (name.as_str(), *count)).collect(),
            warnings: &report.warnings,
            greps: &report.greps,
            searches: report.searches,
            tags: &report.tags,
            keys: &report.keys,
            view: report.view.as_ref(),
        }
    }
}

/// A key of a keyring. The key itself is never shown.
#[derive(Debug, Serialize)]
pub(crate) struct Key<'a> {
    /// The id.
    pub(crate) id: String,
    /// What it is used for.
    #[serde(rename = "use")]
    pub(crate) usage: &'a str,
}

/// The outcome of a reload.
#[derive(Debug, Serialize)]
pub(crate) struct Reload<'a> {
    reloaded: bool,
    changed: Vec<Changed<'a>>,
    problems: &'a [String],
}

/// A setting of which the file has another value.
#[derive(Debug, Serialize)]
struct Changed<'a> {
    key: &'a str,
    before: Value,
    after: Value,
    in_force: bool,
}

impl<'a> From<&'a ReloadReport> for Reload<'a> {
    fn from(report: &'a ReloadReport) -> Reload<'a> {
        let changed = report.changed.iter().map(|change| Changed {
            key: &change.key,
            before: change.before.as_deref().map_or(Value::Null, value),
            after: change.after.as_deref().map_or(Value::Null, value),
            in_force: change.in_force,
        });
        Reload { reloaded: report.reloaded, changed: changed.collect(), problems: &report.problems }
    }
}

/// The agreed view.
#[derive(Debug, Serialize)]
pub(crate) struct View<'a> {
    number: u64,
    term: u64,
    leader: Option<&'a str>,
    members: &'a [ViewMember],
    council: &'a [String],
    pending: &'a [PendingRecord],
    confirmed_ms_ago: Option<u64>,
    stale: bool,
}

impl<'a> View<'a> {
    /// A view with its members.
    pub(crate) fn of(view: &'a ViewRecord, members: &'a [ViewMember]) -> View<'a> {
        View {
            number: view.number,
            term: view.term,
            leader: view.leader.as_deref(),
            members,
            council: &view.council,
            pending: &view.pending,
            confirmed_ms_ago: view.confirmed_ms_ago,
            stale: view.stale,
        }
    }
}

/// A view of the past.
#[derive(Debug, Serialize)]
pub(crate) struct PastView<'a> {
    number: u64,
    term: u64,
    leader: Option<&'a str>,
    time: u64,
    added: &'a [String],
    removed: &'a [String],
    members: u64,
    council: &'a [String],
}

impl<'a> From<&'a PastViewRecord> for PastView<'a> {
    fn from(past: &'a PastViewRecord) -> PastView<'a> {
        PastView {
            number: past.number,
            term: past.term,
            leader: past.leader.as_deref(),
            time: past.time,
            added: &past.added,
            removed: &past.removed,
            members: past.members,
            council: &past.council,
        }
    }
}

/// The leader.
#[derive(Debug, Serialize)]
pub(crate) struct Leader<'a> {
    leader: Option<&'a str>,
    term: u64,
    exclusive: bool,
    here: bool,
}

impl<'a> From<&'a LeaderRecord> for Leader<'a> {
    fn from(record: &'a LeaderRecord) -> Leader<'a> {
        Leader {
            leader: record.leader.as_deref(),
            term: record.term,
            exclusive: record.exclusive,
            here: record.here,
        }
    }
}

/// The settings of a file.
#[derive(Debug, Serialize)]
pub(crate) struct Settings<'a> {
    file: &'a str,
    settings: Vec<Setting<'a>>,
}

/// A setting.
#[derive(Debug, Serialize)]
struct Setting<'a> {
    key: &'a str,
    value: Value,
    /// `file`, `default` or `derived`.
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
}

impl<'a> Settings<'a> {
    /// From the key, the value and the origin of each setting.
    pub(crate) fn of(file: &'a str, rows: impl Iterator<Item = [&'a str; 3]>) -> Settings<'a> {
        let settings = rows.map(|[key, text, origin]| {
            let from = origin.strip_prefix("derived from ");
            let line = origin.rsplit_once(':').and_then(|(_, line)| line.parse().ok());
            let source = match (from, line) {
                (Some(_), _) => "derived",
                (None, Some(_)) => "file",
                (None, None) => "default",
            };
            Setting { key, value: value(text), source, line: line.filter(|_| from.is_none()), from }
        });
        Settings { file, settings: settings.collect() }
    }
}

/// A value that the daemon writes as JSON. Anything else is a text.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

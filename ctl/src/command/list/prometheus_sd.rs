//! `--format prometheus-sd`: a document for Prometheus' `file_sd_configs` with a target for each
//! member.
//!
//! <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config>

use std::collections::{BTreeMap, BTreeSet};

use memberd_control::message::MemberRecord;
use serde::Serialize;

use super::{Rendered, socket_address};
use crate::exit::Failure;
use crate::json;

/// The port of `[metrics] listen` in the shipped settings.
pub(super) const METRICS_PORT: u16 = 9946;

/// The port of each target.
#[derive(Debug, Clone, Copy)]
pub(super) enum Port<'a> {
    /// This one.
    Same(u16),
    /// The value of the tag with this key. A member without it is no target.
    OfTag(&'a str),
}

impl Port<'_> {
    /// The port of a member; none if it is no target.
    ///
    /// # Errors
    /// When the tag's value is no port. Returns a note that says so.
    fn of(self, member: &MemberRecord) -> Result<Option<u16>, String> {
        let key = match self {
            Port::Same(port) => return Ok(Some(port)),
            Port::OfTag(key) => key,
        };
        let Some(value) = member.tags.get(key) else { return Ok(None) };
        let port = value.parse().ok().filter(|port| *port != 0);
        port.map(Some).ok_or_else(|| {
            format!("{}: its tag {key}={value} is no port, so it is left out", member.name)
        })
    }
}

#[derive(Serialize)]
struct Targets<'a> {
    targets: [String; 1],
    labels: Labels<'a>,
}

/// `member` stays on every series. The other labels are for relabelling, and Prometheus drops them
/// after it.
#[derive(Serialize)]
struct Labels<'a> {
    member: &'a str,
    __meta_memberd_id: &'a str,
    __meta_memberd_status: &'a str,
    /// `__meta_memberd_tag_KEY`, with `_` for characters that no label's name can have.
    #[serde(flatten)]
    tags: BTreeMap<String, &'a str>,
}

/// The members as targets.
pub(super) fn render(members: &[MemberRecord], port: Port<'_>) -> Result<Rendered, Failure> {
    let label = |key: &str| format!("__meta_memberd_tag_{}", key.replace(['.', '-'], "_"));
    let mut notes = Vec::new();
    let mut targets = Vec::new();
    for member in members {
        let port = match port.of(member) {
            Ok(Some(port)) => port,
            Ok(None) => continue,
            Err(note) => {
                notes.push(note);
                continue;
            }
        };
        let labels: BTreeSet<String> = member.tags.keys().map(|key| label(key)).collect();
        if labels.len() < member.tags.len() {
            notes.push(format!(
                "{}: two of its tags have one label, since '.', '-' and '_' are the same in \
                labels: rename one",
                member.name
            ));
        }
        let tags = member.tags.iter().map(|(key, value)| (label(key), value.as_str()));
        targets.push(json::text(&Targets {
            targets: [socket_address(&member.address, port)],
            labels: Labels {
                member: &member.name,
                __meta_memberd_id: &member.id,
                __meta_memberd_status: member.status.as_str(),
                tags: tags.collect(),
            },
        })?);
    }
    if let (Port::OfTag(key), true) = (port, targets.is_empty() && !members.is_empty()) {
        notes.push(format!("no member that is listed has a port in a tag {key}"));
    }
    Ok(Rendered { text: format!("[{}]\n", targets.join(",\n ")), notes })
}

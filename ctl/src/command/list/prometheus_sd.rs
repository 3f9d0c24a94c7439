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

/// The members as targets at this port.
pub(super) fn render(members: &[MemberRecord], port: u16) -> Result<Rendered, Failure> {
    let label = |key: &str| format!("__meta_memberd_tag_{}", key.replace(['.', '-'], "_"));
    let notes = members.iter().filter_map(|member| {
        let labels: BTreeSet<String> = member.tags.keys().map(|key| label(key)).collect();
        (labels.len() < member.tags.len()).then(|| {
            format!(
                "{}: two of its tags have one label, since '.', '-' and '_' are the same in \
                 labels: rename one",
                member.name
            )
        })
    });
    let notes = notes.collect();
    let targets = members.iter().map(|member| {
        let tags = member.tags.iter().map(|(key, value)| (label(key), value.as_str()));
        json::text(&Targets {
            targets: [socket_address(&member.address, port)],
            labels: Labels {
                member: &member.name,
                __meta_memberd_id: &member.id,
                __meta_memberd_status: member.status.as_str(),
                tags: tags.collect(),
            },
        })
    });
    let targets = targets.collect::<Result<Vec<String>, Failure>>()?;
    Ok(Rendered { text: format!("[{}]\n", targets.join(",\n ")), notes })
}

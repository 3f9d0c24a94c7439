//! `--format prometheus-sd`: a document for Prometheus' `file_sd_configs`, a target for each member.
//!
//! <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config>

use memberd_control::message::MemberRecord;
use serde::Serialize;

use super::{socket_address, standing};
use crate::exit::Failure;
use crate::output;

/// The port that the settings' example has for `[metrics] listen`.
pub(super) const METRICS_PORT: u16 = 9946;

#[derive(Serialize)]
struct Targets<'a> {
    targets: [String; 1],
    labels: Labels<'a>,
}

/// `member` stays on every series; the others are there for relabelling, and are dropped after it.
#[derive(Serialize)]
struct Labels<'a> {
    member: &'a str,
    __meta_memberd_id: &'a str,
    __meta_memberd_status: &'a str,
}

/// The members as targets at this port.
pub(super) fn render(members: &[MemberRecord], port: u16) -> Result<String, Failure> {
    let targets = members.iter().map(|member| {
        output::json(&Targets {
            targets: [socket_address(&member.address, port)],
            labels: Labels {
                member: &member.name,
                __meta_memberd_id: &member.id,
                __meta_memberd_status: standing(member.status),
            },
        })
    });
    let targets = targets.collect::<Result<Vec<String>, Failure>>()?;
    Ok(format!("[{}]\n", targets.join(",\n ")))
}

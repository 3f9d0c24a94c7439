//! Writes the metrics of the agreed views, and what the status warns of. It owns no state.

use super::Told;
use crate::metrics::text::Text;
use crate::subsystem::TaskReport;
use memberd_council::Name;
use std::time::Duration;

/// A write that lasts longer than this is worth a warning.
const SLOW_WRITE: Duration = Duration::from_secs(1);

impl TaskReport for Told {
    fn warnings(&self) -> Vec<String> {
        warnings(self)
    }

    fn write_metrics(&self, text: &mut Text) {
        write(text, self);
    }
}

/// Writes all metrics of the agreed views.
fn write(text: &mut Text, told: &Told) {
    let Told { status, now, .. } = told;
    let here = status.leader.as_ref() == Some(&status.own);
    text.gauge("memberd_view_number", "The number of the newest agreed view here.")
        .value(status.view.number.0);
    text.gauge("memberd_view_term", "Its term, which is the token of its leader.")
        .value(status.view.term.0);
    text.gauge("memberd_view_members", "Members in it.").value(status.view.members.len());
    text.gauge("memberd_view_council", "Members that decide on the next view.")
        .value(status.view.council.len());
    let stale = status.stale_since.map_or(Duration::ZERO, |since| now.boot.since(since));
    text.gauge("memberd_view_stale_seconds", "For how long no majority was reached; 0 if one is.")
        .value(stale.as_secs_f64());
    text.gauge("memberd_view_pending", "Operations that no majority has confirmed yet.")
        .value(status.pending.len() + status.waiting);
    text.gauge("memberd_leader", "Whether this machine leads.").value(here);
    text.gauge("memberd_leader_known", "Whether a leader is known here.")
        .value(status.leader.is_some());
    text.gauge("memberd_exclusive", "Whether this machine is the exclusive leader.")
        .value(status.exclusive_until.is_some());
    let lease = status.exclusive_until.map_or(Duration::ZERO, |until| until.since(now.boot));
    text.gauge("memberd_lease_seconds", "For how long it is at least.").value(lease.as_secs_f64());
    text.counter("memberd_elections_total", "How often this machine stood for election.")
        .value(status.elections);
    text.counter("memberd_leaders_total", "How often a view with a new leader was installed.")
        .value(told.elected);
    text.counter("memberd_views_installed_total", "Views that were installed here.")
        .value(told.installed);
    text.gauge("memberd_agreement_connections", "Members that messages of the agreement go to.")
        .value(told.links);
    text.counter(
        "memberd_agreement_messages_dropped_total",
        "Messages that found a full queue. They are repeated.",
    )
    .value(told.dropped);
    text.counter(
        "memberd_agreement_write_failures_total",
        "Writes of the agreement file that failed. They are repeated.",
    )
    .value(told.written.failures);
    text.histogram(
        "memberd_agreement_write_seconds",
        "How long a write of the agreement file took until it was durable.",
        &told.written.times,
    );
}

/// A sentence for each problem.
fn warnings(told: &Told) -> Vec<String> {
    let Told { status, now, .. } = told;
    let mut warnings = Vec::new();
    if let Some(since) = status.stale_since {
        let missing: Vec<&str> = status.missing.iter().map(Name::as_str).collect();
        let missing = match missing.as_slice() {
            [] => String::new(),
            names => format!(" ({} not reached)", names.join(", ")),
        };
        warnings.push(format!(
            "the agreed view {} is stale for {} s: no majority of its council answers{missing}",
            status.view.number,
            now.boot.since(since).as_secs(),
        ));
    }
    if let Some(coordinator) = &status.frozen_for {
        warnings.push(format!(
            "this machine votes for nothing but a recovery that {coordinator} began: if it does \
            not end, run memberctl view recover again"
        ));
    }
    if let Some(trouble) = &told.written.trouble {
        warnings.push(format!(
            "the agreement file cannot be written, so this machine does not vote: {trouble}"
        ));
    } else if status.write_lasts.is_some_and(|lasts| lasts > SLOW_WRITE) {
        warnings.push(
            "the disk takes too long for the agreement file, so this machine does not vote"
                .to_owned(),
        );
    }
    warnings
}

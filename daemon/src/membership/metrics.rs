//! Writes the metrics of the membership: every metric with its name and meaning. It owns no state.
//! Names follow <https://prometheus.io/docs/practices/naming/>.

use super::{Measured, NeighbourStatus, Status};
use crate::metrics::text::Text;
use memberd_membership::{Counters, PhaseName, millis};

/// Writes all metrics of the membership.
pub(super) fn write(text: &mut Text, measured: &Measured) {
    membership(text, &measured.status);
    neighbours(text, &measured.status.neighbours);
    traffic(text, measured);
    protocol(text, measured);
}

fn membership(text: &mut Text, status: &Status) {
    text.gauge("memberd_uptime_seconds", "For how long this memberd has run.")
        .value(seconds(millis(status.uptime)));
    text.gauge("memberd_in_group", "Whether this memberd is in its group.")
        .value(status.phase == PhaseName::Member);
    text.gauge("memberd_members", "Members in this memberd's list, by their state.")
        .labelled("state", "alive", status.alive)
        .labelled("state", "failed", status.failed)
        .labelled("state", "left", status.left);
}

fn neighbours(text: &mut Text, neighbours: &[NeighbourStatus]) {
    let disagreeing = neighbours.iter().filter(|status| !status.neighbour.agrees).count();
    text.gauge("memberd_neighbours", "Members that this one exchanges heartbeats with.")
        .value(neighbours.len());
    text.gauge(
        "memberd_neighbours_disagreeing",
        "Those of them whose list differed at their last heartbeat.",
    )
    .value(disagreeing);
    let mut gauge = |name, help, value: fn(&NeighbourStatus) -> Option<f64>| {
        let mut family = text.gauge(name, help);
        for status in neighbours {
            if let Some(value) = value(status) {
                family.labelled("neighbour", status.neighbour.member.name.as_str(), value);
            }
        }
    };
    gauge(
        "memberd_neighbour_heartbeat_age_seconds",
        "How long ago the newest heartbeat known was sent.",
        |status| status.neighbour.heartbeat_age.map(millis).map(seconds),
    );
    gauge(
        "memberd_neighbour_clock_offset_seconds",
        "By how much a neighbour's wall clock is ahead of ours.",
        |status| {
            let offset = status.neighbour.clock_offset?;
            Some(seconds(offset.unsigned_abs()).copysign(if offset < 0 { -1.0 } else { 1.0 }))
        },
    );
    gauge(
        "memberd_neighbour_delay_seconds",
        "The smallest delay of a neighbour's datagrams lately.",
        |status| status.neighbour.smallest_delay.map(seconds),
    );
    gauge(
        "memberd_neighbour_heartbeat_loss_ratio",
        "How many of a neighbour's heartbeats, or of the pings to it, were lost lately.",
        |status| status.lost_permille.map(|lost| f64::from(lost) / 1_000.0),
    );
}

fn traffic(text: &mut Text, measured: &Measured) {
    let Counters { bytes_sent, bytes_received, .. } = measured.counters;
    let totals = &measured.traffic;
    let of = |kinds: &super::ByKind| kinds.get("heartbeat").copied().unwrap_or(0);
    text.counter("memberd_heartbeats_sent_total", "Heartbeats sent.").value(of(&totals.sent));
    text.counter("memberd_heartbeats_received_total", "Heartbeats received.")
        .value(of(&totals.received));
    text.counter(
        "memberd_heartbeats_lost_total",
        "Heartbeats of watched members that did not come, or pings to them without an answer.",
    )
    .value(totals.heartbeats_lost);
    let mut by_kind = |name, help, label: &str, kinds: &super::ByKind| {
        let mut family = text.counter(name, help);
        for (kind, count) in kinds {
            family.labelled(label, kind, *count);
        }
    };
    by_kind(
        "memberd_datagrams_sent_total",
        "Datagrams sent, by what they say.",
        "kind",
        &totals.sent,
    );
    by_kind(
        "memberd_datagrams_received_total",
        "Datagrams received and understood, by what they say.",
        "kind",
        &totals.received,
    );
    by_kind(
        "memberd_datagrams_refused_total",
        "Datagrams that were no message, by why not.",
        "cause",
        &totals.refused,
    );
    let mut turned_away = text.counter(
        "memberd_seal_refused_total",
        "Datagrams and connections that were not sealed by a member, by why not.",
    );
    for (cause, count) in &measured.refusals {
        turned_away.labelled("cause", cause.trim_start_matches("refused_"), *count);
    }
    text.counter("memberd_datagrams_unsent_total", "Datagrams that the kernel did not take.")
        .value(totals.unsent);
    text.counter("memberd_datagram_sent_bytes_total", "Bytes of payload sent in datagrams.")
        .value(bytes_sent);
    text.counter(
        "memberd_datagram_received_bytes_total",
        "Bytes of payload received in datagrams.",
    )
    .value(bytes_received);
}

/// What only one of the two detectors counts is zero with the other.
fn detector(text: &mut Text, counters: &Counters) {
    let rows = [
        (
            "memberd_probe_rounds_total",
            "Times that others were asked about a missing heartbeat.",
            counters.probe_rounds,
        ),
        ("memberd_pings_total", "Pings sent.", counters.pings),
        ("memberd_acks_total", "Pings acknowledged.", counters.acks),
        (
            "memberd_indirect_pings_total",
            "Members that were asked to ping a silent one.",
            counters.indirect_pings,
        ),
        ("memberd_suspicions_total", "Members that this one suspected.", counters.suspicions),
        (
            "memberd_refutations_total",
            "Suspicions of this member that it refuted.",
            counters.refutations,
        ),
    ];
    for (name, help, value) in rows {
        text.counter(name, help).value(value);
    }
}

fn protocol(text: &mut Text, measured: &Measured) {
    let Counters { accusations, repairs, stalls, implausible, unconfirmed, .. } = measured.counters;
    let events = &measured.events;
    text.counter("memberd_member_events_total", "Changes in this memberd's list.")
        .labelled("event", "joined", events.joined)
        .labelled("event", "failed", events.failed)
        .labelled("event", "left", events.left)
        .labelled("event", "forgotten", events.forgotten);
    detector(text, &measured.counters);
    text.counter("memberd_accusations_total", "Members that this one declared failed.")
        .value(accusations);
    text.counter("memberd_repairs_total", "Times that another's list was found to differ.")
        .value(repairs);
    text.counter(
        "memberd_stalls_total",
        "Times that this memberd was not run for a tenth of a second or more.",
    )
    .value(stalls);
    text.counter("memberd_implausible_news_total", "Pieces of news that were not believed.")
        .value(implausible);
    text.counter(
        "memberd_unconfirmed_members_total",
        "Members that others reported, and that did not answer.",
    )
    .value(unconfirmed);
    text.gauge(
        "memberd_detection_patience_seconds",
        "How old the newest datagram known of a member is when it is declared failed.",
    )
    .value(seconds(millis(measured.patience)));
    text.histogram(
        "memberd_detection_seconds",
        "From the newest known datagram's sending to this memberd's declaring the member failed.",
        &measured.detection,
    );
    text.histogram(
        "memberd_join_dissemination_seconds",
        "From a member's join, by its own wall clock, to its being in this memberd's list.",
        &measured.dissemination,
    );
    text.histogram(
        "memberd_event_loop_lateness_seconds",
        "How much later than it wanted the protocol's loop was woken.",
        &measured.lateness,
    );
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 milliseconds nobody counts them")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1_000.0
}

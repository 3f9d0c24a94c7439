//! Writes the metrics of copies. It owns no state.

use super::keeper::KeepingStatus;
use super::source::SourceStatus;
use crate::metrics::text::Text;

/// Writes the metrics of what this machine sends.
pub(super) fn of_source(text: &mut Text, source: &SourceStatus) {
    text.gauge("memberd_copies_wanted", "Members that should keep copies of this machine's logs.")
        .value(source.wanted);
    text.gauge("memberd_copies_keepers", "Members that copies of this machine's logs go to.")
        .value(source.going());
    let mut behind = text.gauge(
        "memberd_copies_behind_bytes",
        "Text of this machine's logs that a keeper was not sent yet.",
    );
    for keeper in &source.keepers {
        behind.labelled("keeper", keeper.name.as_str(), keeper.behind_bytes);
    }
    let mut lag = text.gauge(
        "memberd_copies_lag_seconds",
        "For how long the oldest text of this machine's logs waits that a keeper has not on disk.",
    );
    for keeper in &source.keepers {
        lag.labelled("keeper", keeper.name.as_str(), keeper.lag.as_secs_f64());
    }
    text.gauge("memberd_copies_files", "Log files of this machine that are copied.")
        .value(source.files);
    text.counter("memberd_copies_text_bytes_total", "Text of logs that was compressed to be sent.")
        .value(source.text_bytes);
    text.counter("memberd_copies_sent_bytes_total", "Bytes that were sent to keepers.")
        .value(source.sent_bytes);
    text.counter(
        "memberd_copies_lost_bytes_total",
        "Text of logs that was truncated or deleted before any keeper had it.",
    )
    .value(source.lost_bytes);
}

/// Writes the metrics of what this machine keeps. So many sources send now.
pub(super) fn of_keeper(text: &mut Text, keeping: &KeepingStatus, sources: u64) {
    let counts = keeping.counts;
    text.gauge("memberd_kept_sources", "Members whose logs have copies here.")
        .value(counts.sources);
    text.gauge("memberd_kept_sources_sending", "Members that send copies of their logs here now.")
        .value(sources);
    text.gauge("memberd_kept_streams", "Log files of other members that have copies here.")
        .value(counts.streams);
    text.gauge("memberd_kept_damaged_streams", "How many of these copies are damaged.")
        .value(counts.damaged_streams);
    text.gauge("memberd_kept_bytes", "Disk space that copies of other members' logs take here.")
        .value(counts.bytes);
    text.gauge("memberd_kept_limit_bytes", "The setting logs.copies_total.")
        .value(keeping.limit_bytes);
    text.gauge("memberd_kept_text_bytes", "The text of these copies.").value(counts.text_bytes);
    text.gauge("memberd_kept_failed", "Whether copies can no longer be kept here.")
        .value(keeping.failure.is_some());
    text.counter("memberd_kept_received_bytes_total", "Text of other members' logs that came.")
        .value(counts.appended_text_bytes);
    text.counter("memberd_kept_refused_total", "Blocks of other members' logs that were refused.")
        .value(keeping.refused);
    text.counter(
        "memberd_kept_pruned_bytes_total",
        "Disk space of copies that was freed, by age or for newer ones.",
    )
    .value(counts.pruned_bytes);
    text.histogram(
        "memberd_kept_sync_seconds",
        "How long it took until copies were durable, all that came within a second together.",
        &keeping.sync_times,
    );
}

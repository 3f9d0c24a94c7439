//! Writes the metrics of files, and what the status warns of. It owns no state.

use super::Figures;
use crate::metrics::text::Text;
use crate::subsystem::TaskReport;
use memberd_files::KeeperRole;
use memberd_files::store::{Room, StoreState, StoreStatus};

impl TaskReport for Figures {
    fn warnings(&self) -> Vec<String> {
        warnings(self)
    }

    fn write_metrics(&self, text: &mut Text) {
        write(text, self);
    }
}

/// Writes all metrics of files.
fn write(text: &mut Text, figures: &Figures) {
    let Figures { status, disk, operations, links, dropped, has_view: _ } = figures;
    let store = status.store.as_ref();
    let of = |figure: fn(&StoreStatus) -> u64| store.map_or(0, figure);
    text.gauge("memberd_files_bytes", "Disk space that files take here.")
        .value(of(|store| store.used_bytes));
    text.gauge("memberd_files_capacity_bytes", "What they may take: files.space, or less.")
        .value(of(|store| store.capacity_bytes));
    text.gauge("memberd_files_failed", "Whether files can no longer be kept here.")
        .value(failure(figures).is_some());
    text.gauge("memberd_files_extents", "Copies of extents here.").value(status.extents);
    text.gauge("memberd_files_extent_bytes", "Their bytes.").value(status.extent_bytes);
    text.gauge("memberd_files_bad_extents", "Those that are damaged.")
        .value(store.map_or(0, |store| store.bad_extents));
    text.gauge("memberd_files_scrubs", "How often all of them were verified since the start.")
        .value(of(|store| store.scrubs));
    text.gauge(
        "memberd_files_repairs_waiting",
        "Extents that wait for a new copy by this machine.",
    )
    .value(status.repairs_waiting);
    text.gauge("memberd_files_repairs_running", "Extents that are copied anew.")
        .value(status.repairs_running);
    let mut roles = text.gauge("memberd_files_catalogs", "Shares that are kept here, by role.");
    for (role, word) in ROLES {
        let shares = status.shares.iter().filter(|share| share.keeper.role == role).count();
        roles.labelled("role", word, shares);
    }
    text.gauge("memberd_files_operations", "Operations of this machine's clients.")
        .value(*operations);
    text.gauge("memberd_files_writes", "Files that they write.").value(status.writes);
    text.gauge("memberd_files_reads", "Files that they read.").value(status.reads);
    text.gauge("memberd_files_connections", "Connections for files to other members.")
        .value(*links);
    text.counter(
        "memberd_files_messages_dropped_total",
        "Messages that found a full queue. Who waits for an answer asks again.",
    )
    .value(*dropped);
    text.histogram(
        "memberd_files_commit_seconds",
        "How long it took until jobs were durable, all that came together.",
        &disk.commits,
    );
}

const ROLES: [(KeeperRole, &str); 7] = [
    (KeeperRole::Former, "former"),
    (KeeperRole::Waiting, "waiting"),
    (KeeperRole::Claiming, "claiming"),
    (KeeperRole::Closed, "closed"),
    (KeeperRole::Primary, "primary"),
    (KeeperRole::Backup, "backup"),
    (KeeperRole::Failed, "failed"),
];

/// Why files cannot be kept here.
fn failure(figures: &Figures) -> Option<&str> {
    let failed = match figures.status.store.as_ref().map(|store| &store.state) {
        Some(StoreState::Failed(why)) => Some(why),
        Some(StoreState::Open) | None => figures.disk.failure.as_ref(),
    };
    failed.map(String::as_str)
}

/// A sentence for each problem.
fn warnings(figures: &Figures) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(why) = failure(figures) {
        warnings.push(format!(
            "files cannot be kept on this machine, and others keep them: {why}; look after the \
            disk, then restart memberd"
        ));
    }
    let store = figures.status.store.as_ref();
    match store.map(|store| store.room) {
        Some(Room::Full) => warnings.push(
            "the disk space of files is used up, so this machine takes no copies: raise \
            files.space, or make room"
                .to_owned(),
        ),
        Some(Room::Crowded) => warnings.push(
            "85 % of the disk space of files is used, so this machine is not chosen for new \
            copies: raise files.space, or make room"
                .to_owned(),
        ),
        Some(Room::Plenty) | None => {}
    }
    let bad = store.map_or(0, |store| store.bad_extents);
    if bad > 0 {
        warnings.push(format!(
            "{bad} copies of files are damaged here; they are fetched from other members"
        ));
    }
    for share in figures.status.shares.iter().filter(|one| one.keeper.role == KeeperRole::Closed) {
        warnings.push(format!(
            "the share /{} is closed: none of those that have all of it is up with [files] \
            enabled = true",
            share.share
        ));
    }
    if !figures.has_view {
        warnings.push(
            "files wait for an agreed view, which no majority has confirmed since the start: see \
            memberctl view"
                .to_owned(),
        );
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::disk::DiskFigures;
    use crate::metrics::histogram::Histogram;
    use memberd_files::FilesStatus;

    fn figures(room: Room, state: StoreState) -> Figures {
        let store = StoreStatus {
            state,
            room,
            used_bytes: 1,
            capacity_bytes: 2,
            extents: 0,
            bad_extents: 0,
            uploads: 0,
            scrubs: 0,
        };
        Figures {
            status: FilesStatus { store: Some(store), ..FilesStatus::default() },
            disk: DiskFigures { store: None, failure: None, commits: Histogram::new(&[]) },
            operations: 0,
            links: 0,
            dropped: 0,
            has_view: true,
        }
    }

    #[test]
    fn each_problem_has_a_sentence_and_health_has_none() {
        assert!(warnings(&figures(Room::Plenty, StoreState::Open)).is_empty());
        let full = warnings(&figures(Room::Full, StoreState::Failed("EIO".to_owned())));
        assert!(full[0].contains("EIO; look after the disk"), "{full:?}");
        assert!(full[1].contains("raise files.space"), "{full:?}");
        let mut waits = figures(Room::Plenty, StoreState::Open);
        waits.has_view = false;
        waits.disk.failure = Some("damaged".to_owned());
        waits.status.store = None;
        assert_eq!(warnings(&waits).len(), 2);
    }

    #[test]
    fn the_metrics_say_what_failed() {
        let mut text = Text::default();
        write(&mut text, &figures(Room::Plenty, StoreState::Failed("EIO".to_owned())));
        let text = text.finish();
        assert!(text.contains("\nmemberd_files_failed 1\n"), "{text}");
        assert!(text.contains("\nmemberd_files_catalogs{role=\"primary\"} 0\n"), "{text}");
    }
}

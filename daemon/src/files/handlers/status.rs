//! Answers `memberctl file status`. It owns no state.

use super::Asked;
use super::fault::Fault;
use memberd_control::message::{FileReply, FilesReport, ShareReport};
use memberd_files::store::{Room, StoreState};
use memberd_files::{FilesStatus, KeeperRole, ShareKeepers, ShareName};

/// Tells the state of this machine's part.
pub(super) async fn status(asked: &mut Asked<'_>) -> Result<(), Fault> {
    let told = asked.files.status().await.map_err(|error| Fault::failed(error.to_string()))?;
    let report = report(&told, asked.files.shares());
    asked.send(FileReply::Status(Box::new(report))).await
}

fn report(told: &FilesStatus, shares: Vec<(ShareName, ShareKeepers)>) -> FilesReport {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let mut report = FilesReport {
        extents: count(told.extents),
        repairs: count(told.repairs_running),
        waiting: count(told.repairs_waiting),
        operations: count(told.writes + told.reads + told.asks),
        ..FilesReport::default()
    };
    if let Some(store) = &told.store {
        (report.used, report.space) = (store.used_bytes, store.capacity_bytes);
        report.room = room(store.room).to_owned();
        report.failed = match &store.state {
            StoreState::Open => None,
            StoreState::Failed(why) => Some(why.clone()),
        };
    }
    for (name, ShareKeepers { keepers, .. }) in shares {
        let here = told.shares.iter().find(|share| share.share == name);
        report.shares.push(ShareReport {
            name: name.to_string(),
            keepers: keepers.iter().map(ToString::to_string).collect(),
            role: here.map_or("", |share| role(share.keeper.role)).to_owned(),
            applied: here.and_then(|share| share.keeper.applied),
        });
    }
    report
}

fn room(room: Room) -> &'static str {
    match room {
        Room::Plenty => "plenty",
        Room::Crowded => "crowded",
        Room::Full => "full",
    }
}

fn role(role: KeeperRole) -> &'static str {
    match role {
        // It is no keeper in the newest view.
        KeeperRole::Former => "",
        KeeperRole::Waiting => "waiting",
        KeeperRole::Claiming => "claiming",
        KeeperRole::Closed => "closed",
        KeeperRole::Primary => "primary",
        KeeperRole::Backup => "backup",
        KeeperRole::Failed => "failed",
    }
}

//! Answers `memberctl file merge`. It owns no state.

use super::fault::Fault;
use super::stat::hashed;
use super::{Asked, parse};
use memberd_control::message::{FileMerged, FileProgress, FileReply};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often the client hears that the merge goes on.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Compares all copies of a file, and makes them equal.
pub(super) async fn merge(path: &str, asked: &mut Asked<'_>) -> Result<(), Fault> {
    let path = parse(path)?;
    let files = asked.files.clone();
    let mut merging = std::pin::pin!(files.merge(path.clone()));
    let mut every = interval(PROGRESS_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let merged = loop {
        tokio::select! {
            merged = &mut merging => break merged,
            _ = every.tick() => {
                asked.send(FileReply::Progress(FileProgress::default())).await?;
            }
            () = asked.client.gone() => return Ok(()),
        }
    };
    let merged = merged.map_err(|error| Fault::of(&path, &error))?;
    let (whole, blake3) = hashed(&path, asked).await?;
    let copies = match whole.extents {
        // What lies in the catalog is equal on its keepers by itself.
        0 => whole.copies.copies,
        _ => u64::try_from(merged.copies).unwrap_or(u64::MAX),
    };
    let repaired = u64::try_from(merged.repaired).unwrap_or(u64::MAX);
    asked
        .send(FileReply::Merged(FileMerged { length: merged.length, copies, repaired, blake3 }))
        .await
}

//! Answers `memberctl file cat` and `get`. It owns no state.

use super::fault::Fault;
use super::{Asked, parse};
use memberd_control::message::{FileRead, FileReply};

/// Sends a file's bytes, as it was when the reading began.
pub(super) async fn read(what: FileRead, asked: &mut Asked<'_>) -> Result<(), Fault> {
    let path = parse(&what.path)?;
    let of = |error| Fault::of(&path, &error);
    let reading = asked.files.read(path.clone(), what.offset, what.limit).await;
    let mut reading = reading.map_err(of)?;
    let (length, is_newest) = (reading.length(), reading.is_newest());
    asked.send(FileReply::Length { length, is_newest }).await?;
    loop {
        let piece = tokio::select! {
            piece = reading.next() => piece,
            // A dropped reading is cancelled.
            () = asked.client.gone() => return Ok(()),
        };
        match piece.map_err(of)? {
            Some(bytes) => asked.client.stream_file(&bytes).await?,
            None => return asked.done().await,
        }
    }
}

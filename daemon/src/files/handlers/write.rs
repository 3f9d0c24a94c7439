//! Answers `memberctl file put` and `append`: the client's bytes go to the task as fast as it takes
//! them. It owns the decoder of these bytes.

use super::fault::Fault;
use super::{Asked, parse};
use crate::files::{FilesError, Writing};
use memberd_control::frame::FrameDecoder;
use memberd_control::message::{FileAppend, FilePut, FileReply, FileUpload, RefusalKind};
use memberd_files::{ClientError, ExtentSettings, FilePath, PutIf, Token, WriteTo};
use std::time::Duration;
use tokio::time::timeout;

/// How long a client may take for its next bytes. What takes longer in all is refused anyway.
const PIECE_LIMIT: Duration = ExtentSettings::PUBLISH_AGE;

/// How long the members may take for a piece. Beyond that they cannot be reached.
const TAKE_LIMIT: Duration = Duration::from_secs(30);

/// The memory that is reserved for a piece before its bytes arrive.
const RESERVE_BYTES: usize = 64 * 1024;

/// A file's new content.
pub(super) async fn put(put: FilePut, asked: &mut Asked<'_>) -> Result<(), Fault> {
    let path = file(&put.path)?;
    let usual = u8::try_from(ExtentSettings::default().copies).unwrap_or(u8::MAX);
    let to = WriteTo::Put {
        condition: if put.only_new { PutIf::Absent } else { PutIf::Any },
        copies: put.copies.unwrap_or(usual),
        mode: put.mode,
        parents: put.parents,
    };
    write(path, Token(put.token), to, asked).await
}

/// Bytes for the end of a file.
pub(super) async fn append(append: FileAppend, asked: &mut Asked<'_>) -> Result<(), Fault> {
    let path = file(&append.path)?;
    let to = WriteTo::Append { only: None, length: append.length };
    write(path, Token(append.token), to, asked).await
}

/// The path of a file. A share is none.
fn file(path: &str) -> Result<FilePath, Fault> {
    let path = parse(path)?;
    match path.is_share() {
        true => Err(Fault::failed(format!("{path}: is a share: add the name of a file"))),
        false => Ok(path),
    }
}

async fn write(
    path: FilePath,
    token: Token,
    to: WriteTo,
    asked: &mut Asked<'_>,
) -> Result<(), Fault> {
    let of = |error| Fault::of(&path, &error);
    let mut writing = asked.files.write(path.clone(), token, to).await.map_err(of)?;
    // The client waits for it with its bytes.
    asked.send(FileReply::Ready).await?;
    pass(&path, &mut writing, asked).await?;
    let done = writing.finish().await.map_err(of)?;
    asked.send(FileReply::Written { length: done.length, generation: done.generation.0 }).await
}

/// Passes on what the client sends. A client that goes away before the end has written nothing.
async fn pass(path: &FilePath, writing: &mut Writing, asked: &mut Asked<'_>) -> Result<(), Fault> {
    let mut decoder = FrameDecoder::<0>::new(RESERVE_BYTES);
    loop {
        let Ok(piece) = timeout(PIECE_LIMIT, asked.client.uploaded(&mut decoder)).await else {
            let words = format!("{path}: no byte came for 30 minutes; nothing was written");
            return Err(Fault::Refused(RefusalKind::TimedOut, words));
        };
        match piece? {
            FileUpload::Bytes(bytes) => {
                let taken = timeout(TAKE_LIMIT, writing.push(&bytes)).await;
                let taken = taken.unwrap_or(Err(FilesError::Client(ClientError::TooSlow)));
                taken.map_err(|error| Fault::of(path, &error))?;
            }
            FileUpload::End => return Ok(()),
        }
    }
}

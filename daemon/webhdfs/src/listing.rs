//! `LISTSTATUS`, which has no pages: a large directory is read in pages and streamed, so that only
//! one page is in memory.

use crate::access::Shares;
use crate::answer::{Answer, with_body};
use crate::error::FileError;
use crate::file_system::{FileSystem, Page};
use crate::json::element;
use crate::path::HdfsPath;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use hyper::StatusCode;
use std::io;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tracing::debug;

/// How many entries are asked for at once.
pub(crate) const BATCH: usize = 1_000;

/// Pages that wait until the client has taken those before.
const WAITING: usize = 1;

/// Only the shares that are seen.
pub(crate) fn of_the_root(mut page: Page, shares: &Shares) -> Page {
    page.entries.retain(|(name, _)| shares.have(name));
    page
}

/// Answers with all entries. The first page decides whether it succeeds; if a later one fails, the
/// connection breaks.
pub(crate) async fn list(
    files: Arc<dyn FileSystem>,
    shares: Shares,
    path: HdfsPath,
    place: OwnedSemaphorePermit,
) -> Result<Answer, FileError> {
    let first = files.list(&path, None, BATCH).await?;
    let listing = Listing { files, shares, path };
    let (sender, body) = Channel::new(WAITING);
    tokio::spawn(async move {
        listing.send(first, sender).await;
        drop(place);
    });
    Ok(with_body(StatusCode::OK, body.boxed_unsync()))
}

struct Listing {
    files: Arc<dyn FileSystem>,
    shares: Shares,
    path: HdfsPath,
}

impl Listing {
    async fn send(self, first: Page, mut sender: Sender<Bytes, io::Error>) {
        let mut page = first;
        let mut text = br#"{"FileStatuses":{"FileStatus":["#.to_vec();
        let mut separator: &[u8] = b"";
        loop {
            let after = page.entries.last().map(|(name, _)| name.clone());
            let more = page.remaining > 0;
            if self.path.is_root() {
                page = of_the_root(page, &self.shares);
            }
            for (name, status) in &page.entries {
                text.extend_from_slice(separator);
                separator = b",";
                match element(name, status) {
                    Ok(json) => text.extend_from_slice(&json),
                    Err(error) => return sender.abort(io::Error::other(error)),
                }
            }
            let Some(after) = after.filter(|_| more) else { break };
            if sender.send_data(Bytes::from(std::mem::take(&mut text))).await.is_err() {
                return;
            }
            page = match self.files.list(&self.path, Some(&after), BATCH).await {
                Ok(page) => page,
                Err(error) => {
                    debug!(%error, "a listing broke off");
                    return sender.abort(io::Error::other(error));
                }
            };
        }
        text.extend_from_slice(b"]}}");
        // If the client is gone, nobody misses the end.
        let _ = sender.send_data(Bytes::from(text)).await;
    }
}

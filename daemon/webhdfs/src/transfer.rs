//! Content of files, to and from clients.

use crate::answer::{Answer, empty, octets};
use crate::error::FileError;
use crate::file_system::{Reader, Writer};
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use std::io;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tracing::debug;

/// Pieces that wait until the client has taken those before.
const WAITING: usize = 1;

/// How much of a refused upload is read, so that the client gets to read why.
const MOST_DRAINED: usize = 16 << 20;

/// How long that may take.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// Sends what a reader has. The length is said before, so if the reader fails, the connection
/// breaks: a client of Java believes the length, and would take a short answer for the whole.
pub(crate) fn send(reader: Box<dyn Reader>, place: OwnedSemaphorePermit) -> Answer {
    let length = HeaderValue::from(reader.length());
    let (sender, body) = Channel::new(WAITING);
    tokio::spawn(async move {
        pump(reader, sender).await;
        drop(place);
    });
    let mut answer = octets(body.boxed_unsync());
    answer.headers_mut().insert(CONTENT_LENGTH, length);
    answer
}

async fn pump(mut reader: Box<dyn Reader>, mut sender: Sender<Bytes, io::Error>) {
    loop {
        match reader.next().await {
            Ok(Some(piece)) => {
                if sender.send_data(piece).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => {
                debug!(%error, "reading broke off");
                return sender.abort(io::Error::other(error));
            }
        }
    }
}

/// The body of a request.
pub(crate) struct Upload {
    body: Incoming,
    /// Whether the client waits for leave to send it (`Expect`). It gets that with the first read.
    waits: bool,
}

impl Upload {
    /// A body of which nothing is read.
    pub(crate) fn new(body: Incoming, waits: bool) -> Upload {
        Upload { body, waits }
    }

    /// Its next bytes.
    async fn next(&mut self) -> Result<Option<Bytes>, FileError> {
        self.waits = false;
        while let Some(frame) = self.body.frame().await {
            let broken = |error| FileError::Io(format!("the body broke off: {error}"));
            if let Ok(piece) = frame.map_err(broken)?.into_data() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    /// Reads what is left, within bounds: a client that sends would not read the answer before.
    pub(crate) async fn drain(mut self) {
        if self.waits || self.body.is_end_stream() {
            return;
        }
        let drained = async {
            let mut drained = 0;
            while let Ok(Some(piece)) = self.next().await {
                drained += piece.len();
                if drained > MOST_DRAINED {
                    return;
                }
            }
        };
        let _ = timeout(DRAIN_LIMIT, drained).await;
    }
}

/// Takes the body of a request, and commits it within a time.
pub(crate) async fn receive(
    upload: &mut Upload,
    mut writer: Box<dyn Writer>,
    commit_limit: Duration,
) -> Result<(), FileError> {
    while let Some(piece) = upload.next().await? {
        writer.write(piece).await?;
    }
    // It is not taken back when the client goes now.
    let committing = tokio::spawn(writer.commit());
    match timeout(commit_limit, committing).await {
        Ok(Ok(committed)) => committed,
        Ok(Err(error)) => Err(FileError::Io(format!("the commit ended: {error}"))),
        Err(_) => Err(unknown()),
    }
}

/// The answer to what took too long.
pub(crate) fn unknown() -> FileError {
    let why = "no answer in time: it is done wholly or not at all; look before you try again";
    FileError::Unavailable(why.to_owned())
}

/// The answer to an upload that was committed.
pub(crate) fn committed(creates: bool) -> Answer {
    empty(if creates { StatusCode::CREATED } else { StatusCode::OK })
}

//! Lists the requests of other members that this daemon answers, by kind. It owns no state, and
//! fills the registry of services at the daemon's start.

use crate::membership::{Command, Handle, beside_if_large};
use crate::search::serve::{self, Asked};
use crate::search::{LocalSearcher, listing};
use memberd_control::files::FilesRequest;
use memberd_control::frame::{Message, PASSED_ON_BYTES, SMALL_REQUEST_CAP, decode};
use memberd_control::grep::GrepRequest;
use memberd_membership::wire::{decode_versioned, encode_versioned};
use memberd_membership::{CallReply, MAX_CALL};
use memberd_transport::{KindTaken, PeerServices, RequestKind, SMALL_REQUEST_BYTES, StreamRequest};
use std::io;
use std::sync::Arc;

// The numbers are part of the protocol between members. ONLY APPEND TO THIS LIST.

/// A call of the membership protocol.
pub const MEMBERSHIP: RequestKind = RequestKind::new(0);

/// A search of this machine's logs; a stream of frames answers it.
pub const GREP: RequestKind = RequestKind::new(1);

/// A search like [`GREP`], with an option that the first members do not know. They would leave the
/// option out, and so find more than was asked for. They refuse a kind that is unknown.
pub const NARROWED_GREP: RequestKind = RequestKind::new(2);

/// Lists this machine's files that can be searched; a listing answers it.
pub const FILES: RequestKind = RequestKind::new(3);

/// A search like [`GREP`] that is limited to some of the files. Members that do not know such
/// limits would search all of them. They refuse the kind.
pub const LIMITED_GREP: RequestKind = RequestKind::new(4);

/// A listing like [`FILES`] that is limited in the same way.
pub const LIMITED_FILES: RequestKind = RequestKind::new(5);

/// An entry of a list takes more bytes than this.
const LEAST_ENTRY_BYTES: usize = 32;

// Only a grep with long patterns waits for its turn.
const _: () = assert!(SMALL_REQUEST_CAP + PASSED_ON_BYTES <= SMALL_REQUEST_BYTES);

/// All services that this daemon offers to other members.
///
/// # Errors
/// When two services have the same number.
pub fn services(
    membership: Handle,
    searcher: Arc<LocalSearcher>,
) -> Result<PeerServices, KindTaken> {
    let lister = Arc::clone(&searcher);
    let files = move |bytes: Vec<u8>, source| {
        let searcher = Arc::clone(&lister);
        async move { listing::answer(&searcher, &bytes, source).await }
    };
    let grep = move |asked: StreamRequest, stream| {
        let searcher = Arc::clone(&searcher);
        async move {
            let StreamRequest { body, turn, source, from } = asked;
            let request = decode::<GrepRequest>(&body);
            // The search may follow the logs for days.
            drop(body);
            match request {
                Ok(request) => {
                    let asked = Asked { source, turn, from };
                    serve::serve(stream, request, asked, &searcher).await
                }
                Err(error) => {
                    drop(turn);
                    serve::refuse(stream, error.to_string()).await
                }
            }
        }
    };
    PeerServices::default()
        .with_call(MEMBERSHIP, MAX_CALL, move |bytes, _| {
            let membership = membership.clone();
            async move { answer_call(&membership, bytes).await.map_err(io::Error::other) }
        })?
        .with_stream(GREP, GrepRequest::CAP, grep.clone())?
        .with_stream(NARROWED_GREP, GrepRequest::CAP, grep.clone())?
        .with_call(FILES, FilesRequest::CAP, files.clone())?
        .with_stream(LIMITED_GREP, GrepRequest::CAP, grep)?
        .with_call(LIMITED_FILES, FilesRequest::CAP, files)
}

/// Answers a call of the membership protocol. The protocol's thread decodes and encodes nothing: it
/// has heartbeats to send.
async fn answer_call(membership: &Handle, bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let length = bytes.len();
    let request = beside_if_large(length, move || decode_versioned(&bytes)).await?;
    let reply = membership.ask(|reply| Command::Request { request, reply }).await?;
    let length = match &reply {
        CallReply::Welcome { list, .. } | CallReply::List(list) => list.len() * LEAST_ENTRY_BYTES,
        CallReply::Forgotten(_) | CallReply::Refused(_) => 0,
    };
    Ok(beside_if_large(length, move || encode_versioned(&reply)).await?)
}

//! Lists the requests of other members that this daemon answers, by kind. It owns no state, and
//! fills the registry of services at the daemon's start.

use crate::agreement::incoming::Incoming;
use crate::copies::IncomingCopies;
use crate::files;
use crate::incoming::REQUEST_CAP;
use crate::jobs;
use crate::membership::{Command, Handle, beside_if_large};
use crate::search::kept::{self, KEPT_REQUEST_CAP};
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
use tokio::io::{AsyncRead, AsyncWrite};

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

/// A connection with messages of the agreement. Only members that agree on views know it.
pub const AGREEMENT: RequestKind = RequestKind::new(6);

/// A connection with copies of logs. A member that keeps none answers as one that does not know it.
pub const COPIES: RequestKind = RequestKind::new(7);

/// Asks what is kept here of the logs of given members. Where copies are switched off, nothing is.
/// Members from before the copies refuse the kind.
pub const KEPT: RequestKind = RequestKind::new(8);

/// A search like [`GREP`] of what is kept here of another member's logs.
pub const KEPT_GREP: RequestKind = RequestKind::new(9);

/// A connection with messages about replicated files. Only members with files know it.
pub const REPLICATED_FILES: RequestKind = RequestKind::new(10);

/// A search like [`GREP`] whose lines are counted: a question. Members from before it refuse the
/// kind.
pub const STATS: RequestKind = RequestKind::new(11);

/// A connection with messages about durable jobs. Only members with jobs know it.
pub const JOBS: RequestKind = RequestKind::new(12);

/// A question about durable jobs: a change for the leader, or how far a job is.
pub const JOB_CALLS: RequestKind = RequestKind::new(13);

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
    searcher: &Arc<LocalSearcher>,
    agreement: Option<Incoming>,
    copies: IncomingCopies,
    replicated: Option<files::incoming::Incoming>,
    jobs: Option<(jobs::incoming::Incoming, jobs::Handle)>,
) -> Result<PeerServices, KindTaken> {
    let files = |kind| {
        let searcher = Arc::clone(searcher);
        move |bytes: Vec<u8>, source| {
            let searcher = Arc::clone(&searcher);
            async move { listing::answer(&searcher, kind, &bytes, source).await }
        }
    };
    let grep = |kind| {
        let searcher = Arc::clone(searcher);
        move |asked, stream| {
            let searcher = Arc::clone(&searcher);
            async move { answer_grep(&searcher, kind, asked, stream).await }
        }
    };
    let searching = Arc::clone(searcher);
    let kept = move |bytes: Vec<u8>, source| {
        let searcher = Arc::clone(&searching);
        async move { kept::answer(&searcher, &bytes, source).await }
    };
    let services = PeerServices::default()
        .with_call(MEMBERSHIP, MAX_CALL, move |bytes, _| {
            let membership = membership.clone();
            async move { answer_call(&membership, bytes).await.map_err(io::Error::other) }
        })?
        .with_stream(GREP, GrepRequest::CAP, grep(GREP))?
        .with_stream(NARROWED_GREP, GrepRequest::CAP, grep(NARROWED_GREP))?
        .with_call(FILES, FilesRequest::CAP, files(FILES))?
        .with_stream(LIMITED_GREP, GrepRequest::CAP, grep(LIMITED_GREP))?
        .with_call(LIMITED_FILES, FilesRequest::CAP, files(LIMITED_FILES))?
        .with_stream(KEPT_GREP, GrepRequest::CAP, grep(KEPT_GREP))?
        .with_call(KEPT, KEPT_REQUEST_CAP, kept)?
        .with_stream(STATS, GrepRequest::CAP, grep(STATS))?
        .with_stream(COPIES, REQUEST_CAP, move |request, stream| {
            let copies = copies.clone();
            async move { copies.serve(request, stream).await }
        })?;
    let services = match replicated {
        Some(replicated) => {
            services.with_stream(REPLICATED_FILES, REQUEST_CAP, move |request, stream| {
                let replicated = replicated.clone();
                async move { replicated.serve(request, stream).await }
            })?
        }
        None => services,
    };
    let services = match jobs {
        Some((jobs, handle)) => services
            .with_stream(JOBS, REQUEST_CAP, move |request, stream| {
                let jobs = jobs.clone();
                async move { jobs.serve(request, stream).await }
            })?
            .with_call(JOB_CALLS, jobs::calls::CALL_CAP, move |bytes, source| {
                let handle = handle.clone();
                async move { handle.answer(&bytes, source).await }
            })?,
        None => services,
    };
    let Some(agreement) = agreement else { return Ok(services) };
    services.with_stream(AGREEMENT, REQUEST_CAP, move |request, stream| {
        let agreement = agreement.clone();
        async move { agreement.serve(request, stream).await }
    })
}

/// Checks that a request of a limited kind has its limit, `only`. A later member may have it in
/// another field, which is unknown here.
///
/// # Errors
/// When it has none: one line.
pub fn check_limit(kind: RequestKind, only: &[String]) -> Result<(), String> {
    match kind {
        LIMITED_GREP | LIMITED_FILES if only.is_empty() => {
            Err("a request that is limited to some files names none of them".to_owned())
        }
        _ => Ok(()),
    }
}

/// Checks that a search of what is kept, and no other one, says of whom.
///
/// # Errors
/// When it does not: one line.
fn check_kept(kind: RequestKind, request: GrepRequest) -> Result<GrepRequest, String> {
    match (kind, &request.kept_of) {
        (KEPT_GREP, None) => Err("a search of copies names no member".to_owned()),
        (KEPT_GREP, Some(_)) => Ok(request),
        _ => Ok(GrepRequest { kept_of: None, ..request }),
    }
}

/// Checks that a question, and no other search, asks something.
///
/// # Errors
/// When it does not: one line.
fn check_question(kind: RequestKind, request: GrepRequest) -> Result<GrepRequest, String> {
    match &request.stats {
        None if kind == STATS => Err("a question asks nothing".to_owned()),
        Some(question) if kind == STATS => {
            question.check()?;
            Ok(request)
        }
        _ => Ok(GrepRequest { stats: None, ..request }),
    }
}

/// Answers a search of this kind.
async fn answer_grep(
    searcher: &Arc<LocalSearcher>,
    kind: RequestKind,
    StreamRequest { body, turn, source, from }: StreamRequest,
    stream: impl AsyncRead + AsyncWrite + Send,
) -> io::Result<()> {
    let request = decode::<GrepRequest>(&body).map_err(|error| error.to_string());
    let request = request.and_then(|request| {
        check_limit(kind, &request.files.only).and_then(|()| check_kept(kind, request))
    });
    let request = request.and_then(|request| check_question(kind, request));
    // The search may follow the logs for days.
    drop(body);
    match request {
        Ok(request) => serve::serve(stream, request, Asked { source, turn, from }, searcher).await,
        Err(reason) => {
            drop(turn);
            serve::refuse(stream, reason).await
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::limits::Limits;
    use crate::search::reply::{PeerReply, Replies};
    use memberd_control::frame::{HEADER_BYTES, encode};
    use memberd_control::stats::StatsQuestion;
    use memberd_search::ExposedFiles;
    use memberd_transport::Source;

    /// Only a search of copies says of whom, and none without.
    #[test]
    fn a_search_of_copies_names_a_member() {
        let of = |kept_of: Option<&str>| GrepRequest {
            kept_of: kept_of.map(str::to_owned),
            ..GrepRequest::default()
        };
        assert!(check_kept(KEPT_GREP, of(None)).is_err());
        assert_eq!(check_kept(KEPT_GREP, of(Some("vm4"))), Ok(of(Some("vm4"))));
        assert_eq!(check_kept(GREP, of(Some("vm4"))), Ok(of(None)));
        assert_eq!(check_kept(LIMITED_GREP, of(None)), Ok(of(None)));
    }

    /// Only a question asks something, and none asks nothing.
    #[test]
    fn a_question_asks_something() {
        let of = |groups: Option<u64>| GrepRequest {
            stats: groups.map(|groups| StatsQuestion { groups, ..StatsQuestion::default() }),
            ..GrepRequest::default()
        };
        assert!(check_question(STATS, of(None)).is_err());
        assert!(check_question(STATS, of(Some(0))).is_err());
        assert_eq!(check_question(STATS, of(Some(1))), Ok(of(Some(1))));
        assert_eq!(check_question(GREP, of(Some(1))), Ok(of(None)));
    }

    /// A limit that is not understood must not become none.
    #[tokio::test]
    async fn a_limited_request_without_a_limit_is_refused() {
        let offer = ExposedFiles::new::<&str>(&[]).unwrap();
        let searcher = Arc::new(LocalSearcher::new("vm1".to_owned(), offer, Limits::default()));
        for (kind, only, is_refused) in [
            (LIMITED_GREP, vec![], true),
            (LIMITED_GREP, vec!["/a".to_owned()], false),
            (GREP, vec![], false),
        ] {
            let mut request = GrepRequest::default();
            request.files.only = only;
            let body = encode(&request).unwrap().split_off(HEADER_BYTES);
            let asked = StreamRequest { body, turn: None, source: Source::Anyone, from: None };
            let (client, server) = tokio::io::duplex(4096);
            let answered = answer_grep(&searcher, kind, asked, server);
            let mut replies = Replies::new(client);
            let (answered, reply) = tokio::join!(answered, replies.next());
            answered.unwrap();
            assert_eq!(matches!(reply.unwrap(), PeerReply::Refused(_)), is_refused, "{kind:?}");
        }
    }
}

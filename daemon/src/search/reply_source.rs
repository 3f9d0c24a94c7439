//! Reads the replies of one member: from a connection, or from this daemon's own search. It owns
//! that source.

use super::answer_check::AnswerCheck;
use super::progress::Progress;
use super::reply::{MAX_PIECE, PeerReply, Replies};
use crate::peer::{GREP, KEPT_GREP, LIMITED_GREP, NARROWED_GREP, STATS};
use memberd_control::grep::GrepRequest;
use memberd_transport::{Alert, Caller, PeerStream};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// How long a member may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long a member may be silent. A searching member reports its progress every
/// [`WORKING_EVERY`](super::serve::WORKING_EVERY).
const SILENCE_LIMIT: Duration = Duration::from_secs(4);

/// How long all may wait for the next [`MAX_PIECE`] bytes of a member's line. Meanwhile the lines
/// of the others wait.
const LINE_LIMIT: Duration = Duration::from_secs(30);

/// What is said of a member that does not know limits of files.
pub(super) const TOO_OLD_FOR_LIMIT: &str = "its memberd is too old for the limit of files at this \
                                            socket (search.files): upgrade it";

/// What is said of a member that does not know questions.
const TOO_OLD_FOR_STATS: &str = "its memberd is too old for stats: upgrade it";

/// The source of a member's replies.
pub(super) enum ReplySource {
    /// This daemon's own search, without a network.
    Local(mpsc::Receiver<PeerReply>),
    /// A connection to another member.
    Remote {
        replies: Replies<PeerStream>,
        /// Why an older member refuses the request.
        too_old: Option<String>,
    },
}

impl ReplySource {
    /// Sends a request, which is encoded already, to another member. If older members would leave
    /// out a part of it and find more, it is of a kind that they refuse.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub(super) async fn connect(
        caller: &Caller,
        to: SocketAddr,
        request: &GrepRequest,
        encoded: &[u8],
    ) -> io::Result<Self> {
        let (kind, too_old) = if request.stats.is_some() {
            // Whoever knows questions knows all limits of files.
            (STATS, Some(TOO_OLD_FOR_STATS.to_owned()))
        } else if request.files.only.is_empty() {
            let option = request.narrowing_option();
            let words = |option| {
                format!("its memberd is too old for {option}: upgrade it, or leave the option out")
            };
            (if option.is_some() { NARROWED_GREP } else { GREP }, option.map(words))
        } else {
            (LIMITED_GREP, Some(TOO_OLD_FOR_LIMIT.to_owned()))
        };
        let stream = caller.open(to, kind, encoded, CONNECT_LIMIT).await?;
        Ok(ReplySource::Remote { replies: Replies::new(stream), too_old })
    }

    /// Sends a request for a search of copies, which is encoded already, to their keeper.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub(super) async fn connect_keeper(
        caller: &Caller,
        to: SocketAddr,
        encoded: &[u8],
    ) -> io::Result<Self> {
        let stream = caller.open(to, KEPT_GREP, encoded, CONNECT_LIMIT).await?;
        Ok(ReplySource::Remote { replies: Replies::new(stream), too_old: None })
    }

    async fn next(&mut self) -> io::Result<PeerReply> {
        match self {
            ReplySource::Remote { replies, too_old } => {
                let reply = timeout(SILENCE_LIMIT, replies.next()).await?;
                reply.map_err(|error| explain_refusal(error, too_old.as_deref()))
            }
            ReplySource::Local(replies) => {
                replies.recv().await.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
        }
    }
}

/// Says what it is that an older member does not understand.
pub(super) fn explain_refusal(error: io::Error, too_old: Option<&str>) -> io::Error {
    let is_refusal =
        error.get_ref().and_then(|inner| inner.downcast_ref()) == Some(&Alert::Version);
    match too_old.filter(|_| is_refusal) {
        Some(words) => io::Error::new(io::ErrorKind::Unsupported, words),
        None => error,
    }
}

/// A member's replies, which are checked, and count as the grep's progress.
pub(super) struct MemberReplies<'g> {
    source: ReplySource,
    check: AnswerCheck,
    progress: &'g Progress,
    /// The bytes that the member has searched so far.
    searched_bytes: u64,
    /// How long the grep has waited for the end of the present line.
    waited: Duration,
    line_limit: Duration,
}

impl<'g> MemberReplies<'g> {
    /// The replies of a source that was not read yet.
    pub(super) fn new(source: ReplySource, check: AnswerCheck, progress: &'g Progress) -> Self {
        let (waited, line_limit) = (Duration::ZERO, LINE_LIMIT);
        MemberReplies { source, check, progress, searched_bytes: 0, waited, line_limit }
    }

    /// The next reply that is not merely a progress report. It is the member's own.
    ///
    /// # Errors
    /// When the member is silent for too long, the connection breaks, or the bytes are not a reply.
    /// Also with an [`AnswerFault`](super::answer_fault::AnswerFault), when the reply cannot be the
    /// member's own.
    pub(super) async fn next(&mut self) -> io::Result<PeerReply> {
        loop {
            match self.read().await? {
                PeerReply::Working(bytes) => self.note_searched(bytes),
                PeerReply::Done(totals) => {
                    self.note_searched(totals.bytes);
                    return self.check.check(PeerReply::Done(totals)).map_err(io::Error::from);
                }
                reply => return self.check.check(reply).map_err(io::Error::from),
            }
        }
    }

    /// The bytes that end the line in which the last reply ended.
    pub(super) fn closing(&self) -> Vec<u8> {
        self.check.closing()
    }

    /// Reads a reply. Within a line, progress reports gain the member no time.
    async fn read(&mut self) -> io::Result<PeerReply> {
        let Some(bytes) = self.check.within_bytes() else {
            self.waited = Duration::ZERO;
            return self.source.next().await;
        };
        let pieces = u32::try_from(bytes / MAX_PIECE).unwrap_or(u32::MAX);
        let limit = self.line_limit.saturating_mul(pieces.saturating_add(1));
        // A member whose replies are always there would never be late.
        let left = limit.checked_sub(self.waited).filter(|left| !left.is_zero());
        let left = left.ok_or(io::ErrorKind::TimedOut)?;
        let began = Instant::now();
        let reply = timeout(left, self.source.next()).await;
        self.waited += began.elapsed();
        reply?
    }

    fn note_searched(&mut self, bytes: u64) {
        self.progress.note_bytes(bytes.saturating_sub(self.searched_bytes));
        self.searched_bytes = self.searched_bytes.max(bytes);
    }
}

/// Describes for users why a member is lost.
pub(super) fn describe_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe => "the connection ended before its search did".to_owned(),
        io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::ConnectionRefused => "memberd does not accept connections there".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_membership::Name;

    /// The lines of the others wait meanwhile.
    #[tokio::test]
    async fn a_begun_line_must_go_on_whatever_progress_is_reported() {
        let (sender, replies) = mpsc::channel(1);
        let check = AnswerCheck::new(&Name::new("vm2").unwrap(), &GrepRequest::default(), false);
        let progress = Progress::default();
        let mut replies = MemberReplies::new(ReplySource::Local(replies), check, &progress);
        replies.line_limit = Duration::from_millis(100);
        let begun = || PeerReply::Part(b"vm2:/a:begun".to_vec());
        let works = tokio::spawn(async move {
            sender.send(begun()).await.unwrap();
            while sender.send(PeerReply::Working(1)).await.is_ok() {}
        });
        assert_eq!(replies.next().await.unwrap(), begun());
        let error = replies.next().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(replies.closing(), b"\n");
        drop(replies);
        works.await.unwrap();
    }
}

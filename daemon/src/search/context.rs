//! Holds what every part of one distributed grep needs. It owns the request, its compiled pattern
//! and the queue to the client.

use super::answer_check::AnswerCheck;
use super::answer_fault::AnswerFault;
use super::compile::Compiled;
use super::kept::{Found, Keeper, KeptLogs, Target, find};
use super::local::LocalSearcher;
use super::member_choice::Missed;
use super::progress::Progress;
use super::reply_source::{MemberReplies, ReplySource, describe_error};
use super::serve::{LocalQuery, serve_here};
use crate::lock::lock;
use memberd_control::grep::{GrepFollow, GrepOrder, GrepOutcome, GrepRequest};
use memberd_control::message::Reply;
use memberd_membership::{Identity, Name};
use memberd_transport::{Caller, Source};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tracing::warn;

/// The longest request that the oldest members take, in bytes.
const OLDER_REQUEST_BYTES: usize = 81 * 1024;

/// Who asks: this machine, for one of its users.
#[derive(Debug)]
pub(super) struct Asker {
    /// Reaches the other members.
    pub(super) caller: Caller,
    /// For whom this machine's own search takes its place.
    pub(super) user: Source,
}

/// One grep of all members.
#[derive(Debug)]
pub(super) struct QueryContext {
    asker: Asker,
    searcher: Arc<LocalSearcher>,
    request: GrepRequest,
    /// The encoded request, as members receive it.
    encoded: Vec<u8>,
    /// The pattern, compiled during the check of the request, for this machine's own search.
    compiled: Mutex<Option<Compiled>>,
    /// Who was asked for the logs of which member that is gone.
    keepers: Mutex<HashMap<Name, String>>,
    replies: mpsc::Sender<Reply>,
    progress: Arc<Progress>,
}

impl QueryContext {
    /// The context of a request. `searcher` searches this machine, and the client reads `replies`.
    ///
    /// # Errors
    /// When the request cannot be encoded. Encoding to memory does not fail in practice.
    pub(super) fn new(
        asker: Asker,
        searcher: Arc<LocalSearcher>,
        request: GrepRequest,
        compiled: Option<Compiled>,
        replies: mpsc::Sender<Reply>,
    ) -> io::Result<Self> {
        let encoded = encoded(&request)?;
        let keepers = Mutex::default();
        let compiled = Mutex::new(compiled);
        let progress = Arc::default();
        Ok(QueryContext { asker, searcher, request, encoded, compiled, keepers, replies, progress })
    }

    /// The progress of the grep.
    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Asks a member, or who keeps its logs.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub(super) async fn ask(&self, target: &Target) -> io::Result<MemberReplies<'_>> {
        self.ask_from(target, None).await
    }

    /// The same, to follow files from there.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub(super) async fn ask_from(
        &self,
        target: &Target,
        from: Option<GrepFollow>,
    ) -> io::Result<MemberReplies<'_>> {
        match target {
            Target::Member(member) => self.ask_member(member, from).await,
            Target::Kept(logs) => self.ask_keepers(logs, from).await,
        }
    }

    /// Whether sums are asked for in place of lines.
    pub(super) fn is_question(&self) -> bool {
        self.request.stats.is_some()
    }

    /// Whether copies are searched of what members had that are followed no more.
    pub(super) fn wants_copies(&self) -> bool {
        self.request.copies
    }

    /// Asks these members what they keep of the logs of one that is gone.
    ///
    /// # Errors
    /// When the request cannot be encoded.
    pub(super) async fn find_copies(
        &self,
        missed: Missed,
        may_keep: Vec<Identity>,
    ) -> io::Result<Found> {
        let Asker { caller, user } = &self.asker;
        find(caller, &self.searcher, vec![missed], may_keep, *user).await
    }

    /// Asks the first keeper that can be reached. The client knows of the first one.
    async fn ask_keepers(
        &self,
        logs: &KeptLogs,
        from: Option<GrepFollow>,
    ) -> io::Result<MemberReplies<'_>> {
        let name = &logs.missed.name;
        let mut last = io::ErrorKind::NotFound.into();
        for (at, keeper) in logs.keepers.iter().enumerate() {
            lock(&self.keepers).insert(name.clone(), keeper.member.name.to_string());
            match self.ask_keeper(name, keeper, from.clone()).await {
                Ok(source) => {
                    if at > 0 {
                        let (member, copy) = (name.to_string(), keeper.copy.clone());
                        self.send(Reply::GrepCopy { member, copy }).await?;
                    }
                    let is_own = matches!(source, ReplySource::Local(_));
                    let check = AnswerCheck::new(name, &self.request, is_own);
                    return Ok(MemberReplies::new(source, check, &self.progress));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn ask_keeper(
        &self,
        name: &Name,
        keeper: &Keeper,
        follow_from: Option<GrepFollow>,
    ) -> io::Result<ReplySource> {
        let kept_of = Some(name.to_string());
        let (output_file, order, copies) = (None, GrepOrder::default(), false);
        let request = self.request.clone();
        let mut request =
            GrepRequest { kept_of, output_file, order, copies, follow_from, ..request };
        // What is kept does not grow any more.
        request.files.follow = false;
        if keeper.member.address == self.asker.caller.address {
            let source = self.asker.user;
            let query = LocalQuery { request, source, compiled: None, from: None };
            return Ok(ReplySource::Local(serve_here(&self.searcher, query)));
        }
        let mut encoded = Vec::new();
        ciborium::into_writer(&request, &mut encoded).map_err(io::Error::other)?;
        ReplySource::connect_keeper(&self.asker.caller, keeper.member.address, &encoded).await
    }

    async fn ask_member(
        &self,
        member: &Identity,
        from: Option<GrepFollow>,
    ) -> io::Result<MemberReplies<'_>> {
        let is_own = member.address == self.asker.caller.address;
        let check = AnswerCheck::new(&member.name, &self.request, is_own);
        let source = if is_own {
            let compiled = lock(&self.compiled).take();
            let source = self.asker.user;
            // Without it, as for the journal, positions are not asked for.
            let follow_from = self.request.follow_from.clone();
            let follow_from = follow_from.map(|first| from.unwrap_or(first));
            let request = GrepRequest { follow_from, ..self.request.clone() };
            let query = LocalQuery { request, source, compiled, from: None };
            ReplySource::Local(serve_here(&self.searcher, query))
        } else if let Some(from) = from.filter(|from| from.again) {
            let encoded =
                encoded(&GrepRequest { follow_from: Some(from), ..self.request.clone() })?;
            let caller = &self.asker.caller;
            ReplySource::connect(caller, member.address, &self.request, &encoded).await?
        } else {
            let caller = &self.asker.caller;
            ReplySource::connect(caller, member.address, &self.request, &self.encoded).await?
        };
        Ok(MemberReplies::new(source, check, &self.progress))
    }

    /// The outcome of a search that ended with this error.
    pub(super) fn outcome(&self, error: &io::Error) -> GrepOutcome {
        match AnswerFault::of(error) {
            Some(fault) => GrepOutcome::Dropped(fault.to_string()),
            None => GrepOutcome::Lost(self.describe_error(error)),
        }
    }

    /// Describes for users why a member is lost. Older members close the connection if a request
    /// is too long for them.
    pub(super) fn describe_error(&self, error: &io::Error) -> String {
        let text = describe_error(error);
        match self.encoded.len() {
            bytes if bytes > OLDER_REQUEST_BYTES => format!(
                "{text}; the patterns are long, and an older memberd takes 64 KiB of them at most"
            ),
            _ => text,
        }
    }

    /// Sends the client a reply.
    ///
    /// # Errors
    /// When the client has disconnected.
    pub(super) async fn send(&self, reply: Reply) -> io::Result<()> {
        self.replies.send(reply).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Sends the client a notice about the group.
    pub(super) async fn notify(&self, text: String) {
        // If the client has disconnected, the grep ends soon.
        let _ = self.send(Reply::GrepNotice(text)).await;
    }

    /// Sends the client how a member's search went.
    pub(super) async fn report(&self, member: &Name, outcome: GrepOutcome) {
        self.progress.note_answered();
        if let GrepOutcome::Dropped(fault) = &outcome {
            warn!("{member} {fault}: the rest of its answer to a grep is dropped");
        }
        let outcome = self.with_keeper(member, outcome);
        // The client may have gone.
        let _ = self.send(Reply::GrepMember { member: member.to_string(), outcome }).await;
    }

    /// Says of a search of copies that was lost who was asked for it.
    fn with_keeper(&self, member: &Name, outcome: GrepOutcome) -> GrepOutcome {
        match (outcome, lock(&self.keepers).get(member)) {
            (GrepOutcome::Lost(why), Some(keeper)) => {
                GrepOutcome::Lost(format!("{keeper}, which keeps its logs: {why}"))
            }
            (outcome, _) => outcome,
        }
    }
}

/// The request as other members receive it.
fn encoded(request: &GrepRequest) -> io::Result<Vec<u8>> {
    let mut encoded = Vec::new();
    // On other machines, the client's output would be another file. The order is made here.
    let order = GrepOrder::default();
    let (copies, kept_of) = (false, None);
    let for_members = GrepRequest { output_file: None, order, copies, kept_of, ..request.clone() };
    ciborium::into_writer(&for_members, &mut encoded).map_err(io::Error::other)?;
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::limits::Limits;
    use memberd_search::ExposedFiles;
    use memberd_transport::Seal;

    /// A member that takes only short requests closes the connection on a long one.
    #[test]
    fn a_lost_member_may_be_too_old_for_a_long_list() {
        let described = |patterns: Vec<Vec<u8>>| {
            let caller = Caller {
                address: ([127, 0, 0, 1], 1).into(),
                bind: [127, 0, 0, 1].into(),
                seal: Seal::plain(),
            };
            let offer = ExposedFiles::new::<&str>(&[]).unwrap();
            let searcher = LocalSearcher::new("vm1".to_owned(), offer, Limits::default());
            let mut request = GrepRequest::default();
            request.pattern.patterns = patterns;
            let (replies, _client) = mpsc::channel(1);
            let asker = Asker { caller, user: Source::Anyone };
            let context =
                QueryContext::new(asker, Arc::new(searcher), request, None, replies).unwrap();
            context.describe_error(&io::ErrorKind::ConnectionReset.into())
        };
        let lost = "the connection ended before its search did";
        assert_eq!(described(vec![vec![b'x'; 60_000]]), lost);
        let words = described(vec![vec![b'x'; 100_000]]);
        assert!(words.starts_with(lost) && words.contains("an older memberd takes 64 KiB"));
    }
}

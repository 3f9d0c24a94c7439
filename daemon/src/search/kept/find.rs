//! Finds who keeps the logs of members that are gone. It owns the calls to the members that may.

use super::answer::{KEPT_REPLY_CAP, KeptAnswer, KeptReply, KeptRequest, MOST_NAMES, look};
use super::target::{Keeper, KeptLogs};
use crate::peer::KEPT;
use crate::search::local::LocalSearcher;
use crate::search::member_choice::Missed;
use memberd_control::frame::{HEADER_BYTES, decode, encode};
use memberd_control::grep::GrepCopy;
use memberd_control::name_order::natural;
use memberd_membership::{Identity, Name};
use memberd_transport::{Admission, Alert, Caller, Source};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// How long all answers together may take.
const LIMIT: Duration = Duration::from_secs(2);

/// How long the other answers may take once enough is known.
const LATE: Duration = Duration::from_millis(500);

/// The most members that are asked at once.
const AT_ONCE: usize = 64;

/// The most members that are named.
const MOST_NAMED: usize = 3;

/// What members keep of the logs of those that are missed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The logs that somebody keeps.
    pub(crate) kept: Vec<KeptLogs>,
    /// The members whose logs nobody keeps, as far as is known.
    pub(crate) unkept: Vec<Missed>,
    /// Why that is not known, if it is not: members that may keep them have not answered.
    pub(crate) unknown: Option<String>,
}

/// Asks these members what they keep of the logs of those that are `missed`. Older members refuse
/// the question, and keep nothing.
pub(crate) async fn find(
    caller: &Caller,
    searcher: &Arc<LocalSearcher>,
    missed: Vec<Missed>,
    may_keep: Vec<Identity>,
    user: Source,
) -> io::Result<Found> {
    let members = missed.iter().take(MOST_NAMES).map(|missed| missed.name.to_string()).collect();
    let request = KeptRequest { members };
    let encoded = Arc::new(encode(&request).map_err(io::Error::other)?.split_off(HEADER_BYTES));
    let places = Admission::unanswered("members asked for copies", AT_ONCE);
    let mut answers = Answers::new(missed, &may_keep);
    let mut asked = JoinSet::new();
    for member in may_keep {
        if member.address == caller.address {
            let (searcher, names) = (Arc::clone(searcher), request.members.clone());
            asked.spawn(async move {
                let reply = look(&searcher, names, user).await;
                (member, reply)
            });
            continue;
        }
        let (caller, encoded, places) = (caller.clone(), Arc::clone(&encoded), places.clone());
        asked.spawn(async move {
            let _place = places.enter().await;
            let answered = caller.call(member.address, KEPT, &encoded, KEPT_REPLY_CAP, LIMIT).await;
            (member, read(answered))
        });
    }
    let mut limit = Instant::now() + LIMIT;
    while let Ok(Some(answered)) = timeout_at(limit, asked.join_next()).await {
        let Ok((member, Ok(reply))) = answered else { continue };
        answers.add(&member, reply);
        if answers.is_enough() {
            limit = limit.min(Instant::now() + LATE);
        }
    }
    Ok(answers.end())
}

/// A member's reply. One from before the copies does not know the question.
fn read(answered: io::Result<Vec<u8>>) -> io::Result<KeptReply> {
    match answered {
        Ok(bytes) => decode(&bytes).map_err(io::Error::other),
        Err(error) if is_too_old(&error) => Ok(KeptReply { off: true, ..KeptReply::default() }),
        Err(error) => Err(error),
    }
}

fn is_too_old(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref()) == Some(&Alert::Version)
}

/// The answers so far.
struct Answers {
    missed: Vec<Missed>,
    asked: usize,
    /// Those that have not answered.
    silent: BTreeSet<Name>,
    /// Nobody keeps copies of any logs, as far as is known.
    all_off: bool,
    found: HashMap<String, Vec<(Identity, KeptAnswer)>>,
}

impl Answers {
    fn new(missed: Vec<Missed>, may_keep: &[Identity]) -> Self {
        let silent: BTreeSet<Name> = may_keep.iter().map(|member| member.name.clone()).collect();
        Answers { missed, asked: silent.len(), silent, all_off: true, found: HashMap::new() }
    }

    fn add(&mut self, member: &Identity, reply: KeptReply) {
        self.silent.remove(&member.name);
        self.all_off &= reply.off;
        for answer in reply.kept {
            self.found.entry(answer.member.clone()).or_default().push((member.clone(), answer));
        }
    }

    /// Whether what is still to come hardly matters: each copy goes to the end already, or most
    /// have answered, and none of them keeps any copies.
    fn is_enough(&self) -> bool {
        let is_found = |missed: &Missed| {
            let answers = self.found.get(missed.name.as_str()).map_or(&[][..], Vec::as_slice);
            answers.iter().any(|(_, answer)| lag(missed, answer) == Lag::default())
        };
        self.is_off() || self.missed.iter().all(is_found)
    }

    /// Whether the group keeps no copies. Then those that have not answered do not, either.
    fn is_off(&self) -> bool {
        self.all_off && self.silent.len() * 2 < self.asked
    }

    fn end(mut self) -> Found {
        let silent = if self.is_off() { BTreeSet::new() } else { self.silent };
        let mut all = Found::default();
        for missed in self.missed {
            match self.found.remove(missed.name.as_str()) {
                Some(answers) => all.kept.push(of(missed, answers)),
                None => all.unkept.push(missed),
            }
        }
        all.unknown = (!all.unkept.is_empty()).then(|| unknown(&silent)).flatten();
        all
    }
}

/// Says that these members have not answered.
fn unknown(silent: &BTreeSet<Name>) -> Option<String> {
    let mut names: Vec<&str> = silent.iter().map(Name::as_str).collect();
    names.sort_by(|one, other| natural(one, other));
    let more = names.len().saturating_sub(MOST_NAMED);
    names.truncate(MOST_NAMED);
    let others = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let names = names.join(", ");
    (!names.is_empty()).then(|| {
        format!("it is gone, and {names}{others}, which may keep its logs, did not answer")
    })
}

/// How much less than the whole a copy is: the least is the best.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Lag {
    /// A copy that is being filled has new blocks, and not all that was before them.
    is_behind: bool,
    /// How long before its member was last heard it ends, as multiples of what counts as whole.
    late: u64,
    /// Whether something of it cannot be read.
    is_damaged: bool,
}

fn lag(missed: &Missed, answer: &KeptAnswer) -> Lag {
    Lag {
        is_behind: answer.is_behind,
        late: behind_ms(missed, answer).saturating_sub(1) / GrepCopy::WHOLE_WITHIN_MS,
        is_damaged: answer.unread > 0,
    }
}

/// The logs of one member. Of its keepers, the one whose copy goes farthest comes first.
fn of(missed: Missed, mut answers: Vec<(Identity, KeptAnswer)>) -> KeptLogs {
    answers.sort_by(|(one, answer), (other, also)| {
        let rank =
            |answer: &KeptAnswer| (lag(&missed, answer), Reverse((answer.read_ms, answer.bytes)));
        let by_name = || natural(one.name.as_str(), other.name.as_str());
        rank(answer).cmp(&rank(also)).then_with(by_name)
    });
    let keepers = answers.into_iter().map(|(member, answer)| {
        let copy = copy(&missed, &member, &answer);
        Keeper { member, copy }
    });
    KeptLogs { keepers: keepers.collect(), missed }
}

/// How long before its member was last heard a copy ends.
fn behind_ms(missed: &Missed, answer: &KeptAnswer) -> u64 {
    missed.heard.saturating_sub(answer.read_ms.max(answer.whole_ms.unwrap_or(0)))
}

/// What the client is told of a copy.
fn copy(missed: &Missed, keeper: &Identity, answer: &KeptAnswer) -> GrepCopy {
    GrepCopy {
        keeper: keeper.name.to_string(),
        since: missed.since,
        left: missed.left,
        behind_ms: (!answer.is_behind).then(|| behind_ms(missed, answer)),
        dropped_bytes: answer.dropped_bytes,
        lost_bytes: answer.lost_bytes,
    }
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;

//! Finds who keeps the logs of members that are gone. It owns the calls to the members that may.

use super::answer::{KEPT_REPLY_CAP, KeptAnswer, KeptReply, KeptRequest, MOST_NAMES, look};
use super::target::{Keeper, KeptLogs};
use crate::peer::KEPT;
use crate::search::local::LocalSearcher;
use crate::search::member_choice::Missed;
use memberd_control::frame::{HEADER_BYTES, decode, encode};
use memberd_control::grep::GrepCopy;
use memberd_control::name_order::natural;
use memberd_membership::Identity;
use memberd_transport::{Admission, Caller, Source};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// How long all answers together may take. Who has not answered keeps nothing.
const LIMIT: Duration = Duration::from_secs(2);

/// The most members that are asked at once.
const AT_ONCE: usize = 64;

/// Asks these members what they keep of the logs of those that are `missed`. Returns the logs that
/// somebody keeps, and the members whose logs nobody keeps. Older members refuse the question, and
/// keep nothing.
pub(crate) async fn find(
    caller: &Caller,
    searcher: &Arc<LocalSearcher>,
    missed: Vec<Missed>,
    may_keep: Vec<Identity>,
    user: Source,
) -> io::Result<(Vec<KeptLogs>, Vec<Missed>)> {
    let members = missed.iter().take(MOST_NAMES).map(|missed| missed.name.to_string()).collect();
    let request = KeptRequest { members };
    let encoded = Arc::new(encode(&request).map_err(io::Error::other)?.split_off(HEADER_BYTES));
    let places = Admission::unanswered("members asked for copies", AT_ONCE);
    let mut asked = JoinSet::new();
    for member in may_keep {
        if member.address == caller.address {
            let (searcher, names) = (Arc::clone(searcher), request.members.clone());
            asked.spawn(async move {
                let kept = look(&searcher, names, user).await;
                (member, KeptReply { kept })
            });
            continue;
        }
        let (caller, encoded, places) = (caller.clone(), Arc::clone(&encoded), places.clone());
        asked.spawn(async move {
            let _place = places.enter().await;
            let answered = caller.call(member.address, KEPT, &encoded, KEPT_REPLY_CAP, LIMIT).await;
            let reply = answered.ok().and_then(|bytes| decode(&bytes).ok());
            (member, reply.unwrap_or_default())
        });
    }
    let mut found: HashMap<String, Vec<(Identity, KeptAnswer)>> = HashMap::new();
    let limit = Instant::now() + LIMIT;
    while let Ok(Some(answered)) = timeout_at(limit, asked.join_next()).await {
        let Ok((member, reply)) = answered else { continue };
        for answer in reply.kept {
            found.entry(answer.member.clone()).or_default().push((member.clone(), answer));
        }
    }
    let (mut kept, mut unkept) = (Vec::new(), Vec::new());
    for missed in missed {
        match found.remove(missed.name.as_str()) {
            Some(answers) => kept.push(of(missed, answers)),
            None => unkept.push(missed),
        }
    }
    Ok((kept, unkept))
}

/// The logs of one member. Of its keepers, the one whose copy goes farthest comes first.
fn of(missed: Missed, mut answers: Vec<(Identity, KeptAnswer)>) -> KeptLogs {
    answers.sort_by(|(one, answer), (other, also)| {
        // A copy that is being filled has new blocks, and not all that was before them.
        let reach =
            |answer: &KeptAnswer| Reverse((!answer.is_behind, answer.read_ms, answer.bytes));
        let by_name = || natural(one.name.as_str(), other.name.as_str());
        reach(answer).cmp(&reach(also)).then_with(by_name)
    });
    let keepers = answers.into_iter().map(|(member, answer)| {
        let copy = copy(&missed, &member, &answer);
        Keeper { member, copy }
    });
    KeptLogs { keepers: keepers.collect(), missed }
}

/// What the client is told of a copy.
fn copy(missed: &Missed, keeper: &Identity, answer: &KeptAnswer) -> GrepCopy {
    let until = answer.read_ms.max(answer.whole_ms.unwrap_or(0));
    GrepCopy {
        keeper: keeper.name.to_string(),
        since: missed.since,
        left: missed.left,
        behind_ms: (!answer.is_behind).then(|| missed.heard.saturating_sub(until)),
        dropped_bytes: answer.dropped_bytes,
        lost_bytes: answer.lost_bytes,
    }
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;

//! Asks members whether they have durable jobs, for the leader: no job waits for one that says no.
//! [`Without`] owns what they said.

use super::calls::call_any;
use super::group::Group;
use crate::files::members::Peers;
use memberd_jobs::{Incarnation, MemberState, Name};
use memberd_transport::{Alert, Caller};
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// The most members that are asked at once.
const MOST: usize = 16;

/// How long a member may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Who did not answer is asked again after this.
const AGAIN: Duration = Duration::from_secs(5);

/// What a member said, and in which stay. None: it did not answer.
type Answer = (Name, Incarnation, Option<bool>);

/// What members said. `streams.jobs` needs a restart, so it holds for a stay.
#[derive(Debug, Default)]
pub(super) struct Without {
    /// As many as the view has at most.
    said: BTreeMap<Name, (Incarnation, bool)>,
    asking: JoinSet<Answer>,
    /// When members are asked that did not answer.
    again: Option<Instant>,
}

impl Without {
    /// Whether a member has said in this stay that it has no jobs.
    pub(super) fn has_none(&self, name: &Name, incarnation: Incarnation) -> bool {
        self.said.get(name) == Some(&(incarnation, false))
    }

    /// Asks whoever has not said it, if this member leads.
    pub(super) fn ask(&mut self, own: &Name, group: &Group, peers: &Peers, caller: &Caller) {
        self.said.retain(|name, _| group.members.iter().any(|state| state.member.name == *name));
        let leads = group.lead.as_ref().is_some_and(|lead| lead.name == *own && lead.is_sure);
        let is_due = self.again.is_none_or(|again| again <= Instant::now());
        if !leads || !is_due || !self.asking.is_empty() {
            return;
        }
        let is_unknown = |state: &&MemberState| {
            let said = self.said.get(&state.member.name).map(|(incarnation, _)| *incarnation);
            state.is_alive && state.member.name != *own && said != Some(state.member.incarnation)
        };
        for state in group.members.iter().filter(is_unknown).take(MOST) {
            let (name, incarnation) = (state.member.name.clone(), state.member.incarnation);
            let Some(address) = peers.get(&name).map(|peer| peer.address) else { continue };
            let caller = caller.clone();
            self.asking.spawn(async move {
                (name, incarnation, has_jobs(&call_any(&caller, address, LIMIT).await))
            });
        }
    }

    /// Waits for the next answer, or until somebody is asked again. It may be dropped at any time.
    pub(super) async fn changed(&mut self) {
        let again = self.again;
        tokio::select! {
            Some(answer) = self.asking.join_next() => self.take(answer.ok()),
            () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {
                self.again = None;
            }
            else => std::future::pending().await,
        }
    }

    fn take(&mut self, answer: Option<Answer>) {
        match answer {
            Some((name, incarnation, Some(has_jobs))) => {
                self.said.insert(name, (incarnation, has_jobs));
            }
            _ => self.again = Some(Instant::now() + AGAIN),
        }
    }
}

/// Whether somebody has jobs who answers so. None: nobody knows.
fn has_jobs(answer: &io::Result<Vec<u8>>) -> Option<bool> {
    match answer {
        Ok(_) => Some(true),
        Err(error) => says_none(error).then_some(false),
    }
}

/// Whether this is the answer of a member that has no jobs: it does not know this kind of question.
pub(super) fn says_none(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref()) == Some(&Alert::Version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_does_not_know_the_question_has_no_jobs() {
        let error = |inner: Alert| Err(io::Error::other(inner));
        assert_eq!(has_jobs(&Ok(Vec::new())), Some(true));
        assert_eq!(has_jobs(&error(Alert::Version)), Some(false));
        assert_eq!(has_jobs(&error(Alert::UnknownKey)), None);
        assert_eq!(has_jobs(&Err(io::ErrorKind::TimedOut.into())), None);
    }

    #[test]
    fn what_a_member_said_holds_for_its_stay() {
        let (mut without, name) = (Without::default(), Name::new("vm4").unwrap());
        let stay = Incarnation;
        without.take(Some((name.clone(), stay(1), Some(false))));
        assert!(without.has_none(&name, stay(1)) && !without.has_none(&name, stay(2)));
        without.take(Some((name.clone(), stay(2), None)));
        assert!(without.again.is_some(), "it is asked again");
        without.take(Some((name.clone(), stay(2), Some(true))));
        assert!(!without.has_none(&name, stay(1)) && !without.has_none(&name, stay(2)));
    }
}

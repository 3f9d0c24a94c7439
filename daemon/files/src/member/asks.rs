//! Questions and changes on their way to the primaries of shares: [`Asks`]. Owns those that have
//! no answer yet, and who was primary last.
//!
//! A message may be lost, and a primary may be another one now. So each is asked again, under the
//! same operation id, keeper by keeper, until one answers or the time is up.

use super::output::FilesMessage;
use crate::catalog::{Answer, Found, Mutation, Query};
use crate::ids::{Epoch, OperationId};
use crate::keeper::Reply;
use crate::path::ShareName;
use crate::view::{FilesView, ShareKeepers};
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// After how long without an answer the next keeper is asked.
const SILENT: Duration = Duration::from_secs(1);
/// The pause after all keepers have said that they are not primary, or one that it is busy.
const PAUSE: Duration = Duration::from_millis(150);
/// From when on a question may be answered by a keeper that is not primary.
const PATIENCE: Duration = Duration::from_secs(3);
/// For so long it is remembered that no primary has answered for that time.
const LOST: Duration = Duration::from_secs(10);
/// How often in a row a keeper's word of who is primary is followed at once.
const MAX_HOPS: u32 = 3;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Change {
        operation: OperationId,
        epoch: Epoch,
        mutation: Mutation,
    },
    Question {
        query: Query,
        /// Whether any keeper's state will do when no primary answers.
        stale: bool,
    },
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// The change's answer.
    Answer(Answer),
    /// What a question found, in which view, and whether that is the newest.
    Found { found: Found, epoch: Epoch, is_newest: bool },
    /// The change did not happen: the primary has this view.
    OldEpoch(Epoch),
    /// The change did not happen: an extent has too few copies by the primary's view.
    TooFewCopies(Epoch),
    /// It exceeds a bound, and did not happen.
    OutOfBounds,
    /// Nobody has answered in time. Whether a change may have happened nevertheless.
    Silence { in_doubt: bool },
    /// There is no such share, or no more.
    NoShare,
}

/// What the member is to do.
#[derive(Debug, Clone)]
pub(super) enum AskOutput<P> {
    /// Send this; perhaps to itself.
    Send(Name, FilesMessage),
    /// The end of what was asked for this purpose.
    Done(P, Asked),
}

#[derive(Debug, Clone)]
struct Ask<P> {
    purpose: P,
    share: ShareName,
    /// Which share of this name.
    added: Epoch,
    what: What,
    began: BootTime,
    until: BootTime,
    /// When the next keeper is asked.
    at: BootTime,
    /// Who is asked, and has not answered.
    to: Option<Name>,
    /// The place of the keeper that is asked next, if nobody is known as primary.
    place: usize,
    hops: u32,
    /// The questions of a change that had no answer which rules it out.
    in_doubt: u32,
}

/// What waits for primaries. `P` is for what each is asked.
#[derive(Debug, Clone)]
pub(super) struct Asks<P> {
    own: Name,
    view: Arc<FilesView>,
    now: BootTime,
    /// It begins at random, so that no answer to an earlier process fits.
    next: u64,
    open: BTreeMap<u64, Ask<P>>,
    primaries: BTreeMap<ShareName, Name>,
    /// When it was last found that no primary answers.
    lost: BTreeMap<ShareName, BootTime>,
    /// Up to which entry this member has seen each catalog: no older state is shown to it.
    seen: BTreeMap<ShareName, (Epoch, u64)>,
    outputs: VecDeque<AskOutput<P>>,
}

impl<P: Clone> Asks<P> {
    /// The most that wait.
    const MAX: usize = 2_048;

    pub(super) fn new(own: Name, first: u64, now: BootTime) -> Self {
        Asks {
            own,
            view: Arc::default(),
            now,
            next: first,
            open: BTreeMap::new(),
            primaries: BTreeMap::new(),
            lost: BTreeMap::new(),
            seen: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Asks, for so long at most.
    pub(super) fn begin(
        &mut self,
        now: BootTime,
        purpose: P,
        share: &ShareName,
        what: What,
        limit: Duration,
    ) {
        self.now = now;
        let Some(of) = self.view.shares.get(share) else {
            self.outputs.push_back(AskOutput::Done(purpose, Asked::NoShare));
            return;
        };
        if self.open.len() >= Self::MAX {
            let silence = Asked::Silence { in_doubt: false };
            self.outputs.push_back(AskOutput::Done(purpose, silence));
            return;
        }
        self.next = self.next.wrapping_add(1);
        let number = self.next;
        let ask = Ask {
            purpose,
            share: share.clone(),
            added: of.added,
            what,
            began: now,
            until: now + limit,
            at: now,
            to: None,
            place: 0,
            hops: 0,
            in_doubt: 0,
        };
        self.open.insert(number, ask);
        self.say(number);
    }

    /// Whether something is asked for a purpose.
    pub(super) fn is_open(&self, is: impl Fn(&P) -> bool) -> bool {
        self.open.values().any(|ask| is(&ask.purpose))
    }

    /// Whether a change may have happened, if it is under way.
    pub(super) fn in_doubt(&self, is: impl Fn(&P) -> bool) -> Option<bool> {
        let ask = self.open.values().find(|ask| is(&ask.purpose))?;
        Some(ask.in_doubt > 0)
    }

    /// Nobody wants to know any more.
    pub(super) fn cancel(&mut self, is: impl Fn(&P) -> bool) {
        self.open.retain(|_, ask| !is(&ask.purpose));
    }

    /// The newest view. Who is no keeper any more is not waited for.
    pub(super) fn handle_view(&mut self, now: BootTime, view: &Arc<FilesView>) {
        self.now = now;
        self.view = view.clone();
        let keeps = |share: &ShareName, name: &Name| {
            view.shares.get(share).is_some_and(|of| of.keepers.contains(name))
        };
        self.primaries.retain(|share, name| keeps(share, name));
        self.lost.clear();
        self.seen.retain(|share, (added, _)| {
            view.shares.get(share).is_some_and(|of| of.added == *added)
        });
        for number in self.open.keys().copied().collect::<Vec<_>>() {
            let Some(ask) = self.open.get(&number) else { continue };
            let is_same = view.shares.get(&ask.share).is_some_and(|of| of.added == ask.added);
            if !is_same {
                self.done(number, Asked::NoShare);
            } else if ask.to.as_ref().is_none_or(|to| !keeps(&ask.share, to)) {
                self.say(number);
            }
        }
    }

    /// A keeper's answer.
    pub(super) fn handle_reply(
        &mut self,
        now: BootTime,
        from: &Name,
        request: u64,
        epoch: Epoch,
        reply: Reply,
    ) {
        self.now = now;
        let Some(ask) = self.open.get_mut(&request) else { return };
        let share = ask.share.clone();
        match reply {
            Reply::Answer { answer, index } => {
                self.note(&share, from, index);
                self.done(request, Asked::Answer(answer));
            }
            Reply::Found { found, index, is_newest } => {
                if is_newest {
                    self.note(&share, from, index);
                }
                self.done(request, Asked::Found { found, epoch, is_newest });
            }
            Reply::NotPrimary { primary } => {
                ask.in_doubt = ask.in_doubt.saturating_sub(1);
                if ask.to.as_ref() == Some(from) {
                    self.follow(request, from, primary);
                }
            }
            Reply::Busy => {
                ask.in_doubt = ask.in_doubt.saturating_sub(1);
                (ask.to, ask.at) = (None, now + PAUSE);
            }
            Reply::Unknown => (ask.to, ask.at) = (None, now + PAUSE),
            Reply::OldEpoch => self.done(request, Asked::OldEpoch(epoch)),
            Reply::TooFewCopies => self.done(request, Asked::TooFewCopies(epoch)),
            Reply::OutOfBounds => self.done(request, Asked::OutOfBounds),
        }
    }

    /// This keeper answers as primary.
    fn note(&mut self, share: &ShareName, primary: &Name, index: u64) {
        self.primaries.insert(share.clone(), primary.clone());
        self.lost.remove(share);
        let Some(added) = self.view.shares.get(share).map(|of| of.added) else { return };
        let seen = self.seen.entry(share.clone()).or_insert((added, 0));
        seen.1 = seen.1.max(index);
    }

    /// This keeper is not primary. It may know who is.
    fn follow(&mut self, number: u64, from: &Name, primary: Option<Name>) {
        let Some(ask) = self.open.get_mut(&number) else { return };
        if self.primaries.get(&ask.share) == Some(from) {
            self.primaries.remove(&ask.share);
        }
        let Some(of) = self.view.shares.get(&ask.share) else { return };
        let named = primary.filter(|name| of.keepers.contains(name) && name != from);
        if let Some(name) = named
            && ask.hops < MAX_HOPS
        {
            ask.hops += 1;
            let place = of.keepers.iter().position(|keeper| *keeper == name);
            ask.place = place.unwrap_or(0);
            self.primaries.insert(ask.share.clone(), name);
            self.say(number);
            return;
        }
        ask.place += 1;
        // After a round of all, or when they name each other again and again: a pause.
        if ask.place.is_multiple_of(of.keepers.len().max(1)) || ask.hops >= MAX_HOPS {
            ask.hops = 0;
            (ask.to, ask.at) = (None, self.now + PAUSE);
        } else {
            self.say(number);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: BootTime) {
        self.now = now;
        let due = self.open.iter().filter(|(_, ask)| ask.due() <= now);
        for number in due.map(|(number, _)| *number).collect::<Vec<_>>() {
            let Some(ask) = self.open.get_mut(&number) else { continue };
            if now >= ask.until {
                let in_doubt = ask.in_doubt > 0;
                self.done(number, Asked::Silence { in_doubt });
                continue;
            }
            if let Some(silent) = ask.to.take() {
                ask.place += 1;
                if self.primaries.get(&ask.share) == Some(&silent) {
                    self.primaries.remove(&ask.share);
                }
            }
            self.say(number);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<BootTime> {
        self.open.values().map(Ask::due).min()
    }

    pub(super) fn poll_output(&mut self) -> Option<AskOutput<P>> {
        self.outputs.pop_front()
    }

    /// Asks the primary as far as it is known, else the keeper whose turn it is.
    fn say(&mut self, request: u64) {
        let now = self.now;
        let Some(ask) = self.open.get_mut(&request) else { return };
        let Some(of) = self.view.shares.get(&ask.share) else { return };
        if now.since(ask.began) >= PATIENCE {
            self.lost.insert(ask.share.clone(), now);
        }
        let lost = self.lost.get(&ask.share).is_some_and(|at| now.since(*at) < LOST);
        let at_least = ask.at_least(lost, &self.seen);
        let known = self.primaries.get(&ask.share).filter(|_| at_least.is_none());
        let Some(to) = known.cloned().or_else(|| ask.turn(of, &self.own, at_least)) else { return };
        let share = ask.share.clone();
        let message = match ask.what.clone() {
            What::Change { operation, epoch, mutation } => {
                ask.in_doubt += 1;
                FilesMessage::Propose { request, share, operation, epoch, mutation }
            }
            What::Question { query, .. } => FilesMessage::Ask { request, share, query, at_least },
        };
        ask.to = Some(to.clone());
        ask.at = now + SILENT;
        self.outputs.push_back(AskOutput::Send(to, message));
    }

    fn done(&mut self, number: u64, result: Asked) {
        if let Some(ask) = self.open.remove(&number) {
            self.outputs.push_back(AskOutput::Done(ask.purpose, result));
        }
    }
}

impl<P> Ask<P> {
    fn due(&self) -> BootTime {
        self.at.min(self.until)
    }

    /// Which state will do, if not only the newest.
    fn at_least(&self, lost: bool, seen: &BTreeMap<ShareName, (Epoch, u64)>) -> Option<u64> {
        match self.what {
            What::Question { stale: true, .. } if lost => {
                Some(seen.get(&self.share).map_or(0, |(_, index)| *index))
            }
            _ => None,
        }
    }

    /// The keeper whose turn it is: for what may be old, first this member itself.
    fn turn(&self, of: &ShareKeepers, own: &Name, at_least: Option<u64>) -> Option<Name> {
        let keepers = &of.keepers;
        let first = keepers.iter().position(|name| name == own && at_least.is_some());
        let place = first.unwrap_or(0) + self.place;
        keepers.get(place % keepers.len().max(1)).cloned()
    }
}

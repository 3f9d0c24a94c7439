//! A client has all copies of a file compared: [`Merging`]. Each holder verifies its copy against
//! its hashes, group by group; what is damaged or missing is fetched again from the others.

use super::Member;
use super::asks::Asked;
use super::clients::Client;
use super::operation::{ClientError, ClientId, Outcome};
use super::output::FilesMessage;
use super::reading::{Paged, Pages};
use crate::catalog::Found;
use crate::content::ExtentRef;
use crate::extent::GROUP_BYTES;
use crate::path::{FilePath, ShareName};
use crate::transfer::{PullOrder, ReadError, ReadOrder, ReadPurpose, Transfer};
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The groups of one copy that are asked for at once.
const WINDOW: usize = 16;
/// After how long a question is asked again, and how often.
const AGAIN: Duration = Duration::from_secs(2);
const MAX_TRIES: u32 = 3;
/// How long a copy may be fetched.
const PULL_LIMIT: Duration = Duration::from_secs(180);

/// A copy that is compared.
#[derive(Debug, Clone)]
struct Copy {
    member: Name,
    /// The next group to ask for.
    next: u64,
    /// The groups asked for, by the numbers of the questions.
    asked: BTreeMap<u64, u64>,
    /// Since when the holder is silent.
    said: BootTime,
    tries: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Verifying,
    /// It is fetched again, since then.
    Fetching(BootTime),
    Whole,
    Lost,
}

/// A file whose copies are compared.
#[derive(Debug, Clone)]
pub(super) struct Merging {
    pub(super) path: FilePath,
    first_request: u64,
    next_request: u64,
    pages: Pages,
    extents: VecDeque<ExtentRef>,
    /// The copies of the first of them.
    copies: Vec<Copy>,
    length: u64,
    least: usize,
    repaired: usize,
    is_looking: bool,
}

impl Merging {
    pub(super) fn due(&self) -> Option<BootTime> {
        let open = self.copies.iter().filter(|copy| copy.is_open());
        open.map(|copy| copy.said + AGAIN).min()
    }
}

impl Copy {
    fn new(member: Name, state: State, now: BootTime) -> Copy {
        let (next, asked, tries) = (0, BTreeMap::new(), 0);
        Copy { member, next, asked, said: now, tries, state }
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::Verifying | State::Fetching(_))
    }
}

impl Member {
    pub(super) fn begin_merge(&mut self, client: ClientId, path: FilePath) {
        let first_request = self.draw();
        let merging = Merging {
            path,
            first_request,
            next_request: first_request,
            pages: Pages::default(),
            extents: VecDeque::new(),
            copies: Vec::new(),
            length: 0,
            least: usize::MAX,
            repaired: 0,
            is_looking: true,
        };
        self.readers.insert(first_request, client);
        self.clients.insert(client, Client::Merge(Box::new(merging)));
        self.look_up(client, 0);
    }

    pub(super) fn on_merge_lookup(&mut self, client: ClientId, asked: Asked) {
        let Some(Client::Merge(merging)) = self.clients.get_mut(&client) else { return };
        let paged = match asked {
            Asked::Found { found: Found::Contents(contents), .. } => merging.pages.add(*contents),
            Asked::Found { found: Found::Refused(refusal), .. } => Err(refusal),
            asked => {
                let error = self.error(client, &asked);
                return self.finish(client, Err(error));
            }
        };
        match paged {
            Ok(Paged::Next(from)) => self.look_up(client, from),
            Ok(Paged::Whole(file)) => {
                merging.is_looking = false;
                merging.length = file.content.length();
                // What lies in the catalog, its keepers make equal by themselves.
                merging.extents = file.content.into_parts().0.into();
                self.go_on_merging(client);
            }
            Err(refusal) => self.finish(client, Err(ClientError::Refused(refusal))),
        }
    }

    /// Asks what is to be asked, and goes on to the next extent when one is done.
    pub(super) fn go_on_merging(&mut self, client: ClientId) {
        let (now, view) = (self.now.boot, self.view.clone());
        loop {
            let Some(Client::Merge(merging)) = self.clients.get_mut(&client) else { return };
            if merging.is_looking {
                return;
            }
            let Some(extent) = merging.extents.front().cloned() else {
                return self.merged(client);
            };
            if merging.copies.is_empty() {
                let state = |name: &Name| match view.members.contains_key(name) {
                    true => State::Verifying,
                    false => State::Lost,
                };
                let members = extent.set.members.iter();
                let copies = members.map(|name| Copy::new(name.clone(), state(name), now));
                merging.copies = copies.collect();
            }
            let mut messages = Vec::new();
            let share = merging.path.share().clone();
            for copy in &mut merging.copies {
                let what = (&share, &extent);
                copy.step(now, &mut merging.next_request, what, &mut messages);
            }
            if merging.copies.iter().all(|copy| !copy.is_open()) {
                let whole = merging.copies.iter().filter(|copy| copy.state == State::Whole);
                merging.least = merging.least.min(whole.count());
                merging.extents.pop_front();
                merging.copies.clear();
                continue;
            }
            for (to, transfer) in messages {
                self.send(to, FilesMessage::Transfer(transfer));
            }
            return;
        }
    }

    fn merged(&mut self, client: ClientId) {
        let Some(Client::Merge(merging)) = self.clients.get(&client) else { return };
        let of = self.view.shares.get(merging.path.share());
        let keepers = of.map_or(0, |of| of.keepers.len());
        // What lies in the catalog has as many copies as that.
        let copies = if merging.least == usize::MAX { keepers } else { merging.least };
        let (length, repaired) = (merging.length, merging.repaired);
        self.readers.remove(&merging.first_request);
        self.finish(client, Ok(Outcome::Merged { length, copies, repaired }));
    }

    /// A holder says something that may be about a copy that is compared.
    pub(super) fn tell_merges(&mut self, from: &Name, transfer: &Transfer) {
        let merges = self.clients.iter().filter(|(_, one)| matches!(one, Client::Merge(_)));
        for client in merges.map(|(client, _)| *client).collect::<Vec<_>>() {
            let Some(Client::Merge(merging)) = self.clients.get_mut(&client) else { continue };
            let Some(extent) = merging.extents.front() else { continue };
            let copy = merging.copies.iter_mut().find(|copy| copy.member == *from);
            let Some(copy) = copy else { continue };
            let was = copy.state;
            copy.hear(self.now.boot, extent, transfer);
            let is_repaired = matches!(was, State::Fetching(_)) && copy.state == State::Whole;
            merging.repaired += usize::from(is_repaired);
            self.go_on_merging(client);
        }
    }
}

impl Copy {
    /// Asks for what is to be asked now.
    fn step(
        &mut self,
        now: BootTime,
        next_request: &mut u64,
        (share, extent): (&ShareName, &ExtentRef),
        messages: &mut Vec<(Name, Transfer)>,
    ) {
        let is_silent = now.since(self.said) >= AGAIN;
        match self.state {
            State::Whole | State::Lost => {}
            State::Fetching(since) if now.since(since) >= PULL_LIMIT => self.state = State::Lost,
            State::Fetching(_) => {
                if is_silent || self.tries == 0 {
                    (self.tries, self.said) = (1, now);
                    messages.push((self.member.clone(), self.pull(share, extent)));
                }
            }
            State::Verifying => {
                if is_silent {
                    self.tries += 1;
                    if self.tries > MAX_TRIES {
                        self.state = State::Lost;
                        return;
                    }
                    self.said = now;
                    // From the first that has no answer on.
                    self.next = self.asked.values().min().copied().unwrap_or(self.next);
                    self.asked.clear();
                }
                let groups = extent.length.div_ceil(GROUP_BYTES);
                while self.asked.len() < WINDOW && self.next < groups {
                    *next_request += 1;
                    let (request, purpose) = (*next_request, ReadPurpose::Client);
                    let offset = self.next * GROUP_BYTES;
                    let (extent, bytes) = (extent.id, 1);
                    let order = ReadOrder { request, extent, offset, bytes, purpose };
                    messages.push((self.member.clone(), Transfer::Read(order)));
                    self.asked.insert(request, self.next);
                    self.next += 1;
                }
                if self.asked.is_empty() && self.next >= groups {
                    self.state = State::Whole;
                }
            }
        }
    }

    fn pull(&self, share: &ShareName, extent: &ExtentRef) -> Transfer {
        let others = extent.set.members.iter().filter(|name| **name != self.member);
        Transfer::Pull(PullOrder {
            extent: extent.id,
            share: share.clone(),
            length: extent.length,
            root: extent.root,
            from: others.cloned().collect(),
            urgent: true,
        })
    }

    fn hear(&mut self, now: BootTime, of: &ExtentRef, transfer: &Transfer) {
        match transfer {
            // What is busy is asked again after a while.
            Transfer::Data { bytes: Err(ReadError::Busy), .. } => {}
            Transfer::Data { request, bytes } => {
                let Some(_) = self.asked.remove(request) else { return };
                (self.said, self.tries) = (now, 0);
                if let Err(ReadError::Unknown | ReadError::Bad) = bytes {
                    self.asked.clear();
                    self.state = State::Fetching(now);
                }
            }
            Transfer::Sealed { extent, length, root }
                if *extent == of.id && matches!(self.state, State::Fetching(_)) =>
            {
                let is_it = (*length, *root) == (of.length, of.root);
                self.state = if is_it { State::Whole } else { State::Lost };
            }
            Transfer::Refused { extent, .. }
                if *extent == of.id && matches!(self.state, State::Fetching(_)) =>
            {
                self.state = State::Lost;
            }
            _ => {}
        }
    }
}

//! The operations of clients: how they begin, what their owner hands in, and how they end. Owns
//! what a client waits for: [`Client`].

use super::Member;
use super::asks::{Asked, What};
use super::jobs::JobFor;
use super::merging::Merging;
use super::operation::{ClientError, ClientId, Operation, Outcome, StoredPage};
use super::output::MemberOutput;
use super::parts::Purpose;
use super::reading::Reading;
use super::writing::Writing;
use crate::catalog::{Answer, Found, Mutation};
use crate::ids::{Epoch, ExtentId, OperationId};
use crate::path::ShareName;
use crate::placement::Hints;
use crate::store::{Done, Job, Refused};
use crate::transfer::Transfer;
use crate::view::FilesView;
use memberd_council::{BootTime, Now};
use memberd_membership::Name;
use std::sync::Arc;
use std::time::Duration;

/// How long a client's change waits for its answer.
pub(super) const CHANGE_LIMIT: Duration = Duration::from_secs(50);
/// How long an operation waits for the first view after the start.
const VIEW_LIMIT: Duration = Duration::from_secs(15);
/// How long a client's question waits.
pub(super) const QUESTION_LIMIT: Duration = Duration::from_secs(20);
/// The most extents of one page of what lies here.
const MAX_STORED: usize = 1_000;

/// What a client waits for.
#[derive(Debug, Clone)]
pub(super) enum Client {
    /// The first view. Then it begins.
    View(Box<Early>),
    /// The answer of a primary.
    Ask(ShareName),
    /// The store's list.
    Stored,
    Write(Box<Writing>),
    Read(Box<Reading>),
    Merge(Box<Merging>),
}

/// An operation that came before the first view.
#[derive(Debug, Clone)]
pub(super) struct Early {
    operation: Operation,
    since: BootTime,
    has_ended: bool,
}

impl Client {
    pub(super) fn due(&self) -> Option<BootTime> {
        match self {
            Client::View(early) => Some(early.since + VIEW_LIMIT),
            Client::Ask(_) | Client::Stored => None,
            Client::Write(writing) => writing.due(),
            Client::Read(reading) => reading.reader.poll_timeout(),
            Client::Merge(merging) => merging.due(),
        }
    }
}

impl Member {
    /// A client begins an operation. [`MemberOutput::Done`] ends it, unless it is cancelled.
    pub fn begin(&mut self, now: Now, client: ClientId, operation: Operation) {
        self.now = now;
        if self.clients.len() >= Self::MAX_CLIENTS || self.clients.contains_key(&client) {
            let result = Err(ClientError::Busy);
            self.outputs.push_back(MemberOutput::Done { client, result });
            return;
        }
        if self.view.epoch == Epoch::NONE && !matches!(operation, Operation::Stored(_)) {
            let early = Early { operation, since: now.boot, has_ended: false };
            self.clients.insert(client, Client::View(Box::new(early)));
            return;
        }
        self.start(client, operation);
        self.run();
    }

    fn start(&mut self, client: ClientId, operation: Operation) {
        match operation {
            Operation::Ask { share, query, stale } => {
                self.clients.insert(client, Client::Ask(share.clone()));
                let what = What::Question { query, stale };
                self.ask(Purpose::Answer(client), &share, what, QUESTION_LIMIT);
            }
            Operation::Change { share, operation, mutation } => {
                self.begin_change(client, &share, operation, mutation);
            }
            Operation::Write(write) => self.begin_write(client, write),
            Operation::Read { path, offset, limit } => {
                self.begin_read(client, path, offset, limit);
            }
            Operation::Merge { path } => self.begin_merge(client, path),
            Operation::Stored(page) => self.begin_stored(client, page),
        }
    }

    /// The first view has come.
    pub(super) fn start_early(&mut self) {
        let is_early = |client: &Client| matches!(client, Client::View(_));
        let early = self.clients.iter().filter(|(_, client)| is_early(client));
        for client in early.map(|(client, _)| *client).collect::<Vec<_>>() {
            let Some(Client::View(early)) = self.clients.remove(&client) else { continue };
            self.start(client, early.operation);
            if early.has_ended {
                self.end_write(client);
            }
        }
    }

    /// How many bytes [`Member::push`] takes now. It may grow with each input.
    #[must_use]
    pub fn room(&self, client: ClientId) -> usize {
        match self.clients.get(&client) {
            Some(Client::Write(writing)) => writing.room(),
            _ => 0,
        }
    }

    /// The next bytes of a [`Operation::Write`], at most [`Member::room`].
    pub fn push(&mut self, now: Now, client: ClientId, bytes: &[u8]) {
        self.now = now;
        if let Some(Client::Write(writing)) = self.clients.get_mut(&client) {
            writing.push(now.boot, bytes);
            self.go_on_writing(client);
            self.run();
        }
    }

    /// A write has no more bytes.
    pub fn end(&mut self, now: Now, client: ClientId) {
        self.now = now;
        self.end_write(client);
        self.run();
    }

    fn end_write(&mut self, client: ClientId) {
        match self.clients.get_mut(&client) {
            Some(Client::View(early)) => early.has_ended = true,
            Some(Client::Write(writing)) => {
                writing.end(self.now.boot);
                self.go_on_writing(client);
            }
            _ => {}
        }
    }

    /// A piece of a read is on its way to the client.
    pub fn taken(&mut self, now: Now, client: ClientId) {
        self.now = now;
        if let Some(Client::Read(reading)) = self.clients.get_mut(&client) {
            reading.reader.taken(now.boot);
            self.drain_reader(client);
            self.run();
        }
    }

    /// The client has gone: nothing more comes for it. What it changed may happen nevertheless.
    pub fn cancel(&mut self, now: Now, client: ClientId) {
        self.now = now;
        if let Some(Client::Write(writing)) = self.clients.get_mut(&client) {
            writing.cancel();
            self.go_on_writing(client);
        }
        self.forget(client);
        self.run();
    }

    /// Whatever waits for a client goes.
    fn forget(&mut self, client: ClientId) -> bool {
        if let Some(Client::Read(reading)) = self.clients.get(&client) {
            self.readers.remove(&reading.first_request);
        }
        self.asks.cancel(|purpose| match purpose {
            Purpose::Answer(one)
            | Purpose::Change(one)
            | Purpose::Publish(one)
            | Purpose::Lookup(one) => *one == client,
            Purpose::Set(_) | Purpose::SetIs(_) | Purpose::InUse(..) => false,
        });
        self.clients.remove(&client).is_some()
    }

    /// The end of an operation.
    pub(super) fn finish(&mut self, client: ClientId, result: Result<Outcome, ClientError>) {
        if self.forget(client) {
            self.outputs.push_back(MemberOutput::Done { client, result });
        }
    }

    pub(super) fn ask(&mut self, purpose: Purpose, share: &ShareName, what: What, limit: Duration) {
        self.asks.begin(self.now.boot, purpose, share, what, limit);
    }

    fn begin_change(
        &mut self,
        client: ClientId,
        share: &ShareName,
        operation: OperationId,
        mutation: Mutation,
    ) {
        self.clients.insert(client, Client::Ask(share.clone()));
        if !mutation.fits() {
            self.finish(client, Err(ClientError::OutOfBounds));
            return;
        }
        let what = What::Change { operation, epoch: self.view.epoch, mutation };
        self.ask(Purpose::Change(client), share, what, CHANGE_LIMIT);
    }

    fn begin_stored(&mut self, client: ClientId, page: StoredPage) {
        let StoredPage { after, limit } = page;
        self.clients.insert(client, Client::Stored);
        let id = self.jobs.begin(JobFor::Stored(client));
        let job = Job::List { with: None, after, limit: limit.clamp(1, MAX_STORED) };
        self.outputs.push_back(MemberOutput::Job { id, job });
    }

    pub(super) fn on_stored(&mut self, client: ClientId, result: Result<Done, Refused>) {
        let result = match result {
            Ok(Done::Extents(extents)) => Ok(Outcome::Stored(extents)),
            _ => Err(ClientError::StorageFailed),
        };
        self.finish(client, result);
    }

    pub(super) fn on_answer(&mut self, client: ClientId, asked: Asked) {
        let result = match asked {
            Asked::Found { found: Found::Refused(refusal), is_newest: true, .. } => {
                Err(ClientError::Refused(refusal))
            }
            Asked::Found { found, is_newest, .. } if !matches!(found, Found::Refused(_)) => {
                Ok(Outcome::Found { found, is_newest })
            }
            asked => Err(self.error(client, &asked)),
        };
        self.finish(client, result);
    }

    pub(super) fn on_change(&mut self, client: ClientId, asked: Asked) {
        let result = match asked {
            Asked::Answer(Answer::Done(done)) => Ok(Outcome::Changed(done)),
            Asked::Answer(Answer::Refused(refusal)) => Err(ClientError::Refused(refusal)),
            asked => Err(self.error(client, &asked)),
        };
        self.finish(client, result);
    }

    /// What is said of an end that is no answer.
    pub(super) fn error(&self, client: ClientId, asked: &Asked) -> ClientError {
        let share = match self.clients.get(&client) {
            Some(Client::Ask(share)) => Some(share),
            Some(Client::Write(writing)) => Some(writing.share()),
            Some(Client::Read(reading)) => Some(reading.path.share()),
            Some(Client::Merge(merging)) => Some(merging.path.share()),
            Some(Client::Stored | Client::View(_)) | None => None,
        };
        match (asked, share) {
            (Asked::Silence { in_doubt: true }, _) => ClientError::Ambiguous,
            (Asked::NoShare, Some(share)) => ClientError::NoShare(share.clone()),
            (Asked::OutOfBounds, _) => ClientError::OutOfBounds,
            (Asked::TooFewCopies(_), _) => ClientError::TooFew(self.view.copies(3)),
            // What some keeper did not have at some time may be there by now.
            (Asked::Silence { .. } | Asked::Found { is_newest: false, .. }, Some(share)) => {
                let of = self.view.shares.get(share);
                let keepers = of.map(|of| of.keepers.clone()).unwrap_or_default();
                ClientError::Closed { share: share.clone(), keepers }
            }
            _ => ClientError::TooSlow,
        }
    }

    pub(super) fn wake_clients(&mut self) {
        let now = self.now.boot;
        let due = self.clients.iter().filter(|(_, one)| one.due().is_some_and(|due| due <= now));
        for client in due.map(|(client, _)| *client).collect::<Vec<_>>() {
            match self.clients.get_mut(&client) {
                Some(Client::Write(writing)) => {
                    writing.handle_timeout(now);
                    self.go_on_writing(client);
                }
                Some(Client::Read(reading)) => {
                    reading.reader.handle_timeout(now);
                    self.drain_reader(client);
                }
                Some(Client::Merge(_)) => self.go_on_merging(client),
                Some(Client::View(_)) => self.finish(client, Err(ClientError::NoView)),
                Some(Client::Ask(_) | Client::Stored) | None => {}
            }
        }
    }

    pub(super) fn show_clients(&mut self, view: &Arc<FilesView>, hints: &Hints) {
        let now = self.now.boot;
        for client in self.clients.keys().copied().collect::<Vec<_>>() {
            match self.clients.get_mut(&client) {
                Some(Client::Write(writing)) => {
                    writing.handle_view(now, view, hints);
                    self.go_on_writing(client);
                }
                Some(Client::Read(reading)) => {
                    reading.reader.handle_view(now, view.clone(), hints.clone());
                    self.drain_reader(client);
                }
                Some(Client::Merge(_)) => self.go_on_merging(client),
                Some(Client::View(_) | Client::Ask(_) | Client::Stored) | None => {}
            }
        }
    }

    /// A holder says something of an extent that is written here.
    pub(super) fn tell_writers(&mut self, extent: ExtentId, from: &Name, transfer: &Transfer) {
        let now = self.now.boot;
        let has = |client: &Client| matches!(client, Client::Write(one) if one.has(extent));
        let writers = self.clients.iter().filter(|(_, client)| has(client));
        for client in writers.map(|(client, _)| *client).collect::<Vec<_>>() {
            if let Some(Client::Write(writing)) = self.clients.get_mut(&client) {
                writing.handle_message(now, from, transfer);
                self.go_on_writing(client);
            }
        }
    }

    /// A holder answers a read.
    pub(super) fn tell_reader(&mut self, request: u64, from: &Name, transfer: &Transfer) {
        let now = self.now.boot;
        let client = self.readers.range(..=request).next_back().map(|(_, client)| *client);
        let Some(client) = client else { return };
        match self.clients.get_mut(&client) {
            Some(Client::Read(reading)) => {
                reading.reader.handle_message(now, from, transfer);
                self.drain_reader(client);
            }
            Some(Client::Merge(_)) => self.tell_merges(from, transfer),
            _ => {}
        }
    }
}

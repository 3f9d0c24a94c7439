//! A client writes a file, or adds to one: [`Writing`]. Owns what is not published yet.
//!
//! A file's new content goes through one [`Writer`]. An append first looks the file up. What is
//! short goes into the catalog, behind the file's extents and what lies there already. If that gets
//! too long, it becomes extents: the old bytes get one of their own before the new ones. So a file
//! that grows by little has an extent or two for each 16 KiB. Whoever changes it meanwhile makes
//! the catalog refuse, and then only the old bytes are written again.

mod publish;

use super::Member;
use super::asks::{Asked, What};
use super::clients::{CHANGE_LIMIT, Client};
use super::operation::{ClientError, ClientId, Outcome, Write, WriteTo};
use super::output::FilesMessage;
use super::parts::Purpose;
use crate::catalog::{Appended, Done, Found, Mutation, Version};
use crate::content::Content;
use crate::coordinator::{Publish, Writer, WriterError, WriterOutput};
use crate::ids::{Epoch, ExtentId, OperationId};
use crate::path::{FilePath, ShareName};
use crate::placement::Hints;
use crate::settings::ExtentSettings;
use crate::transfer::Transfer;
use crate::view::FilesView;
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::VecDeque;
use std::sync::Arc;

/// The most bytes that are gathered before it is known where they go.
const GATHER_BYTES: usize = 64 << 10;
/// How often an append begins again because others change the file.
const MAX_ATTEMPTS: u64 = 20;
/// How often a primary of the same view may say that there are too few copies.
const MAX_TOO_FEW: u32 = 3;

/// A file to which bytes are added, as it was seen.
#[derive(Debug, Clone)]
struct Seen {
    version: Version,
    /// The bytes that lie in the catalog, behind its extents.
    inline: Vec<u8>,
}

/// What the member is to do.
#[derive(Debug, Clone)]
enum Step {
    Send(Name, Transfer),
    Propose(OperationId, Epoch, Mutation),
    LookUp,
    Done(Result<Done, ClientError>),
}

/// A file that is written.
#[derive(Debug, Clone)]
pub(super) struct Writing {
    write: Write,
    /// Other for each attempt of a client under the same operation id.
    salt: u64,
    settings: ExtentSettings,
    view: Arc<FilesView>,
    hints: Hints,
    /// What came before it was known where it goes.
    gathered: Vec<u8>,
    has_ended: bool,
    file: Option<Seen>,
    /// The copies that the file wants, once they are known.
    copies: Option<usize>,
    writer: Option<Writer>,
    /// Writes the bytes that lie in the catalog.
    prefix: Option<Writer>,
    publish: Option<Publish>,
    prefix_publish: Option<Publish>,
    /// A question or a change is on its way.
    is_asked: bool,
    needs_extent: bool,
    attempts: u64,
    too_few: u32,
    done: Option<Done>,
    is_over: bool,
    steps: VecDeque<Step>,
}

impl Writing {
    fn new(
        (write, salt): (Write, u64),
        settings: &ExtentSettings,
        view: Arc<FilesView>,
        hints: Hints,
        now: BootTime,
    ) -> Writing {
        let mut writing = Writing {
            write,
            salt,
            settings: settings.clone(),
            view,
            hints,
            gathered: Vec::new(),
            has_ended: false,
            file: None,
            copies: None,
            writer: None,
            prefix: None,
            publish: None,
            prefix_publish: None,
            is_asked: false,
            needs_extent: false,
            attempts: 0,
            too_few: 0,
            done: None,
            is_over: false,
            steps: VecDeque::new(),
        };
        match writing.write.to {
            WriteTo::Put { copies, .. } => {
                writing.copies = Some(usize::from(copies));
                writing.writer = Some(writing.new_writer(writing.write.operation, now));
            }
            WriteTo::Append { .. } => writing.look_up(),
        }
        writing
    }

    pub(super) fn path(&self) -> &FilePath {
        &self.write.path
    }

    pub(super) fn share(&self) -> &ShareName {
        self.write.path.share()
    }

    fn new_writer(&self, operation: OperationId, now: BootTime) -> Writer {
        let copies = self.copies.unwrap_or(self.settings.copies);
        let settings = ExtentSettings { copies, ..self.settings.clone() };
        let whose = (operation, self.share().clone());
        let words = match self.write.to {
            WriteTo::Put { .. } => self.path().to_string(),
            WriteTo::Append { .. } => format!("{}, added", self.path()),
        };
        Writer::new(settings, whose, self.view.clone(), self.hints.clone(), now)
            .with_hint(words)
            .with_salt(self.salt)
    }

    fn look_up(&mut self) {
        (self.file, self.is_asked) = (None, true);
        self.steps.push_back(Step::LookUp);
    }

    pub(super) fn room(&self) -> usize {
        match &self.writer {
            Some(writer) => writer.room(),
            None => GATHER_BYTES.saturating_sub(self.gathered.len()),
        }
    }

    pub(super) fn push(&mut self, now: BootTime, bytes: &[u8]) {
        match &mut self.writer {
            Some(writer) => writer.push(now, bytes),
            None if !self.has_ended => self.gathered.extend_from_slice(bytes),
            None => {}
        }
        self.step(now);
    }

    pub(super) fn end(&mut self, now: BootTime) {
        self.has_ended = true;
        if let Some(writer) = &mut self.writer {
            writer.end(now);
        }
        self.step(now);
    }

    /// The client has gone.
    pub(super) fn cancel(&mut self) {
        self.stop();
        self.is_over = true;
    }

    fn stop(&mut self) {
        for writer in self.writer.iter_mut().chain(&mut self.prefix) {
            writer.cancel();
            while let Some(output) = writer.poll_output() {
                if let WriterOutput::Send { to, message } = output {
                    self.steps.push_back(Step::Send(to, message));
                }
            }
        }
    }

    pub(super) fn has(&self, extent: ExtentId) -> bool {
        self.writer.iter().chain(&self.prefix).any(|writer| writer.has(extent))
    }

    pub(super) fn handle_message(&mut self, now: BootTime, from: &Name, transfer: &Transfer) {
        for writer in self.writer.iter_mut().chain(&mut self.prefix) {
            writer.handle_message(now, from, transfer);
        }
        self.step(now);
    }

    pub(super) fn handle_view(&mut self, now: BootTime, view: &Arc<FilesView>, hints: &Hints) {
        self.view = view.clone();
        self.hints = hints.clone();
        for writer in self.writer.iter_mut().chain(&mut self.prefix) {
            writer.handle_view(now, view.clone(), hints.clone());
        }
        self.step(now);
    }

    pub(super) fn handle_timeout(&mut self, now: BootTime) {
        for writer in self.writer.iter_mut().chain(&mut self.prefix) {
            writer.handle_timeout(now);
        }
        self.step(now);
    }

    pub(super) fn due(&self) -> Option<BootTime> {
        let writers = self.writer.iter().chain(&self.prefix);
        writers.filter_map(Writer::poll_timeout).min()
    }

    fn step(&mut self, now: BootTime) {
        if self.is_over {
            return;
        }
        self.place_gathered(now);
        self.drain();
        if !self.is_asked && !self.is_over {
            self.propose(now);
            self.drain();
        }
    }

    fn finish(&mut self, result: Result<Done, ClientError>) {
        if !self.is_over {
            self.is_over = true;
            self.steps.push_back(Step::Done(result));
        }
    }

    /// Decides where the gathered bytes of an append go, as soon as it can be known.
    fn place_gathered(&mut self, now: BootTime) {
        if self.writer.is_some() || self.is_asked || self.copies.is_none() {
            return;
        }
        let length = self.gathered.len();
        let old = self.file.as_ref().map(|file| file.inline.len());
        let fits = old.is_some_and(|old| old + length <= Content::MAX_INLINE);
        if self.has_ended && (length == 0 || fits) && !self.needs_extent {
            let what = Appended::Content(Content::Inline(self.gathered.clone()));
            let mutation = self.append(None, what, 0);
            self.ask(self.view.epoch, mutation);
        } else if self.has_ended || length > Content::MAX_INLINE {
            let mut writer = self.new_writer(self.write.operation, now).with_extents();
            writer.push(now, &std::mem::take(&mut self.gathered));
            if self.has_ended {
                writer.end(now);
            }
            self.writer = Some(writer);
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.writer.as_mut().and_then(Writer::poll_output) {
            match output {
                WriterOutput::Send { to, message } => {
                    self.steps.push_back(Step::Send(to, message));
                }
                WriterOutput::Publish(publish) => self.publish = Some(publish),
                WriterOutput::Done(result) => self.on_written(result.map(drop)),
            }
        }
        while let Some(output) = self.prefix.as_mut().and_then(Writer::poll_output) {
            match output {
                WriterOutput::Send { to, message } => {
                    self.steps.push_back(Step::Send(to, message));
                }
                WriterOutput::Publish(publish) => self.prefix_publish = Some(publish),
                WriterOutput::Done(Err(error)) => self.on_written(Err(error)),
                WriterOutput::Done(Ok(_)) => {}
            }
        }
    }

    fn on_written(&mut self, result: Result<(), WriterError>) {
        let result = match (result, self.done) {
            (Ok(()), Some(done)) => Ok(done),
            (Ok(()), None) | (Err(WriterError::Ambiguous), _) => Err(ClientError::Ambiguous),
            (Err(WriterError::Refused(refusal)), _) => Err(ClientError::Refused(refusal)),
            (Err(WriterError::TooFew(wanted)), _) => Err(ClientError::TooFew(wanted)),
            (Err(WriterError::TooSlow), _) => Err(ClientError::TooSlow),
        };
        self.stop();
        self.finish(result);
    }
}

impl Member {
    pub(super) fn begin_write(&mut self, client: ClientId, write: Write) {
        let (hints, now) = (self.effective_hints(), self.now.boot);
        let (share, view, salt) = (write.path.share().clone(), self.view.clone(), self.draw());
        let writing = Writing::new((write, salt), &self.settings.extents, view, hints, now);
        self.clients.insert(client, Client::Write(Box::new(writing)));
        if self.view.shares.contains_key(&share) {
            self.go_on_writing(client);
        } else {
            self.finish(client, Err(ClientError::NoShare(share)));
        }
    }

    /// Does what a write wants.
    pub(super) fn go_on_writing(&mut self, client: ClientId) {
        while let Some(Client::Write(writing)) = self.clients.get_mut(&client)
            && let Some(step) = writing.steps.pop_front()
        {
            let share = writing.share().clone();
            match step {
                Step::Send(to, message) => self.send(to, FilesMessage::Transfer(message)),
                Step::Propose(operation, epoch, mutation) => {
                    let what = What::Change { operation, epoch, mutation };
                    self.ask(Purpose::Publish(client), &share, what, CHANGE_LIMIT);
                }
                Step::LookUp => self.look_up(client, u64::MAX),
                Step::Done(result) => {
                    let result = match result {
                        Err(ClientError::Ambiguous) => Err(self.doubt(client)),
                        result => result.map(Outcome::Changed),
                    };
                    self.finish(client, result);
                }
            }
        }
    }

    /// The time is up. If every keeper has said that it did nothing, nothing happened.
    fn doubt(&self, client: ClientId) -> ClientError {
        let is_it = |purpose: &Purpose| *purpose == Purpose::Publish(client);
        match (self.asks.in_doubt(is_it), self.clients.get(&client)) {
            (Some(false), Some(Client::Write(writing))) => writing.closed(),
            _ => ClientError::Ambiguous,
        }
    }

    pub(super) fn on_publish(&mut self, client: ClientId, asked: &Asked) {
        let now = self.now.boot;
        if let Some(Client::Write(writing)) = self.clients.get_mut(&client) {
            writing.handle_asked(now, asked);
            self.go_on_writing(client);
        }
    }

    pub(super) fn on_write_lookup(&mut self, client: ClientId, asked: Asked) {
        let now = self.now.boot;
        let found = match asked {
            Asked::Found { found: Found::Contents(contents), .. } => Ok(*contents),
            Asked::Found { found: Found::Refused(refusal), .. } => Err(refusal),
            asked => {
                let error = self.error(client, &asked);
                if let Some(Client::Write(writing)) = self.clients.get_mut(&client) {
                    writing.stop();
                    writing.finish(Err(error));
                }
                self.go_on_writing(client);
                return;
            }
        };
        if let Some(Client::Write(writing)) = self.clients.get_mut(&client) {
            writing.handle_lookup(now, found);
            self.go_on_writing(client);
        }
    }
}

//! A client reads a file: it is looked up page by page, and its bytes come from the holders. Owns
//! the reader and the pages.

use super::Member;
use super::asks::{Asked, What};
use super::clients::{Client, QUESTION_LIMIT};
use super::operation::{ClientError, ClientId, Outcome};
use super::output::MemberOutput;
use super::parts::Purpose;
use crate::catalog::{Contents, Done, Found, Query, Refusal, StatusKind, Version};
use crate::content::{Content, ExtentRef};
use crate::coordinator::{FileContent, Reader, ReaderError, ReaderOutput};
use crate::ids::{Generation, InodeId};
use crate::path::FilePath;

/// What is said of a file before it is found: nobody has this inode.
const NOTHING: Done = Done { inode: InodeId(0), generation: Generation(0), length: 0 };

/// A file that is read.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) path: FilePath,
    pub(super) reader: Reader,
    pub(super) first_request: u64,
    pages: Pages,
    /// Whether all that was looked up was the newest.
    is_newest: bool,
    /// The file that was found first.
    begun: Option<Done>,
}

/// The contents of a file, page by page: all of them of one version.
#[derive(Debug, Clone, Default)]
pub(super) struct Pages {
    version: Option<Version>,
    extents: Vec<ExtentRef>,
    end: u64,
}

/// What a page led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Paged {
    /// The next page begins at this byte.
    Next(u64),
    /// All of it.
    Whole(FileContent),
}

impl Pages {
    /// Adds a page. If the file has changed since the one before, it begins anew.
    pub(super) fn add(&mut self, contents: Contents) -> Result<Paged, Refusal> {
        let Contents { status, content, is_all, starts } = contents;
        let StatusKind::File { generation, .. } = status.kind else {
            return Err(Refusal::IsDirectory);
        };
        let version = Version { inode: status.inode, generation };
        if let content @ Content::Inline(_) = content {
            *self = Pages::default();
            return Ok(Paged::Whole(FileContent { generation, content }));
        }
        let (extents, bytes) = content.into_parts();
        if self.version.is_some_and(|known| known != version) || starts != self.end {
            let is_first = starts == 0;
            *self = Pages::default();
            if !is_first {
                return Ok(Paged::Next(0));
            }
        }
        self.version = Some(version);
        self.end += extents.iter().map(|extent| extent.length).sum::<u64>();
        self.extents.extend(extents);
        if is_all {
            let content = Content::of(std::mem::take(self).extents, bytes);
            Ok(Paged::Whole(FileContent { generation, content }))
        } else {
            Ok(Paged::Next(self.end))
        }
    }
}

impl Member {
    pub(super) fn begin_read(
        &mut self,
        client: ClientId,
        path: FilePath,
        offset: u64,
        limit: Option<u64>,
    ) {
        let (first_request, seed) = (self.draw(), self.draw());
        let (own, view) = (self.own.clone(), self.view.clone());
        let (hints, now) = (self.effective_hints(), self.now.boot);
        let numbers = (seed, first_request);
        let reader = Reader::new(own, (offset, limit), numbers, view, hints, now);
        let pages = Pages::default();
        let (is_newest, begun) = (true, None);
        let reading = Reading { path, reader, first_request, pages, is_newest, begun };
        self.readers.insert(first_request, client);
        self.clients.insert(client, Client::Read(Box::new(reading)));
        self.drain_reader(client);
    }

    /// Does what a reader says.
    pub(super) fn drain_reader(&mut self, client: ClientId) {
        while let Some(Client::Read(reading)) = self.clients.get_mut(&client)
            && let Some(output) = reading.reader.poll_output()
        {
            let (file, is_newest) = (reading.begun.unwrap_or(NOTHING), reading.is_newest);
            match output {
                ReaderOutput::Lookup => {
                    reading.pages = Pages::default();
                    self.look_up(client, 0);
                }
                ReaderOutput::Send { to, message } => self.transfer(to, message),
                ReaderOutput::Length(length) => {
                    let found = MemberOutput::Length { client, file, length, is_newest };
                    self.outputs.push_back(found);
                }
                ReaderOutput::Data(bytes) => {
                    self.outputs.push_back(MemberOutput::Data { client, bytes });
                }
                ReaderOutput::Done(result) => {
                    let outcome = Outcome::Read { generation: file.generation, is_newest };
                    let result = result.map(|()| outcome).map_err(|error| match error {
                        ReaderError::Missing => ClientError::Refused(Refusal::NotFound),
                        ReaderError::Changed => ClientError::Changed,
                        ReaderError::Unreadable { offset } => ClientError::Unreadable(offset),
                    });
                    self.finish(client, result);
                }
            }
        }
    }

    /// Asks for a page of the contents of what a client reads or compares.
    pub(super) fn look_up(&mut self, client: ClientId, from: u64) {
        let (path, stale) = match self.clients.get(&client) {
            Some(Client::Read(reading)) => (reading.path.clone(), true),
            Some(Client::Merge(merging)) => (merging.path.clone(), false),
            Some(Client::Write(writing)) => (writing.path().clone(), false),
            Some(Client::View(_) | Client::Ask(_) | Client::Stored) | None => return,
        };
        let share = path.share().clone();
        let what = What::Question { query: Query::Contents { path, from }, stale };
        self.ask(Purpose::Lookup(client), &share, what, QUESTION_LIMIT);
    }

    pub(super) fn on_lookup(&mut self, client: ClientId, asked: Asked) {
        match self.clients.get(&client) {
            Some(Client::Read(_)) => self.on_read_lookup(client, asked),
            Some(Client::Merge(_)) => self.on_merge_lookup(client, asked),
            Some(Client::Write(_)) => self.on_write_lookup(client, asked),
            Some(Client::View(_) | Client::Ask(_) | Client::Stored) | None => {}
        }
    }

    fn on_read_lookup(&mut self, client: ClientId, asked: Asked) {
        let now = self.now.boot;
        let Some(Client::Read(reading)) = self.clients.get_mut(&client) else { return };
        let is_first = reading.begun.is_none();
        let mut inode = NOTHING.inode;
        let paged = match asked {
            Asked::Found { found: Found::Contents(contents), is_newest, .. } => {
                reading.is_newest &= is_newest || !is_first;
                inode = contents.status.inode;
                reading.pages.add(*contents)
            }
            Asked::Found { found: Found::Refused(refusal), is_newest, .. }
                if is_newest || !is_first =>
            {
                Err(refusal)
            }
            asked if is_first => {
                let error = self.error(client, &asked);
                self.finish(client, Err(error));
                return;
            }
            _ => {
                // The copies that are known are all there is for now.
                reading.reader.handle_lookup(now, None);
                self.drain_reader(client);
                return;
            }
        };
        match paged {
            Ok(Paged::Next(from)) => self.look_up(client, from),
            Ok(Paged::Whole(file)) => {
                let (generation, length) = (file.generation, file.content.length());
                reading.begun.get_or_insert(Done { inode, generation, length });
                reading.reader.handle_lookup(now, Some(file));
                self.drain_reader(client);
            }
            Err(refusal) if is_first => self.finish(client, Err(ClientError::Refused(refusal))),
            Err(_) => {
                reading.reader.handle_lookup(now, None);
                self.drain_reader(client);
            }
        }
    }
}

//! The clients: sessions that do one operation after the other, at any member that runs. An
//! operation without an answer is asked again under the same id, or is given up.

use super::content;
use super::sim::{Happening, World};
use super::{lists, ms, names};
use memberd_files::{ClientError, ClientId, FilePath, Operation, OperationId, Outcome, Version};
use rand::RngExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A file that only grows.
pub struct List {
    pub path: FilePath,
    pub calls: Vec<lists::Call>,
    /// What somebody saw of it.
    pub length: u64,
    pub token: u64,
}

/// A directory whose names are written, renamed and deleted.
pub struct Directory {
    pub calls: Vec<names::Call>,
    /// What somebody saw of it.
    pub seen: names::State,
}

/// What an operation is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    List(usize, usize),
    Names(usize, usize),
    /// A file that is made before all else.
    First,
}

/// An operation under way.
pub struct Doing {
    pub target: Target,
    pub operation: Operation,
    pub bytes: Arc<Vec<u8>>,
    client: Option<(ClientId, usize)>,
    fed: usize,
    got: Vec<u8>,
    length: Option<u64>,
    is_newest: bool,
    since: Duration,
    /// Whether it may have happened already.
    pub is_unsure: bool,
    tries: u32,
}

#[derive(Default)]
pub struct Session {
    pub doing: Option<Doing>,
}

#[derive(Default)]
pub struct Clients {
    pub lists: Vec<List>,
    pub directories: Vec<Directory>,
    pub sessions: Vec<Session>,
    pub versions: BTreeMap<u64, Version>,
    /// Sessions begin nothing after this.
    pub until: Duration,
    pub acknowledged: u64,
    pub reads: u64,
    pub retried: u64,
    pub unsure: u64,
    by_client: BTreeMap<ClientId, usize>,
    next_client: u64,
    pub next_number: u64,
}

impl Doing {
    pub fn new(target: Target, operation: Operation, bytes: Vec<u8>, since: Duration) -> Doing {
        Doing {
            target,
            operation,
            bytes: Arc::new(bytes),
            client: None,
            fed: 0,
            got: Vec::new(),
            length: None,
            is_newest: true,
            since,
            is_unsure: false,
            tries: 0,
        }
    }

    fn is_read(&self) -> bool {
        matches!(self.operation, Operation::Read { .. } | Operation::Ask { .. })
    }
}

impl World {
    /// Sessions work until a moment.
    pub fn clients_until(&mut self, end: Duration) {
        self.clients.until = end;
        for session in 0..self.clients.sessions.len() {
            let after = self.micros(0, 300_000);
            self.at(after, Happening::Session(session));
        }
    }

    pub fn new_operation_id(&mut self) -> OperationId {
        OperationId(self.rng.random())
    }

    /// A session goes on: with an operation that got no answer, or with the next one.
    pub fn session(&mut self, session: usize) {
        let Some(Session { doing }) = self.clients.sessions.get(session) else { return };
        match doing.as_ref().map(|doing| doing.client) {
            Some(Some(_)) => {}
            Some(None) => self.submit(session),
            None if self.now < self.clients.until => {
                let doing = self.draw_operation();
                self.clients.sessions[session].doing = Some(doing);
                self.submit(session);
            }
            None => {}
        }
    }

    /// Hands the operation of a session to some member that runs.
    fn submit(&mut self, session: usize) {
        let can =
            |i: &usize| self.machines[*i].runs() && self.machines[*i].stopped_until <= self.now;
        let up: Vec<usize> = (0..self.machines.len()).filter(can).collect();
        if up.is_empty() {
            return self.at(ms(500), Happening::Session(session));
        }
        let home = session % self.machines.len();
        let is_home = self.rng.random_bool(0.6) && up.contains(&home);
        let at = if is_home { home } else { up[self.rng.random_range(0..up.len())] };
        self.submit_at(session, at);
    }

    pub fn submit_at(&mut self, session: usize, at: usize) {
        self.clients.next_client += 1;
        let client = ClientId(self.clients.next_client);
        let Some(doing) = self.clients.sessions[session].doing.as_mut() else { return };
        doing.client = Some((client, at));
        doing.tries += 1;
        (doing.fed, doing.length) = (0, None);
        doing.got.clear();
        let operation = doing.operation.clone();
        let is_write = matches!(operation, Operation::Write(_));
        self.clients.by_client.insert(client, session);
        self.note(|| format!("session {session} at vm{at}, {client:?}: {operation:?}"));
        self.give(at, |member, now| member.begin(now, client, operation));
        if is_write {
            self.feed(client);
        }
    }

    fn doing(&mut self, client: ClientId) -> Option<&mut Doing> {
        let session = *self.clients.by_client.get(&client)?;
        self.clients.sessions[session].doing.as_mut()
    }

    /// The client hands over what there is room for.
    pub fn feed(&mut self, client: ClientId) {
        let most = self.rng.random_range(10_000..300_000);
        let pause = self.rng.random_range(0..4_000);
        let Some(doing) = self.doing(client) else { return };
        let Some((_, at)) = doing.client else { return };
        let (bytes, fed) = (doing.bytes.clone(), doing.fed);
        let Some(member) = self.machines[at].member.as_ref() else { return };
        let rest = bytes.len() - fed;
        let most = member.room(client).min(rest).min(most);
        if rest == 0 {
            return self.give(at, |member, now| member.end(now, client));
        }
        if most > 0 {
            self.give(at, |member, now| member.push(now, client, &bytes[fed..fed + most]));
        }
        if let Some(doing) = self.doing(client) {
            doing.fed += most;
            let process = self.machines[at].process;
            let after = Duration::from_micros(if most == 0 { 30_000 } else { pause });
            self.at(after, Happening::Feed { at, process, client });
        }
    }

    pub fn client_length(&mut self, client: ClientId, length: u64, is_newest: bool) {
        if let Some(doing) = self.doing(client) {
            doing.length = Some(length);
            doing.is_newest = is_newest;
        }
    }

    pub fn client_data(&mut self, at: usize, client: ClientId, bytes: &[u8]) {
        let most = if self.rng.random_bool(0.02) { 2_000_000 } else { 5_000 };
        let after = self.micros(100, most);
        let process = self.machines[at].process;
        let Some(doing) = self.doing(client) else { return };
        doing.got.extend_from_slice(bytes);
        let is_fine = doing.length.is_some_and(|length| doing.got.len() as u64 <= length);
        if !is_fine {
            return self.break_it(format!("{client:?} gets more than it was told"));
        }
        self.at(after, Happening::Taken { at, process, client });
    }

    /// A machine's process has ended, and with it what clients waited for.
    pub fn clients_lost(&mut self, at: usize) {
        for session in 0..self.clients.sessions.len() {
            let doing = self.clients.sessions[session].doing.as_mut();
            if doing.and_then(|doing| doing.client).is_some_and(|(_, of)| of == at) {
                self.unsure(session);
            }
        }
    }

    pub fn client_done(&mut self, client: ClientId, result: Result<Outcome, ClientError>) {
        let Some(session) = self.clients.by_client.get(&client).copied() else {
            return self.break_it(format!("{client:?} was answered twice, or never asked"));
        };
        self.note(|| format!("session {session}, {client:?}: {result:?}"));
        let Some(doing) = self.clients.sessions[session].doing.as_ref() else { return };
        let took = self.now - doing.since;
        if self.is_calm && took > Duration::from_secs(90) && doing.tries == 1 {
            self.break_it(format!("{client:?} took {took:?}"));
        }
        match result {
            Ok(outcome) => self.succeeded(session, &outcome),
            Err(ClientError::Refused(refusal)) => self.refused(session, refusal),
            // Nothing happened, this time.
            Err(
                error @ (ClientError::TooFew(_)
                | ClientError::TooSlow
                | ClientError::Busy
                | ClientError::OutOfBounds),
            ) => self.not_done(session, &error),
            Err(ClientError::Changed | ClientError::Unreadable(_)) => {
                self.finish(session, None);
            }
            Err(_) => self.unsure(session),
        }
    }

    /// Nobody knows whether it happened: it is asked again, or given up.
    fn unsure(&mut self, session: usize) {
        let again = self.rng.random_bool(0.8) || self.is_calm;
        let Some(doing) = self.clients.sessions[session].doing.as_mut() else { return };
        if let Some((client, _)) = doing.client.take() {
            self.clients.by_client.remove(&client);
        }
        let is_read = doing.is_read();
        doing.is_unsure |= !is_read;
        let again = again && doing.tries < 40 && (!is_read || self.is_calm);
        self.clients.unsure += 1;
        if again {
            self.clients.retried += 1;
            let after = self.micros(50_000, 1_500_000);
            self.at(after, Happening::Session(session));
        } else {
            self.finish(session, None);
        }
    }

    fn not_done(&mut self, session: usize, error: &ClientError) {
        let Some(doing) = self.clients.sessions[session].doing.as_ref() else { return };
        if self.is_calm && doing.tries > 30 {
            self.break_it(format!("in quiet: {error}"));
        } else if doing.is_unsure || self.is_calm {
            self.unsure(session);
        } else {
            self.finish(session, Some(Heard::Not));
        }
    }

    fn succeeded(&mut self, session: usize, outcome: &Outcome) {
        let Some(doing) = self.clients.sessions[session].doing.as_ref() else { return };
        let heard = match outcome {
            Outcome::Changed(done) => {
                self.clients.acknowledged += 1;
                if let (Target::Names(..), Some(found)) = (
                    doing.target,
                    content::records(&doing.bytes).ok().and_then(|all| all.first().copied()),
                ) {
                    let version = Version { inode: done.inode, generation: done.generation };
                    self.clients.versions.insert(found.number, version);
                }
                Heard::Done(done.length)
            }
            Outcome::Read { .. } => {
                if doing.length != Some(doing.got.len() as u64) {
                    let (got, length) = (doing.got.len(), doing.length);
                    return self.break_it(format!("a read of {length:?} bytes ended with {got}"));
                }
                self.clients.reads += 1;
                Heard::Bytes(doing.got.clone(), doing.is_newest)
            }
            Outcome::Found { found, is_newest } => Heard::Found(found.clone(), *is_newest),
            other => return self.break_it(format!("unexpected: {other:?}")),
        };
        self.finish(session, Some(heard));
    }

    fn refused(&mut self, session: usize, refusal: memberd_files::Refusal) {
        self.finish(session, Some(Heard::Refused(refusal)));
    }

    /// The end of an operation, with or without an answer.
    fn finish(&mut self, session: usize, heard: Option<Heard>) {
        let Some(doing) = self.clients.sessions[session].doing.take() else { return };
        if let Some((client, _)) = doing.client {
            self.clients.by_client.remove(&client);
        }
        match doing.target {
            Target::List(list, call) => self.list_heard(list, call, &doing, heard),
            Target::Names(directory, call) => self.names_heard(directory, call, &doing, heard),
            Target::First => {
                if !matches!(heard, Some(Heard::Done(0))) {
                    self.break_it(format!("the first file: {heard:?}"));
                }
            }
        }
        let after = self.micros(20_000, 700_000);
        self.at(after, Happening::Session(session));
    }
}

/// What a client heard.
#[derive(Debug, Clone)]
pub enum Heard {
    Done(u64),
    Bytes(Vec<u8>, bool),
    Found(memberd_files::Found, bool),
    Refused(memberd_files::Refusal),
    /// It did not happen.
    Not,
}

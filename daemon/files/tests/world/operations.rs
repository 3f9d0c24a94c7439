//! What clients do, and what they make of the answers: the histories of lists and names.

use super::clients::{Directory, Doing, Heard, List, Target};
use super::content;
use super::names::{NAMES, When};
use super::sim::World;
use super::{lists, names, path, share};
use memberd_files::{
    FilePath, Found, Mutation, Operation, PutIf, Query, Refusal, RenameHow, Token, Write, WriteTo,
};
use rand::RngExt;
use std::time::Duration;

/// After so many calls a session turns to another directory.
const CALLS: usize = 100;

/// The name of a place in a directory.
pub fn name_path(directory: usize, at: usize) -> FilePath {
    path(&format!("/s/d{directory}/n{at}"))
}

pub fn directory_path(directory: usize) -> FilePath {
    path(&format!("/s/d{directory}"))
}

impl World {
    /// An empty file that will only grow.
    pub fn new_list(&mut self) -> Doing {
        let path = path(&format!("/s/list{}", self.clients.lists.len()));
        let calls = Vec::new();
        self.clients.lists.push(List { path: path.clone(), calls, length: 0, token: 0 });
        let operation = Operation::Write(Write {
            path,
            operation: self.new_operation_id(),
            token: Token(0),
            to: WriteTo::Put { condition: PutIf::Absent, copies: 3, mode: 0o644, parents: true },
        });
        Doing::new(Target::First, operation, Vec::new(), self.now)
    }

    pub fn draw_operation(&mut self) -> Doing {
        if self.rng.random_bool(0.55) { self.draw_list() } else { self.draw_names() }
    }

    fn number(&mut self) -> u64 {
        self.clients.next_number += 1;
        self.clients.next_number
    }

    fn draw_list(&mut self) -> Doing {
        let list = self.rng.random_range(0..self.clients.lists.len());
        let (known, token) = (self.clients.lists[list].length, self.clients.lists[list].token);
        match self.rng.random_range(0..100) {
            0..76 => {
                let only = self.rng.random_bool(0.25).then_some(known);
                let old = self.rng.random_bool(0.1);
                let token = if old { token.saturating_sub(1) } else { token };
                let length = match self.rng.random_range(0..100) {
                    0..70 => self.rng.random_range(16..400),
                    70..90 => self.rng.random_range(400..7_000),
                    90..99 => self.rng.random_range(16_000..70_000),
                    _ => self.rng.random_range(300_000..1_400_000),
                };
                self.append(list, length, only, token)
            }
            76..80 => {
                let token = token + self.rng.random_range(0..2);
                let file = self.clients.lists[list].path.clone();
                self.clients.lists[list].token = token;
                let mutation = Mutation::Fence { path: file, token: Token(token) };
                let operation = self.change(mutation);
                let action = lists::Action::Fence { token };
                self.list_call(list, action, operation, Vec::new())
            }
            _ => self.read_list(list),
        }
    }

    fn append(&mut self, list: usize, length: usize, only: Option<u64>, token: u64) -> Doing {
        let number = self.number();
        let operation = Operation::Write(Write {
            path: self.clients.lists[list].path.clone(),
            operation: self.new_operation_id(),
            token: Token(token),
            to: WriteTo::Append { only: None, length: only },
        });
        let action = lists::Action::Append { number, only, token };
        self.list_call(list, action, operation, content::record(number, length))
    }

    pub fn read_list(&mut self, list: usize) -> Doing {
        let path = self.clients.lists[list].path.clone();
        let operation = Operation::Read { path, offset: 0, limit: None };
        self.list_call(list, lists::Action::Read, operation, Vec::new())
    }

    fn list_call(
        &mut self,
        list: usize,
        action: lists::Action,
        operation: Operation,
        bytes: Vec<u8>,
    ) -> Doing {
        let calls = &mut self.clients.lists[list].calls;
        calls.push(lists::Call { action, since: self.now, until: None });
        Doing::new(Target::List(list, calls.len() - 1), operation, bytes, self.now)
    }

    fn change(&mut self, mutation: Mutation) -> Operation {
        let operation = self.new_operation_id();
        Operation::Change { share: share(), operation, mutation }
    }

    fn draw_names(&mut self) -> Doing {
        let last = self.clients.directories.last();
        if last.is_none_or(|directory| directory.calls.len() >= CALLS) {
            self.clients.directories.push(Directory { calls: Vec::new(), seen: [0; NAMES] });
        }
        let directory = self.clients.directories.len() - 1;
        let at = self.rng.random_range(0..NAMES);
        match self.rng.random_range(0..100) {
            0..35 => self.put(directory, at),
            35..55 => {
                let to = (at + self.rng.random_range(1..NAMES)) % NAMES;
                let overwrites = self.rng.random_bool(0.3);
                let how = match (overwrites, self.rng.random_bool(0.3)) {
                    (true, _) => RenameHow::Overwrite,
                    (false, true) => RenameHow::Plain,
                    (false, false) => RenameHow::Exclusive,
                };
                let (from_path, to_path) = (name_path(directory, at), name_path(directory, to));
                let mutation = Mutation::Rename { from: from_path, to: to_path, how };
                let operation = self.change(mutation);
                let action = names::Action::Rename { from: at, to, overwrites };
                self.names_call(directory, action, operation, Vec::new())
            }
            55..65 => {
                let path = name_path(directory, at);
                let operation =
                    self.change(Mutation::Delete { path, recursive: false, only: None });
                self.names_call(directory, names::Action::Delete { at }, operation, Vec::new())
            }
            65..90 => self.get(directory, at),
            _ => self.list_names(directory),
        }
    }

    fn put(&mut self, directory: usize, at: usize) -> Doing {
        let value = self.number();
        let seen = self.clients.directories[directory].seen[at];
        let version = self.clients.versions.get(&seen).copied();
        let (when, condition) = match (self.rng.random_range(0..4), version) {
            (0, _) => (When::Absent, PutIf::Absent),
            (1, Some(version)) => (When::Is(seen), PutIf::Is(version)),
            _ => (When::Any, PutIf::Any),
        };
        let length = match self.rng.random_range(0..100) {
            0..60 => self.rng.random_range(16..3_000),
            60..70 => self.rng.random_range(16_300..16_500),
            70..97 => self.rng.random_range(17_000..90_000),
            _ => self.rng.random_range(200_000..1_300_000),
        };
        let operation = Operation::Write(Write {
            path: name_path(directory, at),
            operation: self.new_operation_id(),
            token: Token(0),
            to: WriteTo::Put { condition, copies: 3, mode: 0o644, parents: true },
        });
        let action = names::Action::Put { at, value, when };
        self.names_call(directory, action, operation, content::record(value, length))
    }

    pub fn get(&mut self, directory: usize, at: usize) -> Doing {
        let path = name_path(directory, at);
        let operation = Operation::Read { path, offset: 0, limit: None };
        self.names_call(directory, names::Action::Get { at }, operation, Vec::new())
    }

    pub fn list_names(&mut self, directory: usize) -> Doing {
        let path = directory_path(directory);
        let query = Query::List { path, after: None, limit: 100 };
        let operation = Operation::Ask { share: share(), query, stale: false };
        self.names_call(directory, names::Action::List, operation, Vec::new())
    }

    fn names_call(
        &mut self,
        directory: usize,
        action: names::Action,
        operation: Operation,
        bytes: Vec<u8>,
    ) -> Doing {
        let calls = &mut self.clients.directories[directory].calls;
        calls.push(names::Call { action, since: self.now, until: None });
        Doing::new(Target::Names(directory, calls.len() - 1), operation, bytes, self.now)
    }

    pub fn list_heard(&mut self, list: usize, call: usize, doing: &Doing, heard: Option<Heard>) {
        let until = self.now;
        let file = &mut self.clients.lists[list];
        let answer = match heard {
            None => return,
            Some(Heard::Done(length)) => {
                file.length = length;
                lists::Heard::Length(length)
            }
            Some(Heard::Refused(Refusal::Fenced(_))) => lists::Heard::Fenced,
            Some(Heard::Refused(Refusal::LengthIs(length))) => {
                file.length = length;
                lists::Heard::LengthIs(length)
            }
            Some(Heard::Not) => lists::Heard::Not,
            Some(Heard::Bytes(bytes, is_newest)) => {
                let found = match content::records(&bytes) {
                    Ok(found) => found,
                    Err(at) => {
                        let length = bytes.len();
                        let path = file.path.clone();
                        return self.break_it(format!("no record at {at} of {length} in {path}"));
                    }
                };
                self.last_read.clone_from(&bytes);
                if is_newest {
                    file.length = bytes.len() as u64;
                } else {
                    // It may be of any time.
                    file.calls[call].since = Duration::ZERO;
                }
                let seen = found.iter().map(|one| one.number).collect();
                let end = if is_newest { until } else { Duration::MAX };
                file.calls[call].until = Some((end, lists::Heard::Records(seen)));
                return;
            }
            Some(other) => {
                let operation = &doing.operation;
                return self.break_it(format!("{operation:?} was answered {other:?}"));
            }
        };
        file.calls[call].until = Some((until, answer));
    }

    pub fn names_heard(
        &mut self,
        directory: usize,
        call: usize,
        doing: &Doing,
        heard: Option<Heard>,
    ) {
        let Some(heard) = heard else { return };
        let action = self.clients.directories[directory].calls[call].action;
        let answer = match (action, heard) {
            (_, Heard::Not) => {
                // It never happened, so it is as if nobody had asked.
                self.clients.directories[directory].calls[call].since = Duration::MAX;
                return;
            }
            (_, Heard::Done(_)) => names::Heard::Done,
            (names::Action::Get { .. }, Heard::Bytes(bytes, is_newest)) => {
                let found = content::records(&bytes).ok().filter(|found| found.len() == 1);
                let Some(found) = found else {
                    let (operation, length) = (&doing.operation, bytes.len());
                    return self.break_it(format!("{operation:?}: {length} bytes are no content"));
                };
                if !is_newest {
                    return;
                }
                names::Heard::Saw(found[0].number)
            }
            (names::Action::Get { .. }, Heard::Refused(Refusal::NotFound)) => names::Heard::Saw(0),
            (names::Action::List, Heard::Found(_, false)) => return,
            (names::Action::List, Heard::Found(Found::Refused(Refusal::NotFound), _)) => {
                names::Heard::SawNames([false; NAMES])
            }
            (names::Action::List, Heard::Found(Found::Listing(listing), _)) => {
                let has =
                    |at: usize| listing.entries.iter().any(|one| *one.name == *format!("n{at}"));
                names::Heard::SawNames(std::array::from_fn(has))
            }
            (names::Action::List, Heard::Refused(Refusal::NotFound)) => {
                names::Heard::SawNames([false; NAMES])
            }
            (
                names::Action::Put { when: When::Is(_), .. },
                Heard::Refused(Refusal::NotFound | Refusal::Changed(_)),
            ) => names::Heard::Changed,
            (_, Heard::Refused(Refusal::NotFound)) => names::Heard::NotFound,
            (_, Heard::Refused(Refusal::Exists)) => names::Heard::Exists,
            (_, other) => {
                let operation = &doing.operation;
                return self.break_it(format!("{operation:?} was answered {other:?}"));
            }
        };
        self.remember(directory, action, answer);
        let calls = &mut self.clients.directories[directory].calls;
        calls[call].until = Some((self.now, answer));
    }

    /// What the clients take for the newest.
    fn remember(&mut self, directory: usize, action: names::Action, answer: names::Heard) {
        let seen = &mut self.clients.directories[directory].seen;
        match (action, answer) {
            (names::Action::Put { at, value, .. }, names::Heard::Done) => seen[at] = value,
            (names::Action::Get { at }, names::Heard::Saw(value)) => seen[at] = value,
            (names::Action::Rename { from, to, .. }, names::Heard::Done) => {
                seen[to] = std::mem::take(&mut seen[from]);
            }
            _ => {}
        }
    }
}

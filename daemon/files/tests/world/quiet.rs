//! After faults comes quiet: all must be whole again, equal, and as the histories say.

use super::clients::Target;
use super::names::NAMES;
use super::sim::World;
use super::{SECOND, lists, ms, name, names, share};
use memberd_files::{Catalog, ExtentRef, KeeperRole};
use rand::RngExt;
use std::collections::BTreeSet;

impl World {
    /// What is not yet as it is to be, if anything.
    pub fn unrest(&self) -> Option<String> {
        let view = self.views.newest();
        for i in 0..self.machines.len() {
            if !view.members.contains_key(&name(i)) {
                return Some(format!("vm{i} is no member"));
            }
            if self.machines[i].shown != view.epoch {
                return Some(format!("vm{i} does not know the view"));
            }
        }
        self.unrest_of_keepers().or_else(|| self.unrest_of_extents())
    }

    fn unrest_of_keepers(&self) -> Option<String> {
        let keepers = self.views.keepers(&share());
        let statuses: Vec<_> = keepers
            .iter()
            .map(|i| {
                let member = self.machines[*i].member.as_ref();
                let keeper = member.and_then(|member| member.keeper(&share()));
                (*i, keeper.map(|keeper| (keeper.status(), keeper.catalog().map(Catalog::applied))))
            })
            .collect();
        let primaries = statuses.iter().filter(|(_, one)| {
            one.as_ref().is_some_and(|(status, _)| status.role == KeeperRole::Primary)
        });
        let applied = Some(self.truth.catalog.applied());
        let level =
            statuses.iter().all(|(_, one)| one.as_ref().is_some_and(|(_, own)| *own == applied));
        let whole = self.views.whole(&share()).len() == keepers.len();
        let is_fine = primaries.count() == 1 && level && whole;
        (!is_fine).then(|| {
            let whole = self.views.whole(&share());
            format!("keepers {keepers:?}, {whole:?} whole, {applied:?}: {statuses:?}")
        })
    }

    /// The extents of all files of which clients know.
    fn extents(&self) -> Vec<ExtentRef> {
        let mut found = Vec::new();
        let mut paths: Vec<_> = self.clients.lists.iter().map(|list| list.path.clone()).collect();
        for directory in 0..self.clients.directories.len() {
            paths.extend((0..NAMES).map(|at| super::operations::name_path(directory, at)));
        }
        for path in paths {
            if let Ok(contents) = self.truth.catalog.contents(&path, 0) {
                found.extend_from_slice(contents.content.extents());
            }
        }
        found
    }

    fn unrest_of_extents(&self) -> Option<String> {
        let wanted = 3.min(self.views.newest().members.len());
        for extent in self.extents() {
            let intact = self.intact(extent.id);
            let set: BTreeSet<usize> =
                super::machine::indices(&extent.set.members).into_iter().collect();
            let equal = set.iter().all(|i| {
                self.machines[*i].facts.sealed.get(&extent.id)
                    == Some(&(extent.length, extent.root))
            });
            if set.len() != wanted || !equal || set.iter().any(|i| !intact.contains(i)) {
                return Some(format!("{extent:?} is intact on {intact:?}"));
            }
        }
        None
    }

    /// Waits until all is whole, and looks at all that clients saw.
    pub fn settle(&mut self) {
        self.calm();
        self.run_until(100 * SECOND, World::are_clients_done);
        if let Some(session) = self.clients.sessions.iter().find(|one| one.doing.is_some()) {
            let operation = session.doing.as_ref().map(|doing| doing.operation.clone());
            let unrest = self.unrest();
            return self.break_it(format!("in quiet, without an end: {operation:?}; {unrest:?}"));
        }
        self.scrub();
        let is_whole = self.run_until(1_800 * SECOND, |world| world.unrest().is_none());
        if !is_whole && !self.becomes_whole_in_a_day() {
            let unrest = self.unrest();
            return self.break_it(format!("after quiet not whole: {unrest:?}"));
        }
        self.check_images();
        self.check_histories();
        self.check_traffic();
        self.was_whole = true;
        self.is_calm = false;
    }

    /// Who repaired an extent, and the new holder, may both have lost their disks before they told
    /// anybody of the set. Then there are copies enough, but not all where the catalog says, until
    /// one of the others has asked it, as each does daily.
    fn becomes_whole_in_a_day(&mut self) -> bool {
        let wanted = 3.min(self.views.newest().members.len());
        let is_enough = self.extents().iter().all(|extent| self.intact(extent.id).len() >= wanted);
        if !is_enough || self.unrest_of_keepers().is_some() {
            return false;
        }
        self.is_long = true;
        let is_whole = self.run_until(26 * 3_600 * SECOND, |world| world.unrest().is_none());
        self.is_long = false;
        is_whole
    }

    pub fn are_clients_done(&self) -> bool {
        self.clients.sessions.iter().all(|session| session.doing.is_none())
    }

    /// Repair copies what was lost, and little more.
    fn check_traffic(&mut self) {
        let (repaired, lost) = (self.repaired_bytes, self.lost_bytes);
        if repaired > 2 * lost + (4 << 20) {
            self.break_it(format!("{repaired} bytes were copied for {lost} that were lost"));
        }
        (self.repaired_bytes, self.lost_bytes) = (0, 0);
    }

    /// A machine restarts in quiet: nothing is copied, and after a while hardly anything is said.
    pub fn restart_in_quiet(&mut self) {
        self.is_calm = true;
        // What was given up is copied again as well, until its holders have asked.
        self.run(150 * SECOND);
        self.repaired_bytes = 0;
        let at = self.rng.random_range(0..self.machines.len());
        let power = self.rng.random_bool(0.5);
        self.crash(at, power);
        let away = self.rng.random_range(1..15);
        self.run(away * SECOND);
        self.start(at);
        if !self.run_until(120 * SECOND, |world| world.unrest().is_none()) {
            let unrest = self.unrest();
            return self.break_it(format!("not whole after a restart in quiet: {unrest:?}"));
        }
        if self.repaired_bytes > 0 {
            let bytes = self.repaired_bytes;
            self.break_it(format!("{bytes} bytes were copied because of a restart"));
        }
        self.is_long = true;
        self.run(1_200 * SECOND);
        let before = self.messages;
        self.run(3_600 * SECOND);
        let (said, size) = (self.messages - before, self.machines.len() as u64);
        if said > 200 * size {
            self.break_it(format!("{said} messages in an hour of quiet"));
        }
        self.check_rest();
    }

    /// Nothing is under way any more, so nothing holds memory.
    fn check_rest(&mut self) {
        for i in 0..self.machines.len() {
            let Some(member) = self.machines[i].member.as_ref() else { continue };
            let status = member.status();
            let busy = status.writes + status.reads + status.asks;
            if busy + status.repairs_waiting + status.repairs_running > 0 {
                self.break_it(format!("vm{i} has something under way in quiet: {status:?}"));
            }
        }
    }

    /// After two days what was deleted or given up is gone: a day after it was last told of a set,
    /// which may be when all were asked for what they have.
    pub fn wait_for_garbage(&mut self) {
        self.run(51 * 3_600 * SECOND);
        let used: BTreeSet<_> = self.truth.in_use().into_iter().collect();
        for i in 0..self.machines.len() {
            let sealed = self.machines[i].facts.sealed.keys();
            let garbage: Vec<_> = sealed.filter(|extent| !used.contains(extent)).collect();
            let spool = self.machines[i].disk.files();
            let spool = spool.iter().filter(|file| file.starts_with("spool/")).count();
            if !garbage.is_empty() || spool > 0 {
                return self
                    .break_it(format!("vm{i} has {garbage:?} and {spool} parts of uploads"));
            }
        }
    }

    /// The catalogs are the same, byte for byte.
    fn check_images(&mut self) {
        let image = self.truth.catalog.to_image();
        for i in self.views.keepers(&share()) {
            let member = self.machines[i].member.as_ref();
            let keeper = member.and_then(|member| member.keeper(&share()));
            let own = keeper.and_then(|keeper| keeper.catalog().map(Catalog::to_image));
            if own.is_some_and(|own| own != image) {
                self.break_it(format!("the catalog of vm{i} has other bytes"));
            }
        }
    }

    /// Reads all, and compares all answers until now with what can be.
    pub fn check_histories(&mut self) {
        for list in 0..self.clients.lists.len() {
            let doing = self.read_list(list);
            let Some((Target::List(_, call), bytes)) = self.do_now(doing) else { return };
            let calls = &self.clients.lists[list].calls;
            if calls[call].until.is_none() {
                return self.break_it(format!("in quiet list {list} cannot be read"));
            }
            if let Err(what) = lists::check(calls, &bytes) {
                return self.break_it(format!("list {list}: {what}"));
            }
        }
        for directory in 0..self.clients.directories.len() {
            for at in 0..NAMES {
                let doing = self.get(directory, at);
                self.do_now(doing);
            }
            let doing = self.list_names(directory);
            self.do_now(doing);
            if self.broken.is_some() {
                return;
            }
            let mut calls = self.clients.directories[directory].calls.clone();
            calls.retain(|call| call.since < std::time::Duration::MAX);
            if let Err(what) = names::check(&calls) {
                return self.break_it(format!("directory {directory}: {what}"));
            }
        }
    }

    /// Does an operation in quiet, at some member, to its end. The bytes are what a read got.
    pub fn do_now(&mut self, doing: super::clients::Doing) -> Option<(Target, Vec<u8>)> {
        let target = doing.target;
        let session = self.clients.sessions.len();
        self.clients.sessions.push(super::clients::Session { doing: Some(doing) });
        self.last_read.clear();
        let at = self.rng.random_range(0..self.machines.len());
        self.submit_at(session, at);
        let done = self
            .run_until_fine(60 * SECOND, |world| world.clients.sessions[session].doing.is_none());
        self.clients.sessions.pop();
        if !done {
            self.break_it(format!("in quiet an operation did not end: {target:?}"));
            return None;
        }
        Some((target, std::mem::take(&mut self.last_read)))
    }

    fn run_until_fine(
        &mut self,
        most: std::time::Duration,
        holds: impl Fn(&World) -> bool,
    ) -> bool {
        let end = self.now + most;
        while self.now < end && self.broken.is_none() && !holds(self) {
            self.run(ms(5));
        }
        holds(self)
    }
}

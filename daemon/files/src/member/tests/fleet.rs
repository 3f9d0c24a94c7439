//! Members with stores in memory, and messages between them that take a millisecond.

use super::*;
use crate::ids::OperationId;
use crate::store::sim_disk::{Fault, Random, SimDisk, Which};
use crate::store::{Store, StoreSettings};
use crate::view::{MemberOfView, ShareKeepers};
use memberd_membership::WallTime;

pub(super) fn path(text: &str) -> FilePath {
    FilePath::parse(text).unwrap()
}

pub(super) fn share(text: &str) -> ShareName {
    ShareName::new(text).unwrap()
}

pub(super) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random(seed);
    (0..length).map(|_| u8::try_from(random.below(256)).unwrap()).collect()
}

pub(super) struct Node {
    pub(super) member: Member,
    pub(super) store: Store<SimDisk>,
    pub(super) disk: SimDisk,
    pub(super) notes: Vec<MemberNote>,
    is_running: bool,
    is_cut: bool,
}

impl Node {
    /// Whether something beside an extent has these words.
    pub(super) fn finds(&self, words: &str) -> bool {
        let heads = self.disk.files().into_iter().filter(|file| file.ends_with(".h"));
        heads
            .filter_map(|file| self.disk.bytes(&file))
            .any(|bytes| bytes.windows(words.len()).any(|window| window == words.as_bytes()))
    }

    pub(super) fn has_image(&self) -> bool {
        self.store.shares().iter().any(|standing| standing.image.is_some())
    }
}

/// An operation of a client, as it stands.
#[derive(Default)]
struct Running {
    rest: Vec<u8>,
    read: Vec<u8>,
    length: Option<u64>,
    result: Option<Result<Outcome, ClientError>>,
    has_ended: bool,
}

pub(super) struct Fleet {
    pub(super) nodes: Vec<Node>,
    pub(super) was_newest: bool,
    /// The file that was read last.
    pub(super) found: Option<crate::catalog::Done>,
    /// Keepers of which somebody says that they lost their disks.
    lost: BTreeSet<Name>,
    now_ms: u64,
    view: Arc<FilesView>,
    /// When, to whom, from whom, what.
    mail: BTreeMap<(u64, u64), (usize, usize, Vec<u8>)>,
    sent: u64,
    running: BTreeMap<(usize, ClientId), Running>,
    next: u64,
    seed: u64,
}

fn name(at: usize) -> Name {
    Name::new(&format!("vm{at}")).unwrap()
}

fn settings() -> MemberSettings {
    MemberSettings {
        extents: ExtentSettings { repair_after: Duration::ZERO, ..ExtentSettings::default() },
        keepers: Settings { log_bytes: 200_000, ..Settings::default() },
    }
}

impl Fleet {
    /// So many members, of which the first three keep the share `s`.
    pub(super) fn new(count: usize, seed: u64) -> Fleet {
        let (added, since) = (Epoch(1), Epoch(1));
        let keepers: Vec<Name> = (0..count.min(3)).map(name).collect();
        let whole = keepers.iter().cloned().collect();
        let keepers = ShareKeepers { added, since, keepers, whole, ..ShareKeepers::default() };
        let view = FilesView {
            epoch: Epoch(1),
            members: (0..count).map(|at| (name(at), MemberOfView::default())).collect(),
            shares: BTreeMap::from([(share("s"), keepers)]),
        };
        let mut fleet = Fleet {
            nodes: Vec::new(),
            was_newest: true,
            found: None,
            lost: BTreeSet::new(),
            now_ms: 1_000,
            view: Arc::new(view),
            mail: BTreeMap::new(),
            sent: 0,
            running: BTreeMap::new(),
            next: 0,
            seed,
        };
        for at in 0..count {
            let node = fleet.start(at, SimDisk::default());
            fleet.nodes.push(node);
        }
        fleet.show_view();
        fleet
    }

    fn start(&mut self, at: usize, disk: SimDisk) -> Node {
        self.seed += 1;
        let settings_of_store = StoreSettings { space_bytes: 1 << 40, salt: self.seed };
        let mut store = Store::open(disk.clone(), settings_of_store).unwrap();
        let on_disk = OnDisk::load(&mut store).unwrap();
        let member = Member::new(name(at), settings(), on_disk, self.seed, self.now());
        let (notes, is_running, is_cut) = (Vec::new(), true, false);
        Node { member, store, disk, notes, is_running, is_cut }
    }

    fn now(&self) -> Now {
        let boot = BootTime::from_epoch(Duration::from_millis(self.now_ms));
        Now { boot, wall: WallTime(self.now_ms + 1_000_000) }
    }

    pub(super) fn show_view(&mut self) {
        let (now, view) = (self.now(), self.view.clone());
        for node in self.nodes.iter_mut().filter(|node| node.is_running && !node.is_cut) {
            node.member.handle_view(now, view.clone());
        }
        self.settle();
    }

    /// A view without these.
    pub(super) fn agree(&mut self, without: &[usize]) {
        let mut view = (*self.view).clone();
        view.epoch = Epoch(view.epoch.0 + 1);
        view.members.retain(|member, _| !without.iter().any(|at| name(*at) == *member));
        let members: Vec<Name> = view.members.keys().cloned().collect();
        for of in view.shares.values_mut() {
            of.keepers.retain(|keeper| view.members.contains_key(keeper));
            for member in &members {
                if of.keepers.len() < 3 && !of.keepers.contains(member) {
                    of.keepers.push(member.clone());
                    of.joined.insert(member.clone(), view.epoch);
                    of.since = view.epoch;
                }
            }
        }
        self.view = Arc::new(view);
        self.show_view();
    }

    pub(super) fn remove_share(&mut self) {
        let mut view = (*self.view).clone();
        view.epoch = Epoch(view.epoch.0 + 1);
        view.shares.clear();
        self.view = Arc::new(view);
        self.show_view();
    }

    pub(super) fn primary(&self) -> usize {
        let is =
            |node: &Node| node.member.keeper(&share("s")).is_some_and(|one| one.reign().is_some());
        self.nodes.iter().position(is).unwrap()
    }

    pub(super) fn has_lost(&self, at: usize) -> bool {
        self.lost.contains(&name(at))
    }

    pub(super) fn stop(&mut self, at: usize) {
        self.nodes[at].is_running = false;
    }

    pub(super) fn cut_off(&mut self, at: usize) {
        self.nodes[at].is_cut = true;
    }

    /// The process ends and begins again.
    pub(super) fn restart(&mut self, at: usize) {
        let disk = self.nodes[at].disk.clone();
        self.nodes[at] = self.start(at, disk);
        let (now, view) = (self.now(), self.view.clone());
        self.nodes[at].member.handle_view(now, view);
        self.settle();
    }

    /// The process begins again, and no view comes.
    pub(super) fn restart_without_view(&mut self, at: usize) {
        let disk = self.nodes[at].disk.clone();
        self.nodes[at] = self.start(at, disk);
        self.settle();
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    pub(super) fn expect_no_writes(&self, at: usize) {
        assert_eq!(self.nodes[at].member.status().writes, 0);
    }

    /// The power goes, and comes back.
    pub(super) fn power(&mut self, at: usize, seed: u64) {
        self.nodes[at].disk.restart(seed);
        self.restart(at);
    }

    /// How many bytes each store may use.
    pub(super) fn set_space(&mut self, bytes: u64) {
        let now = self.now();
        for node in &mut self.nodes {
            node.store.set_space(bytes);
            let room = node.store.status().room;
            node.member.handle_store(now, room, Vec::new());
        }
        self.settle();
    }

    /// The next sync of a disk fails.
    pub(super) fn break_disk(&mut self, at: usize) {
        let fault = Fault::Fail(std::io::ErrorKind::Other);
        self.nodes[at].disk.fail_at(Which::Syncs, 1, fault);
    }

    /// A bit of the only extent changes on a disk.
    pub(super) fn rot(&mut self, at: usize, place: usize) {
        let disk = &self.nodes[at].disk;
        let is_extent = |file: &&String| file.starts_with("extents/") && !file.ends_with(".h");
        let file = disk.files().iter().find(is_extent).cloned().unwrap();
        disk.rot(&file, place);
    }

    /// Time passes.
    pub(super) fn run(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while self.step(end) {}
        self.now_ms = end;
    }

    /// Does what is next, if it is due until then.
    fn step(&mut self, end: u64) -> bool {
        let mail = self.mail.keys().next().map(|(at, _)| *at);
        let timers = self.nodes.iter().filter(|node| node.is_running);
        let timers = timers.filter_map(|node| node.member.poll_timeout()).min();
        let timer = timers.map(|at| at.since_epoch().as_nanos().div_ceil(1_000_000));
        let timer = timer.map(|ms| u64::try_from(ms).unwrap());
        let Some(next) = [mail, timer].into_iter().flatten().min() else { return false };
        if next > end {
            return false;
        }
        self.now_ms = self.now_ms.max(next);
        if mail == Some(next) {
            let (_, (to, from, bytes)) = self.mail.pop_first().unwrap();
            let (now, node) = (self.now(), &mut self.nodes[to]);
            if node.is_running && !node.is_cut {
                let message = FilesMessage::decode(&bytes).unwrap();
                node.member.handle_message(now, &name(from), message);
            }
        } else {
            let now = self.now();
            for node in self.nodes.iter_mut().filter(|node| node.is_running) {
                if node.member.poll_timeout().is_some_and(|at| at <= now.boot) {
                    node.member.handle_timeout(now);
                }
            }
        }
        self.settle();
        true
    }

    /// Does what members want, and their stores.
    fn settle(&mut self) {
        for at in 0..self.nodes.len() {
            loop {
                while let Some(output) = self.nodes[at].member.poll_output() {
                    self.output(at, output);
                }
                self.feed(at);
                let now = self.now();
                let node = &mut self.nodes[at];
                node.store.commit();
                let bad = node.store.take_bad();
                if !bad.is_empty() {
                    let room = node.store.status().room;
                    node.member.handle_store(now, room, bad);
                }
                let Some((id, result)) = node.store.poll_done() else { break };
                node.member.handle_job(now, id, result);
                while let Some((id, result)) = node.store.poll_done() {
                    node.member.handle_job(now, id, result);
                }
            }
        }
    }

    fn output(&mut self, at: usize, output: MemberOutput) {
        let now = self.now();
        match output {
            MemberOutput::Send { to, message } => {
                assert_ne!(to, name(at), "it talks to itself alone");
                let Some(to) = (0..self.nodes.len()).find(|one| name(*one) == to) else { return };
                if !self.nodes[at].is_cut && self.nodes[at].is_running {
                    self.sent += 1;
                    let bytes = message.encode();
                    assert!(bytes.len() <= FilesMessage::MAX_BYTES);
                    self.mail.insert((self.now_ms + 1, self.sent), (to, at, bytes));
                }
            }
            MemberOutput::Job { id, job } => self.nodes[at].store.take(id, job),
            MemberOutput::Length { client, file, length, is_newest } => {
                self.was_newest = is_newest;
                self.found = Some(file);
                self.running.get_mut(&(at, client)).unwrap().length = Some(length);
            }
            MemberOutput::Data { client, bytes } => {
                self.running.get_mut(&(at, client)).unwrap().read.extend_from_slice(&bytes);
                self.nodes[at].member.taken(now, client);
            }
            MemberOutput::Done { client, result } => {
                self.running.get_mut(&(at, client)).unwrap().result = Some(result);
            }
            MemberOutput::Fill { .. } => {}
            MemberOutput::Lose { keeper, .. } => drop(self.lost.insert(keeper)),
            MemberOutput::Note(note) => self.nodes[at].notes.push(note),
        }
    }

    /// Clients push what there is room for.
    fn feed(&mut self, at: usize) {
        let now = self.now();
        for ((_, client), running) in self.running.iter_mut().filter(|((of, _), _)| *of == at) {
            let member = &mut self.nodes[at].member;
            while !running.rest.is_empty() && running.result.is_none() {
                let room = member.room(*client).min(running.rest.len()).min(64 << 10);
                if room == 0 {
                    break;
                }
                let rest = running.rest.split_off(room);
                member.push(now, *client, &running.rest);
                running.rest = rest;
            }
            if running.rest.is_empty() && !running.has_ended {
                running.has_ended = true;
                member.end(now, *client);
            }
        }
    }

    fn begin(
        &mut self,
        at: usize,
        operation: Operation,
        rest: &[u8],
        ends: bool,
    ) -> (usize, ClientId) {
        self.next += 1;
        let (client, now) = (ClientId(self.next), self.now());
        let running = Running { rest: rest.to_vec(), has_ended: !ends, ..Running::default() };
        self.running.insert((at, client), running);
        self.nodes[at].member.begin(now, client, operation);
        self.settle();
        (at, client)
    }

    fn writes(&mut self, to: &str, how: WriteTo) -> Operation {
        self.next += 1;
        let operation = OperationId(u128::from(self.next) << 64 | 77);
        Operation::Write(Write { path: path(to), operation, token: Token(0), to: how })
    }

    pub(super) fn begin_read(&mut self, at: usize, from: &str) -> (usize, ClientId) {
        let operation = Operation::Read { path: path(from), offset: 0, limit: None };
        self.begin(at, operation, &[], false)
    }

    pub(super) fn begin_write(
        &mut self,
        at: usize,
        to: &str,
        how: WriteTo,
        what: &[u8],
    ) -> (usize, ClientId) {
        let operation = self.writes(to, how);
        self.begin(at, operation, what, true)
    }

    /// A write that does not end by itself.
    pub(super) fn begin_part(
        &mut self,
        at: usize,
        to: &str,
        how: WriteTo,
        what: &[u8],
    ) -> (usize, ClientId) {
        let operation = self.writes(to, how);
        self.begin(at, operation, what, false)
    }

    pub(super) fn cancel(&mut self, at: usize, client: ClientId) {
        self.running.remove(&(at, client));
        let now = self.now();
        self.nodes[at].member.cancel(now, client);
        self.settle();
    }

    /// Runs until an operation has ended.
    pub(super) fn result(&mut self, client: (usize, ClientId)) -> Result<Outcome, ClientError> {
        let end = self.now_ms + 120_000;
        while self.running[&client].result.is_none() && self.step(end) {}
        let result = self.running[&client].result.clone();
        result.unwrap_or_else(|| panic!("no answer: {:?}", self.nodes[client.0].member.status()))
    }

    pub(super) fn operate(
        &mut self,
        at: usize,
        operation: Operation,
    ) -> Result<Outcome, ClientError> {
        let client = self.begin(at, operation, &[], false);
        self.result(client)
    }

    pub(super) fn change(&mut self, at: usize, mutation: Mutation) -> Result<Outcome, ClientError> {
        self.next += 1;
        let operation = OperationId(u128::from(self.next));
        self.operate(at, Operation::Change { share: share("s"), operation, mutation })
    }

    pub(super) fn write(
        &mut self,
        at: usize,
        to: &str,
        how: WriteTo,
        what: &[u8],
    ) -> Result<Outcome, ClientError> {
        let client = self.begin_write(at, to, how, what);
        self.result(client)
    }

    pub(super) fn read(
        &mut self,
        at: usize,
        from: &str,
        offset: u64,
        limit: Option<u64>,
    ) -> Result<Vec<u8>, ClientError> {
        let client =
            self.begin(at, Operation::Read { path: path(from), offset, limit }, &[], false);
        self.result(client)?;
        let running = &self.running[&client];
        assert_eq!(running.length, Some(running.read.len() as u64));
        Ok(running.read.clone())
    }

    /// After a while nothing is under way, and nobody wakes all the time.
    pub(super) fn expect_quiet(&mut self) {
        self.run(20_000);
        let before = self.sent;
        let mut steps = 0;
        let end = self.now_ms + 20_000;
        while self.step(end) {
            steps += 1;
        }
        assert!(self.sent - before < 200, "{} messages in 20 s of rest", self.sent - before);
        assert!(steps < 400, "{steps} steps in 20 s of rest");
        for node in self.nodes.iter().filter(|node| node.is_running) {
            let status = node.member.status();
            assert_eq!((status.asks, status.writes, status.reads), (0, 0, 0));
            assert_eq!((status.repairs_waiting, status.repairs_running), (0, 0));
        }
    }
}

//! A simulated group of keepers of one share: deterministic, seeded, in virtual time. It runs the
//! very state machine that memberd runs. One seed draws every delay, loss, write, view and fault.

use super::disk::Disk;
use super::history::History;
use memberd_files::{
    Append, Appended, BootTime, Content, Epoch, FilePath, FilesView, Keeper,
    KeeperMutant as Mutant, KeeperRole, KeeperSettings, MemberOfView, Mutation, Name, Now,
    OperationId, Put, PutIf, Query, Record, Reply, RequestId, ShareKeepers, ShareName, Token,
};
use memberd_files::{KeeperMessage, KeeperOutput};
use memberd_membership::WallTime;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub const MEMBERS: usize = 5;

/// Of so many seeds one has a share with the most keepers. The others have three.
const ONE_WIDE_OF: u64 = 4;

pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub fn name(i: usize) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

pub fn index(name: &Name) -> usize {
    name.as_str()[2..].parse().unwrap()
}

pub fn share() -> ShareName {
    ShareName::new("s").unwrap()
}

pub fn path(text: &str) -> FilePath {
    FilePath::parse(text).unwrap()
}

enum Happening {
    Message { from: usize, to: usize, process: u32, message: Box<KeeperMessage> },
    Written { at: usize, process: u32, id: u64 },
    Wake { at: usize, process: u32 },
    View { at: usize, process: u32, view: Arc<FilesView> },
    Start { at: usize },
    Client,
    Again { client: usize, request: u64 },
}

pub struct Machine {
    pub keeper: Option<Keeper>,
    pub disk: Disk,
    process: u32,
    /// Its clock: how far it is off, and how fast it runs, in parts of a million.
    offset: Duration,
    drift_ppm: i64,
    woken_for: Option<Duration>,
    /// The least epoch that it may be shown after it lost its disk.
    least_epoch: u64,
    written_at: Duration,
    /// Up to where its catalog was compared with the others.
    seen: u64,
}

/// A client's mutation that was not answered yet.
struct Client {
    operation: OperationId,
    mutation: Mutation,
    request: u64,
    done: bool,
}

pub struct World {
    pub now: Duration,
    pub rng: SmallRng,
    pub machines: Vec<Machine>,
    pub views: Vec<Arc<FilesView>>,
    pub history: History,
    pub cut: BTreeSet<(usize, usize)>,
    pub loss: f64,
    pub slow: f64,
    pub settings: KeeperSettings,
    /// How many keepers the share wants.
    wanted: usize,
    pub events: u64,
    pub traced: bool,
    /// The members that the group takes for failed.
    pub away: BTreeSet<usize>,
    pub client_rate: bool,
    queue: BTreeMap<(Duration, u64), Happening>,
    streams: BTreeMap<(usize, usize), Duration>,
    sequence: u64,
    clients: Vec<Client>,
    requests: BTreeMap<u64, Asked>,
    next: u64,
}

enum Asked {
    Mutation(usize),
    Read { acked: u64 },
}

impl World {
    pub fn new(seed: u64, mutant: Option<Mutant>) -> World {
        let mut rng = SmallRng::seed_from_u64(seed);
        let machine = |i: usize, rng: &mut SmallRng| Machine {
            keeper: None,
            disk: Disk::default(),
            process: 0,
            offset: Duration::from_secs(100 * (i as u64 + 1)),
            drift_ppm: rng.random_range(-4_000..=4_000),
            woken_for: None,
            least_epoch: 0,
            written_at: Duration::ZERO,
            seen: 0,
        };
        let machines = (0..MEMBERS).map(|i| machine(i, &mut rng)).collect();
        let log_bytes = if rng.random_bool(0.5) { 8_000 } else { 80_000 };
        let mut world = World {
            now: Duration::from_secs(1),
            machines,
            views: Vec::new(),
            history: History::default(),
            cut: BTreeSet::new(),
            loss: 0.0,
            slow: 0.0,
            settings: KeeperSettings { mutant, log_bytes, ..KeeperSettings::default() },
            wanted: if seed.is_multiple_of(ONE_WIDE_OF) { ShareKeepers::MOST } else { 3 },
            events: 0,
            traced: std::env::var("MEMBERD_SIM_SEED").is_ok(),
            away: BTreeSet::new(),
            client_rate: true,
            queue: BTreeMap::new(),
            streams: BTreeMap::new(),
            sequence: 0,
            clients: Vec::new(),
            requests: BTreeMap::new(),
            next: 0,
            rng,
        };
        let keepers = (0..world.wanted).map(name).collect();
        let (added, since) = (Epoch(1), Epoch(1));
        world.install(ShareKeepers { added, since, keepers, ..ShareKeepers::default() });
        for i in 0..MEMBERS {
            world.start(i);
        }
        world.at(ms(10), Happening::Client);
        world
    }

    fn at(&mut self, after: Duration, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), happening);
    }

    pub fn newest(&self) -> &Arc<FilesView> {
        self.views.last().unwrap()
    }

    pub fn keepers(&self) -> Vec<usize> {
        self.newest().shares[&share()].keepers.iter().map(index).collect()
    }

    /// The group agrees on another view. All hear of it at some time, unless a newer one comes.
    fn install(&mut self, keepers: ShareKeepers) {
        let epoch = Epoch(self.views.len() as u64 + 1);
        let members = (0..MEMBERS).filter(|i| !self.away.contains(i));
        let members = members.map(|i| (name(i), MemberOfView::default())).collect();
        let shares = BTreeMap::from([(share(), keepers)]);
        let view = Arc::new(FilesView { epoch, members, shares });
        self.note(|| format!("view {epoch:?}: {:?}", view.shares));
        self.views.push(view);
        for i in 0..MEMBERS {
            self.show_view(i);
        }
    }

    /// Shows a machine the newest view, some time later; and at times none.
    fn show_view(&mut self, at: usize) {
        let view = self.newest().clone();
        let process = self.machines[at].process;
        let after = match self.rng.random_range(0..10) {
            0 => ms(self.rng.random_range(200..4_000)),
            1 => return,
            _ => ms(self.rng.random_range(1..100)),
        };
        self.at(after, Happening::View { at, process, view });
    }

    /// The group finds that a member has failed, or is back. Keepers that failed are replaced while
    /// one is there that is whole: the view service knows that from a primary since it is one.
    pub fn agree(&mut self) {
        let mut keepers = self.newest().shares[&share()].clone();
        let before = keepers.keepers.clone();
        let last = self.history.position(self.history.acked_to());
        let is_whole = |name: &Name| {
            let disk = &self.machines[index(name)].disk;
            let joined = self.newest().shares[&share()].joined(name);
            disk.is_whole_since(joined) && last.is_none_or(|last| disk.has(last))
        };
        let is_there = |name: &Name| !self.away.contains(&index(name));
        if before.iter().any(|name| is_there(name) && is_whole(name)) {
            keepers.keepers.retain(is_there);
        }
        let mut others: Vec<usize> = (0..MEMBERS)
            .filter(|i| !self.away.contains(i) && !keepers.keepers.contains(&name(*i)))
            .collect();
        while keepers.keepers.len() < self.wanted && !others.is_empty() {
            let next = name(others.remove(self.rng.random_range(0..others.len())));
            keepers.joined.insert(next.clone(), Epoch(self.views.len() as u64 + 1));
            keepers.keepers.push(next);
        }
        if keepers.keepers != before {
            keepers.since = Epoch(self.views.len() as u64 + 1);
        }
        self.install(keepers);
    }

    /// Each machine hears of the newest view, if no message is lost any more.
    pub fn show_newest(&mut self) {
        for at in 0..MEMBERS {
            let (process, view) = (self.machines[at].process, self.newest().clone());
            self.at(ms(10), Happening::View { at, process, view });
        }
    }

    fn clock(&self, at: usize) -> Now {
        let machine = &self.machines[at];
        let ran = self.now.as_nanos() as i128;
        let skew = ran * i128::from(machine.drift_ppm) / 1_000_000;
        let ran = Duration::from_nanos(u64::try_from(ran + skew).unwrap());
        Now { boot: BootTime::from_epoch(ran + machine.offset), wall: WallTime(0) }
    }

    pub fn start(&mut self, at: usize) {
        if self.machines[at].keeper.is_some() {
            return;
        }
        let now = self.clock(at);
        let durable = self.machines[at].disk.durable().clone();
        let keeper = Keeper::new(self.settings, name(at), share(), durable, now).unwrap();
        let machine = &mut self.machines[at];
        machine.process += 1;
        (machine.woken_for, machine.seen) = (None, 0);
        machine.keeper = Some(keeper);
        self.note(|| format!("vm{at} starts"));
        self.show_view(at);
        self.carry_out(at);
    }

    /// The process ends. Some of what it wrote last is durable.
    pub fn crash(&mut self, at: usize) {
        if self.machines[at].keeper.take().is_none() {
            return;
        }
        let waiting = self.machines[at].disk.waiting();
        let survive = self.rng.random_range(0..=waiting);
        self.machines[at].disk.crash(survive);
        self.note(|| format!("vm{at} crashes, {survive} of {waiting} records survive"));
    }

    pub fn start_later(&mut self, at: usize, after: Duration) {
        self.at(after, Happening::Start { at });
    }

    /// The machine loses its disk, if somebody else has all that was acknowledged: at most two
    /// failures at once are promised to lose nothing.
    pub fn wipe(&mut self, at: usize) {
        let acked = self.history.acked_to();
        let last = self.history.position(acked);
        let other = |i: &usize| {
            let disk = &self.machines[*i].disk;
            let joined = self.newest().shares[&share()].joined(&name(*i));
            *i != at && disk.is_whole_since(joined) && last.is_none_or(|last| disk.has(last))
        };
        if self.keepers().iter().filter(|i| other(i)).count() >= 1 {
            self.crash(at);
            self.machines[at].disk.wipe();
            self.machines[at].least_epoch = self.newest().epoch.0;
            self.note(|| format!("vm{at} loses its disk"));
        }
    }

    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(first) = self.queue.first_entry() {
            if first.key().0 > end || self.history.broken.is_some() {
                break;
            }
            let ((now, _), happening) = first.remove_entry();
            self.now = self.now.max(now);
            self.events += 1;
            self.happen(happening);
        }
        self.now = self.now.max(end);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Message { from, to, process, message } => {
                if self.machines[to].process == process && !self.cut.contains(&(from, to)) {
                    self.note(|| format!("vm{from} -> vm{to} {:?}", message.body));
                    self.give(to, |keeper, now| keeper.handle_message(now, &name(from), *message));
                }
            }
            Happening::Written { at, process, id } => {
                let lives = self.machines[at].process == process;
                if lives && self.machines[at].keeper.is_some() && self.machines[at].disk.finish(id)
                {
                    self.give(at, |keeper, now| {
                        keeper.handle_written(now, memberd_files::DiskId(id));
                    });
                }
            }
            Happening::Wake { at, process } => {
                if self.machines[at].process == process {
                    self.machines[at].woken_for = None;
                    self.give(at, Keeper::handle_timeout);
                }
            }
            Happening::View { at, process, view } if self.is_cut_off(at) => {
                self.at(ms(200), Happening::View { at, process, view });
            }
            Happening::View { at, process, view } => {
                let may = view.epoch.0 >= self.machines[at].least_epoch;
                if self.machines[at].process == process && may {
                    self.give(at, |keeper, now| keeper.handle_view(now, &view));
                } else if !may {
                    self.show_view(at);
                }
            }
            Happening::Start { at } => self.start(at),
            Happening::Client => self.act_as_client(),
            Happening::Again { client, request } => {
                if !self.clients[client].done && self.clients[client].request == request {
                    self.send_operation(client, None);
                }
            }
        }
    }

    /// Whether a machine reaches nobody, so that it hears of no view.
    fn is_cut_off(&self, at: usize) -> bool {
        (0..MEMBERS).all(|other| other == at || self.cut.contains(&(other, at)))
    }

    fn give(&mut self, at: usize, input: impl FnOnce(&mut Keeper, Now)) {
        let now = self.clock(at);
        if let Some(keeper) = self.machines[at].keeper.as_mut() {
            input(keeper, now);
            self.carry_out(at);
        }
    }

    /// Does what a keeper asks for, and looks at the invariants.
    fn carry_out(&mut self, at: usize) {
        let Some(keeper) = self.machines[at].keeper.as_mut() else { return };
        let outputs: Vec<KeeperOutput> = std::iter::from_fn(|| keeper.poll_output()).collect();
        let (role, applied) =
            (keeper.status().role, keeper.catalog().map(memberd_files::Catalog::applied));
        let primary_of = keeper.reign();
        if let Some(applied) = applied {
            let new = self.machines[at].seen + 1..=applied.index;
            let keeper = self.machines[at].keeper.as_ref();
            let positions = new.filter_map(|index| keeper?.position(index));
            for position in positions.collect::<Vec<_>>() {
                self.history.applied(at, position);
            }
            self.history.applied(at, applied);
            self.machines[at].seen = applied.index;
        }
        if role == KeeperRole::Primary
            && let Some(ballot) = primary_of
        {
            self.history.opens(at, ballot);
        }
        for output in outputs {
            self.put_out(at, output);
        }
        let Some(keeper) = self.machines[at].keeper.as_ref() else { return };
        let due = keeper.poll_timeout().map(BootTime::since_epoch);
        let own = self.clock(at).boot.since_epoch();
        if let Some(due) = due
            && self.machines[at].woken_for != Some(due)
        {
            let process = self.machines[at].process;
            self.machines[at].woken_for = Some(due);
            let wait = due.saturating_sub(own).max(Duration::from_micros(50));
            self.at(wait + Duration::from_micros(20), Happening::Wake { at, process });
        }
    }

    fn put_out(&mut self, at: usize, output: KeeperOutput) {
        let process = self.machines[at].process;
        match output {
            KeeperOutput::Send { to, message } => self.transmit(at, index(&to), message),
            KeeperOutput::Write { id, records } => {
                let marks = records.iter().any(|record| matches!(record, Record::Mark(_)));
                self.note(|| {
                    format!("vm{at} writes {} ({} records, mark {marks})", id.0, records.len())
                });
                self.machines[at].disk.begin(id.0, records);
                let mean = if self.rng.random_bool(self.slow) { 300_000 } else { 4_000 };
                let takes = Duration::from_micros(self.rng.random_range(100..mean));
                let written = self.machines[at].written_at.max(self.now + takes);
                self.machines[at].written_at = written;
                let happening = Happening::Written { at, process, id: id.0 };
                self.at(written - self.now, happening);
            }
            KeeperOutput::Whole(_) | KeeperOutput::Lost(_) => {}
            KeeperOutput::Reply { request, reply } => self.on_reply(at, request, reply),
        }
    }

    fn transmit(&mut self, from: usize, to: usize, message: KeeperMessage) {
        let lost = self.rng.random_bool(self.loss) || self.cut.contains(&(from, to));
        let slow = self.rng.random_bool(self.slow);
        let most = if slow { 500_000 } else { 1_500 };
        let takes = Duration::from_micros(self.rng.random_range(100..most));
        if lost {
            return;
        }
        // Messages of one connection keep their order.
        let stream = self.streams.entry((from, to)).or_default();
        *stream = (*stream).max(self.now + takes);
        let after = *stream - self.now;
        if self.rng.random_bool(0.05) {
            assert_eq!(KeeperMessage::decode(&message.encode()).as_ref(), Some(&message));
        }
        let process = self.machines[to].process;
        self.at(after, Happening::Message { from, to, process, message: Box::new(message) });
    }

    fn act_as_client(&mut self) {
        if self.client_rate {
            let pause = ms(self.rng.random_range(5..60));
            self.at(pause, Happening::Client);
        }
        if self.rng.random_bool(0.3) {
            return self.read();
        }
        let number = self.clients.len() as u64;
        let mutation = if self.rng.random_bool(0.7) {
            Mutation::Append(Append {
                path: path("/s/log"),
                only: None,
                length: None,
                token: Token(0),
                what: Appended::Content(Content::Inline(number.to_be_bytes().to_vec())),
                age_s: 0,
            })
        } else {
            let file = if self.rng.random_bool(0.3) {
                "log".to_owned()
            } else {
                format!("f{}", self.rng.random_range(0..6))
            };
            Mutation::Put(Put {
                path: path(&format!("/s/{file}")),
                condition: PutIf::Absent,
                token: Token(0),
                content: Content::empty(),
                copies: 3,
                mode: 0o644,
                parents: true,
                age_s: 0,
            })
        };
        let operation = OperationId(u128::from(number) + 1);
        self.clients.push(Client { operation, mutation, request: 0, done: false });
        self.send_operation(self.clients.len() - 1, None);
    }

    /// A keeper, or what a client with an old view takes for one.
    fn some_keeper(&mut self) -> usize {
        let keepers = self.keepers();
        if self.rng.random_bool(0.2) {
            self.rng.random_range(0..MEMBERS)
        } else {
            keepers[self.rng.random_range(0..keepers.len())]
        }
    }

    /// Sends a mutation to some keeper, and again later if no answer comes.
    fn send_operation(&mut self, client: usize, to: Option<usize>) {
        let to = to.unwrap_or_else(|| self.some_keeper());
        self.next += 1;
        let request = self.next;
        self.clients[client].request = request;
        self.requests.insert(request, Asked::Mutation(client));
        let Client { operation, mutation, .. } = &self.clients[client];
        let (operation, mutation) = (*operation, mutation.clone());
        self.history.asked(operation, &mutation);
        self.at(ms(700), Happening::Again { client, request });
        self.give(to, |keeper, now| {
            keeper.propose(now, RequestId(request), (operation, Epoch(u64::MAX)), mutation);
        });
    }

    pub fn read(&mut self) {
        let to = self.some_keeper();
        self.next += 1;
        let request = self.next;
        let acked = self.history.acked_to();
        self.requests.insert(request, Asked::Read { acked });
        let query = Query::Contents { path: path("/s/log"), from: 0 };
        self.give(to, |keeper, now| keeper.ask(now, RequestId(request), query, None));
    }

    fn on_reply(&mut self, at: usize, request: RequestId, reply: Reply) {
        let Some(asked) = self.requests.remove(&request.0) else { return };
        self.note(|| format!("vm{at} replies to {}: {reply:?}", request.0));
        match (asked, reply) {
            (Asked::Mutation(client), Reply::Answer { answer, index }) => {
                self.clients[client].done = true;
                let operation = self.clients[client].operation;
                self.history.answered(operation, answer, index);
                self.check_copies(at, index);
            }
            (Asked::Mutation(client), Reply::NotPrimary { primary: Some(primary) })
                if self.clients[client].request == request.0 && self.rng.random_bool(0.5) =>
            {
                self.send_operation(client, Some(index(&primary)));
            }
            (Asked::Read { acked }, Reply::Found { found, index, is_newest }) => {
                self.history.read(acked, index, is_newest, &found);
            }
            _ => {}
        }
    }

    /// What is acknowledged lies on the disks of all keepers of the reign's view. What all keepers
    /// had before one joined follows to that one as an image.
    fn check_copies(&mut self, at: usize, index_of: u64) {
        let Some(ballot) = self.machines[at].keeper.as_ref().and_then(Keeper::reign) else {
            return;
        };
        let Some(view) = self.views.get(ballot.epoch.0 as usize - 1) else { return };
        let Some(position) = self.history.position(index_of) else { return };
        let share = &view.shares[&share()];
        for keeper in &share.keepers {
            let lost_its_disk = self.machines[index(keeper)].least_epoch >= ballot.epoch.0;
            let is_new = share.joined(keeper) > position.ballot.epoch;
            if !lost_its_disk && !is_new && !self.machines[index(keeper)].disk.has(position) {
                self.history.break_it(format!("{keeper} lacks {position:?}, which was answered"));
            }
        }
    }

    pub fn note(&self, what: impl FnOnce() -> String) {
        if self.traced {
            println!("{:>12.6} {}", self.now.as_secs_f64(), what());
        }
    }

    /// Whether some primary has the lease, and all keepers are whole and equal.
    pub fn is_whole(&self) -> bool {
        let keepers = self.keepers();
        let applied = keepers.iter().map(|i| {
            let keeper = self.machines[*i].keeper.as_ref()?;
            Some(keeper.catalog()?.applied())
        });
        let applied: Vec<_> = applied.collect();
        let primaries = keepers.iter().filter(|i| {
            let keeper = self.machines[**i].keeper.as_ref();
            keeper.is_some_and(|keeper| keeper.status().role == KeeperRole::Primary)
        });
        primaries.count() == 1 && applied.iter().all(|one| one.is_some() && *one == applied[0])
    }
}

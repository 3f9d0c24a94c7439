//! A group of members in this process, for tests: disks in memory, and a network that does to each
//! message what the test says. Time is that of the runtime: paused, it costs nothing to wait.

use super::clients::Clients;
use super::convert;
use super::handle::{Channels, Handle};
use super::{Begin, Command, Told};
use crate::agreement;
use memberd_council::{Identity, Keeper, Share, ShareChange, View};
use memberd_files::store::sim_disk::SimDisk;
use memberd_files::store::{Store, StoreSettings};
use memberd_files::{
    BootTime, FilesMessage, Member, MemberOutput, MemberSettings, Name, Now, OnDisk,
};
use memberd_membership::{Incarnation, WallTime};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives,
    Lost,
    /// It comes once [`Group::release`] is called.
    Held,
}

type Judge = Box<dyn FnMut(usize, usize, &FilesMessage) -> Fate + Send>;

/// From whom, to whom, what.
type Mail = VecDeque<(usize, usize, FilesMessage)>;

/// What the test changes while the group runs.
struct Wires {
    judge: Judge,
    held: Mail,
    /// What comes next.
    mail: Mail,
}

/// A group. Its clients are at the last member, which keeps no share if there are more than three.
pub(crate) struct Group {
    pub(crate) handle: Handle,
    wires: Arc<Mutex<Wires>>,
    woken: Arc<Notify>,
}

impl Group {
    /// So many members, which agree at once on whatever is asked of the council.
    pub(crate) fn start(count: usize) -> Group {
        let view = first_view(count);
        let (commands, asked) = mpsc::channel(8);
        let (shown, watched) = watch::channel(shown_of(&view));
        let (handle, channels) = Handle::new(agreement::Handle::of(commands, watched));
        let judge: Judge = Box::new(|_, _, _| Fate::Arrives);
        let wires = Wires { judge, held: Mail::new(), mail: Mail::new() };
        let (wires, woken) = (Arc::new(Mutex::new(wires)), Arc::new(Notify::new()));
        let nodes = (0..count).map(Node::start).collect();
        let began = Instant::now();
        let world = World {
            nodes,
            view,
            shown,
            clients: Clients::default(),
            wires: Arc::clone(&wires),
            began,
        };
        tokio::spawn(world.run(channels, asked, Arc::clone(&woken)));
        Group { handle, wires, woken }
    }

    /// Decides on each message from now on, by the numbers of sender and receiver.
    pub(crate) fn judge(
        &self,
        judge: impl FnMut(usize, usize, &FilesMessage) -> Fate + Send + 'static,
    ) {
        self.wires.lock().unwrap().judge = Box::new(judge);
    }

    /// All arrives again, but what is held.
    pub(crate) fn heal(&self) {
        self.judge(|_, _, _| Fate::Arrives);
    }

    /// What was held comes now. Returns how much that is.
    pub(crate) fn release(&self) -> usize {
        let mut wires = self.wires.lock().unwrap();
        let held = std::mem::take(&mut wires.held);
        let count = held.len();
        wires.mail.extend(held);
        self.woken.notify_one();
        count
    }

    /// How many messages are held.
    pub(crate) fn held(&self) -> usize {
        self.wires.lock().unwrap().held.len()
    }
}

struct Node {
    member: Member,
    store: Store<SimDisk>,
}

impl Node {
    fn start(number: usize) -> Node {
        let salt = number as u64 + 1;
        let settings = StoreSettings { space_bytes: 1 << 40, salt };
        let mut store = Store::open(SimDisk::default(), settings).unwrap();
        let on_disk = OnDisk::load(&mut store).unwrap();
        let (settings, now) = (MemberSettings::default(), now(Duration::ZERO));
        Node { member: Member::new(name(number), settings, on_disk, salt, now), store }
    }
}

struct World {
    nodes: Vec<Node>,
    view: View,
    shown: watch::Sender<agreement::Shown>,
    clients: Clients,
    wires: Arc<Mutex<Wires>>,
    began: Instant,
}

impl World {
    async fn run(
        mut self,
        mut channels: Channels,
        mut asked: mpsc::Receiver<agreement::Command>,
        woken: Arc<Notify>,
    ) {
        self.show();
        loop {
            self.settle();
            let due = self.nodes.iter().filter_map(|node| node.member.poll_timeout()).min();
            let due = due.map_or(Duration::MAX, |due| due.since(now(Duration::ZERO).boot));
            let due = self.began + due.min(Duration::from_secs(1 << 20));
            tokio::select! {
                biased;
                command = channels.commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                Some(client) = channels.cancelled.recv() => {
                    if self.clients.remove(client) {
                        let now = self.now();
                        self.local().cancel(now, client);
                    }
                }
                Some(command) = asked.recv() => self.agree(command),
                () = woken.notified() => {}
                () = sleep_until(due) => {
                    let now = self.now();
                    for node in &mut self.nodes {
                        if node.member.poll_timeout().is_some_and(|at| at <= now.boot) {
                            node.member.handle_timeout(now);
                        }
                    }
                }
            }
        }
    }

    fn now(&self) -> Now {
        now(self.began.elapsed())
    }

    /// The member at which the clients are.
    fn local(&mut self) -> &mut Member {
        &mut self.nodes.last_mut().unwrap().member
    }

    fn show(&mut self) {
        let (now, seen) = (self.now(), convert::files_view(&self.view, &Arc::default()));
        let seen = Arc::new(seen);
        for node in &mut self.nodes {
            node.member.handle_view(now, Arc::clone(&seen));
        }
        self.shown.send_replace(shown_of(&self.view));
    }

    fn agree(&mut self, command: agreement::Command) {
        let agreement::Command::ChangeShare { change, reply } = command else {
            panic!("{command:?}")
        };
        self.view.number = self.view.number.next();
        let at = self.view.epoch();
        let share = match change {
            ShareChange::Add { name, .. } if self.view.share(&name).is_some() => {
                self.view.share(&name).cloned()
            }
            ShareChange::Add { name, keepers: wanted } => {
                let keepers = self.view.members.iter().take(wanted.get());
                let keeper =
                    |of: &Identity| Keeper { name: of.name.clone(), since: at, whole: true };
                let keepers = keepers.map(keeper).collect();
                self.view.shares.push(Share { name, added: at, changed: at, wanted, keepers });
                self.view.shares.last().cloned()
            }
            ShareChange::Remove { name, .. } => {
                self.view.shares.retain(|share| share.name != name);
                None
            }
            change => panic!("{change:?}"),
        };
        self.show();
        let _ = reply.send(Ok(share));
    }

    fn command(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Begin(begin) => {
                let Begin { client, operation, told, place } = *begin;
                self.clients.add(client, told, place);
                self.local().begin(now, client, operation);
            }
            Command::Push { client, bytes, taken } => self.clients.push(client, bytes, taken),
            Command::End(client) => self.local().end(now, client),
            Command::Taken(client) => self.local().taken(now, client),
            command => panic!("{command:?}"),
        }
    }

    /// Does all that can be done without waiting.
    fn settle(&mut self) {
        loop {
            let mut is_quiet = true;
            for at in 0..self.nodes.len() {
                while let Some(output) = self.nodes[at].member.poll_output() {
                    is_quiet = false;
                    self.output(at, output);
                }
                let now = self.now();
                let node = &mut self.nodes[at];
                node.store.commit();
                while let Some((id, result)) = node.store.poll_done() {
                    is_quiet = false;
                    node.member.handle_job(now, id, result);
                }
            }
            let next = self.wires.lock().unwrap().mail.pop_front();
            if let Some((from, to, message)) = next {
                is_quiet = false;
                let now = self.now();
                self.nodes[to].member.handle_message(now, &name(from), message);
            }
            let (now, last) = (self.now(), self.nodes.len() - 1);
            if is_quiet && !self.clients.feed(&mut self.nodes[last].member, now) {
                return;
            }
        }
    }

    fn output(&mut self, at: usize, output: MemberOutput) {
        match output {
            MemberOutput::Send { to, message } => {
                let to = (0..self.nodes.len()).find(|number| name(*number) == to).unwrap();
                let wires = &mut *self.wires.lock().unwrap();
                match (wires.judge)(at, to, &message) {
                    Fate::Arrives => wires.mail.push_back((at, to, message)),
                    Fate::Held => wires.held.push_back((at, to, message)),
                    Fate::Lost => {}
                }
            }
            MemberOutput::Job { id, job } => self.nodes[at].store.take(id, job),
            MemberOutput::Length { client, file, length, is_newest } => {
                self.clients.tell(client, Told::Length { file, length, is_newest });
            }
            MemberOutput::Data { client, bytes } => {
                self.clients.tell(client, Told::Data(bytes));
            }
            MemberOutput::Done { client, result } => {
                self.clients.tell(client, Told::Done(result));
                self.clients.remove(client);
            }
            MemberOutput::Fill { .. } | MemberOutput::Lose { .. } | MemberOutput::Note(_) => {}
        }
    }
}

fn name(number: usize) -> Name {
    Name::new(&format!("vm{number}")).unwrap()
}

fn now(since: Duration) -> Now {
    let boot = BootTime::from_epoch(Duration::from_secs(1_000) + since);
    let wall = 1_795_000_000_000 + u64::try_from(since.as_millis()).unwrap();
    Now { boot, wall: WallTime(wall) }
}

fn first_view(count: usize) -> View {
    let mut view = View::genesis(&[name(0)]);
    let address = "127.0.0.1:1".parse().unwrap();
    let member = |number| Identity { name: name(number), address, incarnation: Incarnation(1) };
    view.members = (0..count).map(member).collect();
    view.number = view.number.next();
    view
}

fn shown_of(view: &View) -> agreement::Shown {
    agreement::Shown { view: Arc::new(view.clone()), leader: None, exclusive: false }
}

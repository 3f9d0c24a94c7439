//! Starts, watches and crashes a group of agents. A [`Group`] owns their processes and the list of
//! each.

use crate::agent::{Place, Program};
use crate::pass;
use memberd_membership::Position;
use memberd_tests::Network;
use memberd_tests::log::Change;
use memberd_tests::process::Running;
use nix::sys::signal::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The longest time to wait for a condition.
pub(crate) use memberd_tests::bench::LIMIT;

/// The pause between two reads of the logs.
const PAUSE: Duration = Duration::from_millis(5);

/// One change that a log reported.
#[derive(Debug)]
struct Said {
    at: Instant,
    observer: usize,
    incarnation: u32,
    change: Change,
    subject: usize,
}

/// One agent and its list.
#[derive(Debug, Default)]
struct Agent {
    process: Option<Running>,
    /// How many times the agent was started.
    incarnation: u32,
    /// The other agents in its list, with the time of their entry.
    list: BTreeMap<usize, Instant>,
    /// The agents that it no longer lists, with the time of their removal.
    gone: BTreeMap<usize, Instant>,
}

/// A report that a live member has failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FalseFailure {
    pub(crate) observer: usize,
    pub(crate) subject: usize,
}

/// Agents `vm1`, `vm2`, and so on. `vm1` is the introducer.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    program: Program,
    network: &'a Network,
    /// Whether all agents are on one machine of the network.
    crowded: bool,
    sealed: bool,
    agents: Vec<Agent>,
    said: (Sender<Said>, Receiver<Said>),
    last_change: Instant,
    false_failures: Vec<FalseFailure>,
    directory: TempDir,
}

impl<'a> Group<'a> {
    /// A group with one agent on each machine. None runs yet.
    pub(crate) fn new(program: Program, network: &'a Network) -> Self {
        Group {
            program,
            network,
            crowded: false,
            sealed: false,
            agents: (0..network.machines()).map(|_| Agent::default()).collect(),
            said: channel(),
            last_change: Instant::now(),
            false_failures: Vec::new(),
            directory: tempfile::Builder::new()
                .prefix("memberd-peers-")
                .tempdir()
                .expect("a temporary directory"),
        }
    }

    /// A group of `agents` on the first machine, on loopback addresses.
    pub(crate) fn crowded(program: Program, network: &'a Network, agents: usize) -> Self {
        let mut group = Group::new(program, network);
        group.crowded = true;
        group.agents = (0..agents).map(|_| Agent::default()).collect();
        group
    }

    /// Makes the agents seal their messages with a key.
    pub(crate) fn sealed(mut self) -> Self {
        self.sealed = true;
        self
    }

    pub(crate) fn program(&self) -> Program {
        self.program
    }

    pub(crate) fn network(&self) -> &'a Network {
        self.network
    }

    pub(crate) fn size(&self) -> usize {
        self.agents.len()
    }

    pub(crate) fn place(&self, number: usize) -> Place {
        Place {
            number,
            namespace: self.namespace(number),
            address: self.address(number),
            introducer: self.address(1),
            directory: self.directory.path().join(format!("vm{number}")),
            sealed: self.sealed,
        }
    }

    fn namespace(&self, number: usize) -> PathBuf {
        self.network.namespace(if self.crowded { 1 } else { small(number) })
    }

    fn address(&self, number: usize) -> SocketAddr {
        match self.crowded {
            true => ([127, 88, small(number / 250), small(1 + number % 250)], 8946).into(),
            false => self.network.address(small(number)),
        }
    }

    /// The numbers of all agents.
    pub(crate) fn numbers(&self) -> Vec<usize> {
        (1..=self.agents.len()).collect()
    }

    /// All agents but the introducer, beginning with any of them.
    pub(crate) fn any_others(&self, seed: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (2..=self.agents.len()).collect();
        let middle = seed * 7 % numbers.len();
        numbers.rotate_left(middle);
        numbers
    }

    /// All agents in the order of memberd's ring.
    pub(crate) fn ring(&self) -> Vec<usize> {
        let mut numbers = self.numbers();
        numbers.sort_by_key(|number| Position::of(self.address(*number)));
        numbers
    }

    fn agent(&mut self, number: usize) -> &mut Agent {
        &mut self.agents[number - 1]
    }

    /// Starts one agent.
    pub(crate) fn start(&mut self, number: usize) {
        let (place, program, sender) = (self.place(number), self.program, self.said.0.clone());
        let mut process = Running::start(&mut program.command(&place));
        let child = process.child();
        let log: Box<dyn Read + Send> = match (child.stdout.take(), child.stderr.take()) {
            (Some(out), _) => Box::new(out),
            (None, Some(err)) => Box::new(err),
            (None, None) => panic!("{} has no log to read", program.name),
        };
        let agent = self.agent(number);
        *agent = Agent {
            process: Some(process),
            incarnation: agent.incarnation + 1,
            ..Agent::default()
        };
        let incarnation = agent.incarnation;
        thread::spawn(move || follow(log, program, number, incarnation, &sender));
    }

    /// Starts all agents at once.
    pub(crate) fn start_all(&mut self) {
        self.numbers().into_iter().for_each(|number| self.start(number));
    }

    /// Kills an agent, and returns the moment just before.
    pub(crate) fn kill(&mut self, number: usize) -> Instant {
        let at = self.signal(number, Signal::SIGKILL);
        self.agent(number).process = None;
        at
    }

    /// Sends a signal to an agent, and returns the moment just before.
    pub(crate) fn signal(&mut self, number: usize, signal: Signal) -> Instant {
        self.process(number).signal(signal)
    }

    /// Waits until an agent has ended after a signal.
    pub(crate) fn wait_for_end(&mut self, number: usize) {
        self.process(number).wait(LIMIT);
        self.agent(number).process = None;
    }

    fn process(&mut self, number: usize) -> &mut Running {
        self.agent(number).process.as_mut().unwrap_or_else(|| panic!("vm{number} does not run"))
    }

    /// The process ids of the running agents.
    pub(crate) fn pids(&self) -> Vec<nix::unistd::Pid> {
        self.agents.iter().filter_map(|agent| agent.process.as_ref()).map(Running::pid).collect()
    }

    /// Kills all agents.
    pub(crate) fn kill_all(&mut self) {
        let running: Vec<usize> = self.running().into_iter().collect();
        // All signals go first, so that no agent has time to report another.
        for number in &running {
            self.signal(*number, Signal::SIGKILL);
        }
        for number in running {
            self.agent(number).process = None;
        }
    }

    fn running(&self) -> BTreeSet<usize> {
        let numbered = self.agents.iter().enumerate();
        numbered.filter(|(_, agent)| agent.process.is_some()).map(|(index, _)| index + 1).collect()
    }

    /// Reads the changes that the logs reported since the last call.
    pub(crate) fn look(&mut self) {
        while let Ok(said) = self.said.1.try_recv() {
            self.take(&said);
        }
    }

    fn take(&mut self, &Said { at, observer, incarnation, change, subject }: &Said) {
        let is_running = self.agents.get(subject - 1).is_some_and(|agent| agent.process.is_some());
        let agent = self.agent(observer);
        if agent.incarnation != incarnation || observer == subject {
            return;
        }
        let changed = match change {
            Change::Joined => {
                agent.gone.remove(&subject);
                agent.list.insert(subject, at).is_none()
            }
            Change::Failed | Change::Left => {
                agent.gone.insert(subject, at);
                agent.list.remove(&subject).is_some()
            }
        };
        if changed {
            self.last_change = self.last_change.max(at);
        }
        if is_running && change == Change::Failed {
            self.false_failures.push(FalseFailure { observer, subject });
        }
    }

    /// Whether the list of every running agent holds exactly the running agents.
    pub(crate) fn is_whole(&self) -> bool {
        let running = self.running();
        running.iter().all(|number| {
            let list = &self.agents[number - 1].list;
            list.len() + 1 == running.len() && list.keys().all(|listed| running.contains(listed))
        })
    }

    /// When a list last changed.
    pub(crate) fn last_change(&self) -> Instant {
        self.last_change
    }

    /// The time from this moment until the last change, in seconds. It is infinite if a list is not
    /// whole.
    pub(crate) fn whole_after(&self, since: Instant) -> f64 {
        if self.is_whole() {
            self.last_change.saturating_duration_since(since).as_secs_f64()
        } else {
            f64::INFINITY
        }
    }

    /// When each other running agent removed this one from its list; `None` if it still lists it.
    pub(crate) fn gone_from(&self, subject: usize) -> Vec<Option<Instant>> {
        let others = self.running().into_iter().filter(|number| *number != subject);
        others.map(|number| self.agents[number - 1].gone.get(&subject).copied()).collect()
    }

    /// Whether all other running agents have removed this one.
    pub(crate) fn all_noticed(&self, subject: usize) -> bool {
        self.gone_from(subject).iter().all(Option::is_some)
    }

    /// The times from this moment until the first and until every other agent removed this one. A
    /// time is infinite if that has not happened.
    pub(crate) fn noticed(&self, subject: usize, since: Instant) -> (f64, f64) {
        let seconds = |at: Option<Instant>| {
            at.map_or(f64::INFINITY, |at| at.saturating_duration_since(since).as_secs_f64())
        };
        let times = self.gone_from(subject).into_iter().map(seconds);
        times.fold((f64::INFINITY, 0.0), |(first, every), time| {
            (f64::min(first, time), f64::max(every, time))
        })
    }

    /// The reports since the last call that a live member has failed.
    pub(crate) fn false_failures(&mut self) -> Vec<FalseFailure> {
        self.look();
        std::mem::take(&mut self.false_failures)
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        self.kill_all();
    }
}

fn small(number: usize) -> u8 {
    u8::try_from(number).expect("at most 250 machines")
}

/// Reads a log until its end.
fn follow(
    log: Box<dyn Read + Send>,
    program: Program,
    observer: usize,
    incarnation: u32,
    sender: &Sender<Said>,
) {
    for line in BufReader::new(log).lines().map_while(Result::ok) {
        let at = Instant::now();
        if let Some((change, subject)) = program.heard(&line)
            && sender.send(Said { at, observer, incarnation, change, subject }).is_err()
        {
            return;
        }
    }
}

/// The condition did not hold within [`LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InVain;

/// Waits until the condition holds for every group.
pub(crate) fn until(
    groups: &mut [Group],
    holds: impl Fn(usize, &Group) -> bool,
) -> Result<(), InVain> {
    let start = Instant::now();
    loop {
        groups.iter_mut().for_each(Group::look);
        if groups.iter().enumerate().all(|(index, group)| holds(index, group)) {
            return Ok(());
        }
        if start.elapsed() >= LIMIT {
            return Err(InVain);
        }
        pass(PAUSE);
    }
}

/// Waits until all lists have been whole and unchanged for the time `quiet`.
pub(crate) fn until_whole(groups: &mut [Group], quiet: Duration) -> Result<(), InVain> {
    let start = Instant::now();
    until(groups, |_, group| {
        group.is_whole() && group.last_change().elapsed() >= quiet && start.elapsed() >= quiet
    })
}

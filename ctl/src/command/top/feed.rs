//! The inputs of the screen: threads poll the daemon, follow its events and read keys. All of them
//! feed one bounded queue.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use memberd_control::message::{EventsFrom, MemberRecord, Reply, Request, RingPart, StatusReport};
use nix::sys::signal::{SigSet, Signal};
use ratatui::crossterm::event::{self, Event as TerminalEvent, KeyEvent};

use crate::changes::{Changes, Resumption, Update};
use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::{Exit, Failure};
use crate::{format, members, report};

/// How many of the latest changes are requested and kept.
pub(super) const EVENTS_KEPT: u64 = 100;

/// The pause between two polls of the daemon.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// How long the daemon may take for one reply.
const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(5));

/// How many inputs wait for the screen. A thread that has more must wait, such as a grep's.
const QUEUE: usize = 256;

/// An input that changes the screen.
#[derive(Debug)]
pub(super) enum Input {
    /// The daemon's report and list.
    Snapshot(Box<Snapshot>),
    /// The daemon does not answer, for this reason.
    Lost(String),
    /// A membership change, or a gap.
    Update(Update),
    /// A key.
    Key(KeyEvent),
    /// A line of the grep with this number.
    GrepLine(u64, String),
    /// The grep with this number has ended, and how.
    SearchEnded(u64, String),
    /// The terminal's size has changed.
    Resized,
    /// A signal asks to quit.
    Quit,
}

/// The state of the daemon at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) report: StatusReport,
    /// None while it has not changed.
    pub(super) group: Option<Group>,
}

/// Whom the daemon lists.
#[derive(Debug)]
pub(super) struct Group {
    /// All members, also those that failed or left; empty while the daemon is in no group.
    pub(super) members: Vec<MemberRecord>,
    pub(super) ring: RingPart,
}

/// The signals that are blocked.
#[derive(Clone, Copy)]
pub(super) struct Signals(SigSet);

/// Blocks the signals that end a program. They become inputs, so that the terminal is always
/// restored. This must be called before other threads are started.
pub(super) fn block_signals() -> Result<Signals, Failure> {
    let held: SigSet = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT].into_iter().collect();
    held.thread_block().map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot hold back signals: {error}"))
    })?;
    Ok(Signals(held))
}

/// The receiving end of the queue.
pub(super) struct Feed {
    inputs: Receiver<Input>,
    sender: SyncSender<Input>,
}

impl Feed {
    /// Starts the threads, which end with the program.
    pub(super) fn start(daemon: Daemon, signals: Signals) -> Feed {
        let (sender, inputs) = sync_channel(QUEUE);
        let (asking, following, keys, ending) =
            (sender.clone(), sender.clone(), sender.clone(), sender.clone());
        let events_of = daemon.clone();
        thread::spawn(move || ask(&daemon, &asking));
        thread::spawn(move || follow(&events_of, &following));
        thread::spawn(move || read_keys(&keys));
        thread::spawn(move || {
            if signals.0.wait().is_ok() {
                let _ = ending.send(Input::Quit);
            }
        });
        Feed { inputs, sender }
    }

    /// Waits for the next input; none if no thread can send one.
    pub(super) fn next(&self) -> Option<Input> {
        self.inputs.recv().ok()
    }

    /// A sender for another thread.
    pub(super) fn sender(&self) -> SyncSender<Input> {
        self.sender.clone()
    }
}

/// Fetches everything once.
pub(super) fn fetch(daemon: &Daemon) -> Result<Snapshot, Failure> {
    let report = report::fetch(daemon)?;
    Ok(Snapshot { report, group: Some(group(daemon)?) })
}

fn group(daemon: &Daemon) -> Result<Group, Failure> {
    let outside = |failure: Failure| {
        if matches!(failure, Failure::NotInGroup) { Ok(()) } else { Err(failure) }
    };
    let members =
        members::fetch(daemon, true).or_else(|failure| outside(failure).map(|()| Vec::new()))?;
    let nobody = || RingPart { max_simultaneous_failures: 0, names: Vec::new() };
    let ring = ring(daemon).or_else(|failure| outside(failure).map(|()| nobody()))?;
    Ok(Group { members, ring })
}

/// As [`fetch`], but fetches the list only if it may have changed since `known`: in a large group
/// it is long.
fn fetch_again(daemon: &Daemon, known: &mut Option<ListState>) -> Result<Snapshot, Failure> {
    let report = report::fetch(daemon)?;
    let state = Some((
        report.id.clone(),
        report.digest.clone(),
        [report.alive, report.failed, report.left, report.suspected],
    ));
    // The digest does not say who is suspected.
    let same = *known == state && report.suspected == 0;
    let group = if same { None } else { Some(group(daemon)?) };
    *known = state;
    Ok(Snapshot { report, group })
}

/// What identifies the contents of a list: the daemon's id, the digest, and the number of members
/// of each status, and of those that are suspected.
type ListState = (Option<String>, String, [u64; 4]);

fn ring(daemon: &Daemon) -> Result<RingPart, Failure> {
    let mut connection = Connection::ask(daemon, &Request::Ring, REPLY_TIMEOUT)?;
    let mut ring = RingPart { max_simultaneous_failures: 0, names: Vec::new() };
    loop {
        match connection.reply()? {
            Reply::Ring(part) => {
                ring.max_simultaneous_failures = part.max_simultaneous_failures;
                ring.names.extend(part.names);
            }
            Reply::Done => return Ok(ring),
            _ => return Err(unexpected_reply()),
        }
    }
}

/// The newest changes that the daemon remembers.
pub(super) fn past(daemon: &Daemon) -> Result<Vec<Update>, Failure> {
    let mut changes =
        Changes::follow(daemon, EventsFrom::Last(EVENTS_KEPT), Some(format::now()), REPLY_TIMEOUT)?;
    let mut past = Vec::new();
    while let Some(update) = changes.next()? {
        past.push(update);
    }
    Ok(past)
}

fn ask(daemon: &Daemon, sender: &SyncSender<Input>) {
    let mut known = None;
    loop {
        let input = match fetch_again(daemon, &mut known) {
            Ok(snapshot) => Input::Snapshot(Box::new(snapshot)),
            Err(failure) => {
                known = None;
                Input::Lost(failure.to_string())
            }
        };
        if sender.send(input).is_err() {
            return;
        }
        thread::sleep(POLL_EVERY);
    }
}

/// Follows the events, and reconnects if the daemon goes away.
fn follow(daemon: &Daemon, sender: &SyncSender<Input>) {
    let mut resumption = Resumption::new(EventsFrom::Last(EVENTS_KEPT));
    loop {
        if let Ok(mut changes) =
            Changes::follow(daemon, resumption.from(), None, ReplyTimeout::Never)
        {
            while let Ok(Some(update)) = changes.next() {
                if resumption.is_new(&update) && sender.send(Input::Update(update)).is_err() {
                    return;
                }
            }
        }
        thread::sleep(POLL_EVERY);
    }
}

fn read_keys(sender: &SyncSender<Input>) {
    while let Ok(event) = event::read() {
        let input = match event {
            TerminalEvent::Key(key) if key.is_press() => Input::Key(key),
            TerminalEvent::Resize(..) => Input::Resized,
            _ => continue,
        };
        if sender.send(input).is_err() {
            return;
        }
    }
    // Without keys the user could never quit.
    let _ = sender.send(Input::Quit);
}

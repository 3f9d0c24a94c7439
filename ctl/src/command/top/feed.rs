//! Where the screen's contents come from: threads that ask the daemon, follow its events, and read
//! keys, all into one bounded queue.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use memberd_control::message::{EventsFrom, MemberRecord, Reply, Request, RingPart, StatusReport};
use nix::sys::signal::{SigSet, Signal};
use ratatui::crossterm::event::{self, Event as TerminalEvent, KeyEvent};

use crate::changes::{Changes, Resumption, Told};
use crate::connection::{Connection, Daemon, Patience, out_of_place};
use crate::exit::{Exit, Failure};
use crate::{format, members, report};

/// How many of the latest changes are asked for, and kept.
pub(super) const EVENTS_KEPT: u64 = 100;

/// How often the daemon is asked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the daemon may take for one answer.
const PATIENCE: Patience = Patience::For(Duration::from_secs(5));

/// How many inputs wait for the screen. Whoever brings more waits, a grep for instance.
const QUEUE: usize = 256;

/// Anything that changes the screen.
#[derive(Debug)]
pub(super) enum Input {
    /// How the daemon is doing, and whom it lists.
    Snapshot(Box<Snapshot>),
    /// The daemon does not answer, and why.
    Lost(String),
    /// A membership change, or that some are missing.
    Told(Told),
    /// A key.
    Key(KeyEvent),
    /// A line of the grep of this number.
    Found(u64, String),
    /// That grep is over, and how it went.
    SearchEnded(u64, String),
    /// The terminal has another size.
    Resized,
    /// A signal: time to go.
    Quit,
}

/// What the daemon says at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) report: StatusReport,
    /// Nothing while it is as it was.
    pub(super) group: Option<Group>,
}

/// Whom the daemon lists.
#[derive(Debug)]
pub(super) struct Group {
    /// Everyone, the gone included; nobody while the daemon is in no group.
    pub(super) members: Vec<MemberRecord>,
    pub(super) ring: RingPart,
}

/// The signals that are held back.
#[derive(Clone, Copy)]
pub(super) struct Signals(SigSet);

/// From here on the signals that end a program are inputs, so that the terminal is always put
/// right. To be called before other threads are started.
pub(super) fn hold_back_signals() -> Result<Signals, Failure> {
    let held: SigSet = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT].into_iter().collect();
    held.thread_block().map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot hold back signals: {error}"))
    })?;
    Ok(Signals(held))
}

/// The queue's end.
pub(super) struct Feed {
    inputs: Receiver<Input>,
    sender: SyncSender<Input>,
}

impl Feed {
    /// Starts the threads. They end with the program.
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

    /// The next input; none if there can be none.
    pub(super) fn next(&self) -> Option<Input> {
        self.inputs.recv().ok()
    }

    /// For another thread that has something to bring.
    pub(super) fn sender(&self) -> SyncSender<Input> {
        self.sender.clone()
    }
}

/// Asks the daemon for everything once.
pub(super) fn look(daemon: &Daemon) -> Result<Snapshot, Failure> {
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

/// As [`look`], but the list, which is long in a large group, only if it may have changed since
/// `known`.
fn look_again(daemon: &Daemon, known: &mut Option<ListState>) -> Result<Snapshot, Failure> {
    let report = report::fetch(daemon)?;
    let state = Some((
        report.id.clone(),
        report.digest.clone(),
        [report.alive, report.failed, report.left],
    ));
    let group = if *known == state { None } else { Some(group(daemon)?) };
    *known = state;
    Ok(Snapshot { report, group })
}

/// By what a list is known to be the same: who asks, its digest, and how many are in which
/// standing.
type ListState = (Option<String>, String, [u64; 3]);

fn ring(daemon: &Daemon) -> Result<RingPart, Failure> {
    let mut connection = Connection::ask(daemon, &Request::Ring, PATIENCE)?;
    let mut ring = RingPart { max_simultaneous_failures: 0, names: Vec::new() };
    loop {
        match connection.reply()? {
            Reply::Ring(part) => {
                ring.max_simultaneous_failures = part.max_simultaneous_failures;
                ring.names.extend(part.names);
            }
            Reply::Done => return Ok(ring),
            _ => return Err(out_of_place()),
        }
    }
}

/// The newest changes that the daemon remembers.
pub(super) fn past(daemon: &Daemon) -> Result<Vec<Told>, Failure> {
    let mut changes =
        Changes::until(daemon, EventsFrom::Last(EVENTS_KEPT), format::now(), PATIENCE)?;
    let mut past = Vec::new();
    while let Some(told) = changes.next()? {
        past.push(told);
    }
    Ok(past)
}

fn ask(daemon: &Daemon, sender: &SyncSender<Input>) {
    let mut known = None;
    loop {
        let input = match look_again(daemon, &mut known) {
            Ok(snapshot) => Input::Snapshot(Box::new(snapshot)),
            Err(failure) => {
                known = None;
                Input::Lost(failure.to_string())
            }
        };
        if sender.send(input).is_err() {
            return;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Follows the events, of the next daemon too if this one goes away.
fn follow(daemon: &Daemon, sender: &SyncSender<Input>) {
    let mut resumption = Resumption::new(EventsFrom::Last(EVENTS_KEPT));
    loop {
        if let Ok(mut changes) = Changes::follow(daemon, resumption.from(), Patience::Endless) {
            while let Ok(Some(told)) = changes.next() {
                if resumption.is_new(&told) && sender.send(Input::Told(told)).is_err() {
                    return;
                }
            }
        }
        thread::sleep(LOOK_EVERY);
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
    // Without keys nobody could ever leave.
    let _ = sender.send(Input::Quit);
}

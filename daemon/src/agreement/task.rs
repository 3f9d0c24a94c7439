//! The task that owns the [`Council`]. It hands messages, the list, writes, timers and commands to
//! the council, and carries out what the council asks for. It never waits for a disk, a client or
//! another member.

mod commands;
mod events;
mod steps;

use super::changes::ViewChanges;
use super::history::History;
use super::holds::Holds;
use super::links::{Keep, Links, Noticed, Sign};
use super::list::Standings;
use super::writer::{Life, Writer};
use super::{Command, Settled, Shown};
use crate::boot_time::{self, BootTimer};
use memberd_council::{
    BootTime, ClaimError, ConfirmId, Confirmation, Council, Message, Name, Now, Output,
    RecoveryError, Settings, Share, ShareError, Standing, Term, ViewId, WriteId,
};
use memberd_membership::ViewNews;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tracing::{debug, error};

/// The most messages that the task takes before it does anything else.
const DRAIN: usize = 64;

/// Why it cannot go on.
const NO_WRITER: &str = "the thread that writes the agreement file has ended";

/// The parts that the task starts with.
#[derive(Debug)]
pub(super) struct Parts {
    /// The protocol.
    pub(super) council: Council,
    /// With which it can be made again.
    pub(super) settings: Settings,
    /// This machine.
    pub(super) name: Name,
    /// Until when a former process of this machine may have told a lease.
    pub(super) silent_until: BootTime,
    /// Writes the file.
    pub(super) writer: Writer,
    /// Sends messages.
    pub(super) links: Links,
    /// Fires when the council is to be woken.
    pub(super) timer: BootTimer,
    /// Where messages of other members arrive.
    pub(super) incoming: mpsc::Receiver<Message>,
    /// The list of the membership.
    pub(super) list: watch::Receiver<Standings>,
    /// Which views other members have.
    pub(super) views: broadcast::Receiver<(Name, ViewNews)>,
    /// Takes what is to be spread.
    pub(super) gossip: watch::Sender<Option<ViewNews>>,
    /// What clients ask for.
    pub(super) commands: mpsc::Receiver<Command>,
    /// What is shown to all who wait.
    pub(super) shown: watch::Sender<Shown>,
}

/// The owner of the council.
pub(super) struct Agreement {
    parts: Parts,
    /// Which council of this daemon it is.
    life: Life,
    addresses: HashMap<Name, SocketAddr>,
    history: History,
    changes: ViewChanges,
    holds: Holds,
    /// The term in which this machine led and whose work may still run.
    lost: Option<Term>,
    leader_since: BootTime,
    confirmed_by: usize,
    heard: BTreeMap<Name, BootTime>,
    installed: u64,
    elected: u64,
    next_question: u64,
    questions: HashMap<ConfirmId, oneshot::Sender<Confirmation>>,
    claims: HashMap<u64, oneshot::Sender<Result<Settled, ClaimError>>>,
    shares: HashMap<u64, ShareReply>,
    releases: Vec<oneshot::Sender<()>>,
    recovery: Option<oneshot::Sender<Result<(), RecoveryError>>>,
    steps: steps::Steps,
}

/// Receives what became of a change of the shares.
type ShareReply = oneshot::Sender<Result<Option<Share>, ShareError>>;

/// What woke the task.
enum Wake {
    Message(Message),
    Sign(Sign),
    Written(Life, WriteId),
    Timer,
    List(Arc<Vec<Standing>>),
    Heard(Name, ViewNews),
    Command(Command),
    Nothing,
    End,
}

impl Agreement {
    pub(super) fn new(parts: Parts) -> Self {
        let now = boot_time::now();
        let mut history = History::default();
        history.add(parts.council.view(), &[], &[], now);
        Agreement {
            parts,
            life: Life::default(),
            addresses: HashMap::new(),
            history,
            changes: ViewChanges::new(now.wall),
            holds: Holds::default(),
            lost: None,
            leader_since: now.boot,
            confirmed_by: 0,
            heard: BTreeMap::new(),
            installed: 0,
            elected: 0,
            next_question: 0,
            questions: HashMap::new(),
            claims: HashMap::new(),
            shares: HashMap::new(),
            releases: Vec::new(),
            recovery: None,
            steps: steps::Steps::from_environment(),
        }
    }

    /// Runs until nobody sends commands any more.
    pub(super) async fn run(mut self) {
        loop {
            self.carry_out_all();
            if let Err(error) = self.parts.timer.set(self.due()) {
                error!(%error, "the timer of the agreement cannot be set");
            }
            match self.wake().await {
                Ok(Wake::End) => return,
                Ok(wake) => self.take(wake),
                Err(error) => {
                    error!(%error, "the agreed views end: start memberd again");
                    return;
                }
            }
            // More messages may have come together.
            for _ in 0..DRAIN {
                let Ok(message) = self.parts.incoming.try_recv() else { break };
                self.take(Wake::Message(message));
            }
        }
    }

    async fn wake(&mut self) -> io::Result<Wake> {
        let Parts { timer, incoming, list, views, commands, writer, links, .. } = &mut self.parts;
        Ok(tokio::select! {
            // What is due comes first, and then what others wait for.
            biased;
            fired = timer.fired() => fired.map(|()| Wake::Timer)?,
            written = writer.written() => {
                let (life, id) = written.ok_or_else(|| io::Error::other(NO_WRITER))?;
                Wake::Written(life, id)
            }
            Some(message) = incoming.recv() => Wake::Message(message),
            Some(sign) = links.sign() => Wake::Sign(sign),
            Ok(()) = list.changed() => {
                list.borrow_and_update().clone().map_or(Wake::Nothing, Wake::List)
            }
            news = views.recv() => match news {
                Ok((from, news)) => Wake::Heard(from, news),
                Err(RecvError::Lagged(_)) => Wake::Nothing,
                Err(RecvError::Closed) => Wake::End,
            },
            command = commands.recv() => command.map_or(Wake::End, Wake::Command),
        })
    }

    fn take(&mut self, wake: Wake) {
        let now = boot_time::now();
        match wake {
            Wake::Message(message) => {
                self.note_heard(&message, now);
                let (from, kind) = (&message.sender.name, message.body.kind());
                debug!(%from, kind, "agreement received");
                self.parts.council.handle_message(now, message);
            }
            Wake::Sign(sign) => self.take_sign(&sign, now),
            Wake::Written(life, id) if life == self.life => {
                self.parts.council.handle_written(now, id);
            }
            Wake::Timer => self.parts.council.handle_timeout(now),
            Wake::List(list) => {
                self.addresses = list
                    .iter()
                    .map(|one| (one.identity.name.clone(), one.identity.address))
                    .collect();
                self.parts.council.handle_list(now, &list);
            }
            Wake::Heard(from, news) => {
                self.parts.council.handle_gossip(now, &from, view_id(&news));
            }
            Wake::Command(command) => self.handle_command(command, now),
            Wake::Written(..) | Wake::Nothing | Wake::End => {}
        }
    }

    /// A link to an address where the member is not any more says nothing of it.
    fn take_sign(&mut self, sign: &Sign, now: Now) {
        let Sign { name, to, noticed } = sign;
        if self.address(name) != Some(*to) {
            return;
        }
        debug!(%name, ?noticed, "a link of the agreement noticed something");
        match noticed {
            Noticed::Refused => self.parts.council.handle_refusal(now, name),
            Noticed::Open => self.parts.council.handle_connection(now, name),
        }
    }

    /// Carries out all that the council asks for, and tells all who wait what has changed.
    fn carry_out_all(&mut self) {
        loop {
            while let Some(output) = self.parts.council.poll_output() {
                if !self.steps.is_over(&output) {
                    self.carry_out(output);
                }
            }
            if !self.let_go_if_over() {
                break;
            }
        }
        self.tell_lease();
        self.drop_abandoned();
        self.show();
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { to, message } => {
                let Some(address) = self.address(&to) else {
                    debug!(%to, "nobody knows the address of a member of the agreement");
                    return;
                };
                debug!(%to, kind = message.body.kind(), "agreement sends");
                let keep = self.keep(&to);
                self.parts.links.send(&to, address, keep, || message.encode());
            }
            Output::Write { id, durable } => self.parts.writer.write(self.life, id, durable),
            Output::Gossip(id) => drop(self.parts.gossip.send_replace(Some(view_news(&id)))),
            Output::Event(event) => self.handle_event(event, boot_time::now()),
        }
    }

    fn address(&self, name: &Name) -> Option<SocketAddr> {
        let listed = self.addresses.get(name).copied();
        listed.or_else(|| self.parts.council.view().member(name).map(|member| member.address))
    }

    fn keep(&self, to: &Name) -> Keep {
        let council = &self.parts.council;
        let has_seat = |name: &Name| council.view().council.iter().any(|voter| voter.name == *name);
        if has_seat(&council.own().name) && has_seat(to) { Keep::Voter } else { Keep::Other }
    }

    /// When the task is to be woken.
    fn due(&self) -> Option<BootTime> {
        let now = boot_time::now();
        let exclusive =
            self.parts.shown.borrow().leader.is_some() && !self.parts.shown.borrow().exclusive;
        let known = exclusive.then(|| self.leader_since + self.parts.settings.lease);
        // A leader that hands over is not exclusive either, and that moment is long over.
        let known = known.filter(|known| *known > now.boot);
        let over = self.lost.and(self.holds.until(now.boot));
        let silent = self.silence(now);
        let council = self.parts.council.poll_timeout();
        [council, known, over, silent].into_iter().flatten().min()
    }

    /// Until when no lease may be told, since a former process may have told one.
    fn silence(&self, now: Now) -> Option<BootTime> {
        (now.boot < self.parts.silent_until).then_some(self.parts.silent_until)
    }

    /// Tells the council that nothing runs under its lost term any more, once that is so.
    fn let_go_if_over(&mut self) -> bool {
        let now = boot_time::now();
        let Some(term) = self.lost.filter(|_| self.holds.until(now.boot).is_none()) else {
            return false;
        };
        self.lost = None;
        self.parts.council.let_go(now, term);
        true
    }

    fn tell_lease(&mut self) {
        let now = boot_time::now();
        let council = &self.parts.council;
        match (council.leads(), council.exclusive(now)) {
            (Some(term), Some(until)) if self.silence(now).is_none() => {
                self.holds.tell(term, until);
            }
            (Some(_), None) => self.holds.lose("the lease was not renewed in time"),
            (Some(_) | None, _) => {}
        }
        self.holds.forget_past(now.boot);
    }

    /// Shows what has changed to all who wait for something.
    fn show(&mut self) {
        let now = boot_time::now();
        let status = self.parts.council.status(now);
        let exclusive = self.is_exclusive(&status, now);
        let shown = Shown { view: status.view, leader: status.leader, exclusive };
        self.parts.shown.send_if_modified(|old| {
            let differs = old.leader != shown.leader
                || old.exclusive != shown.exclusive
                || !Arc::ptr_eq(&old.view, &shown.view);
            if differs {
                *old = shown;
            }
            differs
        });
    }

    /// Whether the leader is exclusive, as far as is known here. Another one is after a lease at
    /// the latest: by then every promise to its predecessor has run out.
    fn is_exclusive(&self, status: &memberd_council::Status, now: Now) -> bool {
        match &status.leader {
            Some(leader) if *leader == status.own => status.exclusive_until.is_some(),
            Some(_) => now.boot.since(self.leader_since) >= self.parts.settings.lease,
            None => false,
        }
    }

    fn note_heard(&mut self, message: &Message, now: Now) {
        let name = &message.sender.name;
        if self.parts.council.view().council.iter().any(|voter| voter.name == *name) {
            self.heard.insert(name.clone(), now.boot);
        }
    }
}

fn view_news(id: &ViewId) -> ViewNews {
    ViewNews {
        founding: id.lineage.founding,
        recoveries: id.lineage.recoveries,
        recovery: id.lineage.recovery,
        number: id.number.0,
        hash: id.hash.0,
    }
}

fn view_id(news: &ViewNews) -> ViewId {
    let ViewNews { founding, recoveries, recovery, number, hash } = *news;
    ViewId {
        lineage: memberd_council::Lineage { founding, recoveries, recovery },
        number: memberd_council::ViewNumber(number),
        hash: memberd_council::ViewHash(hash),
    }
}

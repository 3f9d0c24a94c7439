//! The task that owns the [`Node`]: datagrams, timers, calls and commands go in; what comes out is carried out.
//!
//! It never waits for a disk (but for a new incarnation, which has to be durable before it is used), for a client or for another
//! task, since a heartbeat that waits is a false failure.

use super::calls::Calls;
use super::history::History;
use super::measure::{Gauges, Measured};
use super::record::{event_record, member_record, tag_record};
use super::traffic::Traffic;
use super::{Command, Followed, Handle, JoinFailure, Joined, status};
use crate::keeper::Keeper;
use crate::log;
use crate::notify;
use crate::peer::call::Caller;
use crate::seal::Seal;
use crate::seal::datagram::MAX_SEALED;
use crate::seal::edge::{Edge, Incoming};
use crate::time::Clocks;
use memberd_control::message::{RingPart, StatusReport};
use memberd_ring::join::JoinError;
use memberd_ring::list::{Entry, Standing};
use memberd_ring::node::PhaseName;
use memberd_ring::time::millis;
use memberd_ring::topology::order;
use memberd_ring::{Event, Identity, Node, Now};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, info, warn};

/// The most datagrams taken in before anything else is looked at. More than the socket's buffer holds of the group's own traffic.
const DRAIN: usize = 1_024;

/// How soon a join that is to happen by itself is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// The kind of datagram that goes to whoever may be at an address, see [`memberd_ring::message::Body::kind`].
const KNOCK: &str = "knock";

/// What the task is made of.
#[derive(Debug)]
pub struct Parts {
    /// The protocol.
    pub node: Node,
    /// Bound to the member's address.
    pub socket: UdpSocket,
    /// How it speaks.
    pub seal: Seal,
    /// The state on disk.
    pub keeper: Keeper,
    /// Both clocks.
    pub clocks: Clocks,
    /// Those that could let this member in.
    pub introducers: Vec<SocketAddr>,
    /// Members of former days.
    pub remembered: Vec<SocketAddr>,
    /// Whether to join without being told, and to go on trying.
    pub join_by_itself: bool,
}

/// The owner of the node.
#[derive(Debug)]
pub struct Membership {
    node: Node,
    socket: UdpSocket,
    edge: Edge,
    keeper: Keeper,
    clocks: Clocks,
    handle: Handle,
    commands: mpsc::Receiver<Command>,
    calls: Calls,
    introducers: Vec<SocketAddr>,
    remembered: Vec<SocketAddr>,
    joining: Option<oneshot::Sender<Result<Joined, JoinFailure>>>,
    leaving: Vec<oneshot::Sender<bool>>,
    /// When the next try to join by itself is due, and how long to wait after that.
    retry: Option<(Instant, Duration)>,
    warned_of_join: bool,
    /// Whether the list has changed since it was last kept.
    list_changed: bool,
    started: Instant,
    traffic: Traffic,
    gauges: Gauges,
    history: History,
}

impl Membership {
    /// The task, ready to run.
    pub fn new(parts: Parts, handle: Handle, commands: mpsc::Receiver<Command>) -> Self {
        let Parts { node, socket, seal, keeper, clocks, introducers, remembered, join_by_itself } = parts;
        let started = Instant::now();
        let address = node.address();
        let (traffic, history) = (Traffic::new(node.group_settings()), History::new(clocks.now().wall.0));
        Membership {
            node,
            socket,
            edge: Edge::new(seal.clone(), address, keeper.incarnation()),
            keeper,
            clocks,
            handle,
            commands,
            calls: Calls::new(Caller { address, seal }),
            introducers,
            remembered,
            joining: None,
            leaving: Vec::new(),
            retry: join_by_itself.then_some((started, RETRY.0)),
            warned_of_join: false,
            list_changed: false,
            started,
            traffic,
            gauges: Gauges::new(),
            history,
        }
    }

    /// Runs until [`Command::End`], and gives the keeper back, for the last write.
    pub async fn run(mut self) -> Keeper {
        let mut watchdog = notify::Watchdog::new();
        notify::status(&self.status_line());
        loop {
            self.carry_out().await;
            let due = self.node.poll_timeout().map(|due| self.clocks.to_tokio(due));
            let wake = [due, watchdog.due(), self.retry.map(|(at, _)| at)].into_iter().flatten().min();
            tokio::select! {
                ready = self.socket.readable() => {
                    if let Err(error) = ready {
                        error!(%error, "cannot wait for datagrams");
                        return self.keeper;
                    }
                    self.drain_socket();
                }
                command = self.commands.recv() => match command {
                    Some(Command::End) | None => return self.keeper,
                    Some(command) => self.obey(command).await,
                },
                (id, reply) = self.calls.next() => {
                    let now = self.clocks.now();
                    self.node.handle_reply(now, id, reply.as_deref().map_err(Clone::clone));
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    self.gauges.lateness.observe(wake.map_or(Duration::ZERO, |wake| wake.elapsed()));
                    // A stalled daemon reads before it judges.
                    self.drain_socket();
                    self.node.handle_timeout(self.clocks.now());
                    watchdog.feed_if_due();
                    self.edge.tell_rest();
                    self.join_by_itself_if_due();
                }
            }
        }
    }

    fn drain_socket(&mut self) {
        let mut buffer = [0; MAX_SEALED + 1];
        for _ in 0..DRAIN {
            match self.socket.try_recv_from(&mut buffer) {
                Ok((length, from)) => self.take_datagram(from, &mut buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Such as an ICMP message that a former datagram could not be delivered.
                Err(error) => debug!(%error, "cannot receive a datagram"),
            }
        }
    }

    fn take_datagram(&mut self, from: SocketAddr, bytes: &mut [u8]) {
        let (bytes, life) = match self.edge.incoming(from, bytes) {
            Incoming::Said(bytes, life) => (bytes, life),
            Incoming::Reply(reply) => return self.send_back(from, &reply),
            Incoming::Nothing => return,
        };
        let now = self.clocks.now();
        match self.node.handle_datagram(now, from, bytes) {
            Ok(message) => {
                debug!(%from, kind = message.body.kind(), bytes = bytes.len(), body = ?message.body, "received");
                self.traffic.received(&message);
                let entry = self.node.list().at(from);
                if let Some(life) = life {
                    self.edge.heard(from, life, entry.map(|entry| entry.identity.incarnation));
                }
                if entry.is_some_and(|entry| self.node.watches(&entry.identity.name)) {
                    self.traffic.heard(from, &message, now.mono);
                }
            }
            // What is refused has changed nothing.
            Err(error) => {
                debug!(%from, bytes = bytes.len(), %error, "refused");
                if let Some(times) = self.traffic.refused(error) {
                    warn!(%from, times, reason = %error, "refused a datagram; further ones are told once a minute");
                }
            }
        }
    }

    /// Greetings are between the edges of two members; the protocol knows nothing of them.
    fn send_back(&mut self, to: SocketAddr, bytes: &[u8]) {
        match self.socket.try_send_to(bytes, to) {
            Ok(_) => self.traffic.sent("greeting"),
            Err(error) => {
                self.traffic.unsent();
                debug!(%to, %error, "a greeting was not answered");
            }
        }
    }

    /// Carries out all that the node asks for: first what happened, then what is to be sent.
    async fn carry_out(&mut self) {
        while let Some(event) = self.node.poll_event() {
            self.report(event).await;
        }
        // Once for any number of changes: a list that is taken over is thousands of them.
        if std::mem::take(&mut self.list_changed) && self.node.member().is_some() {
            self.keep(true);
            notify::status(&self.status_line());
        }
        while let Some(transmit) = self.node.poll_transmit() {
            debug!(to = %transmit.to, kind = transmit.kind, bytes = transmit.payload.len(), "sent");
            let listed = || self.node.list().at(transmit.to).map(|entry| entry.identity.incarnation);
            let sealed = self.edge.outgoing(transmit.to, transmit.payload, transmit.kind == KNOCK, listed);
            match sealed.map_err(io::Error::other).and_then(|bytes| self.socket.try_send_to(&bytes, transmit.to)) {
                Ok(_) => self.traffic.sent(transmit.kind),
                Err(error) => {
                    // A lost datagram, as the network loses them too.
                    self.traffic.unsent();
                    debug!(to = %transmit.to, kind = transmit.kind, %error, "not sent");
                }
            }
        }
        self.edge.all_is_said();
        while let Some(call) = self.node.poll_call() {
            debug!(to = %call.to, bytes = call.payload.len(), "calling");
            self.calls.start(call);
        }
    }

    async fn report(&mut self, event: Event) {
        let now = self.clocks.now();
        match event {
            Event::Member(event) => {
                log::member_event(&event);
                let own = self.node.member().map(|id| id.incarnation);
                self.gauges.note(&event, self.node.name(), own, now);
                let mut record = event_record(&event, self.node.name(), now);
                if let Some(entry) = self.node.list().get(&event.member.name) {
                    record.member.tags = tag_record(&entry.tags);
                }
                self.history.add(record.clone());
                self.handle.publish(record);
                self.list_changed = true;
            }
            Event::Tagged(id) => {
                if let Some(entry) = self.node.list().get(&id.name) {
                    log::member_tagged(entry);
                }
            }
            Event::Incarnation(incarnation) => {
                // From the first word that is said under it on, a crash is to be followed by a rejoin.
                self.keeper.keep_incarnation(incarnation);
                self.keep(true);
                self.keeper.make_durable().await;
                self.edge.begin(incarnation);
            }
            Event::JoinDone => self.join_done(),
            Event::JoinFailed(error) => self.join_failed(error),
            Event::LeaveDone { acknowledged } => self.leave_done(acknowledged).await,
            Event::Renewed { old, new } => {
                warn!(%old, %new, "was declared failed by the others; back under a new incarnation");
            }
            Event::Superseded { by } => {
                error!(%by, "another machine has this one's name; trying to come back: give each machine its own [node] name");
                self.end_join(Err(JoinFailure::Superseded(by.to_string())));
                // If the other really lives this one is refused; if it does not, it is back as soon as that is known.
                self.retry = Some((Instant::now() + RETRY.0, RETRY.0));
                notify::status(&self.status_line());
            }
            Event::Stalled(stall) => warn!(
                milliseconds = millis(stall),
                "this daemon was not run for longer than the failure timeout; nobody is accused for that"
            ),
            Event::ClockDisagrees { member, ahead } => warn!(
                name = %member.name,
                ahead_ms = ahead,
                "the wall clock of a neighbour disagrees with ours; heartbeats are judged without it"
            ),
            Event::ClockAgrees { member } => info!(name = %member.name, "the wall clock of a neighbour agrees with ours again"),
            Event::OtherSettings { address } => warn!(
                %address,
                "a group with other settings is reached at this address; k, heartbeat interval and failure timeout must agree to merge"
            ),
        }
    }

    fn join_done(&mut self) {
        self.retry = None;
        self.warned_of_join = false;
        self.keep(true);
        notify::status(&self.status_line());
        if let Some(id) = self.node.member() {
            info!(%id, alive = self.node.list().up(), "in the group");
            self.end_join(Ok(Joined { id, up: self.node.list().up(), already: false }));
        }
    }

    fn join_failed(&mut self, error: JoinError) {
        notify::status(&self.status_line());
        if let Some((at, pause)) = &mut self.retry {
            *at = Instant::now() + *pause;
            *pause = (*pause * 2).min(RETRY.1);
            if self.warned_of_join {
                debug!(%error, "could not join; trying again");
            } else {
                self.warned_of_join = true;
                warn!(%error, "could not join; trying again until it works");
            }
        } else {
            // It had been told to join once, and that did not work.
            self.keep(false);
            if self.joining.is_none() {
                warn!(%error, "could not join");
            }
        }
        self.end_join(Err(error.into()));
    }

    fn end_join(&mut self, result: Result<Joined, JoinFailure>) {
        if let Some(reply) = self.joining.take() {
            // The client may have gone.
            let _ = reply.send(result);
        }
    }

    async fn leave_done(&mut self, acknowledged: bool) {
        if !acknowledged {
            warn!("left the group, but no member acknowledged it: the others will report this one failed");
        }
        // Whoever is told that the leave is done can rely on it: a crash is not followed by a rejoin.
        self.keep(false);
        self.keeper.make_durable().await;
        notify::status(&self.status_line());
        for reply in self.leaving.drain(..) {
            let _ = reply.send(true);
        }
    }

    fn keep(&mut self, in_group: bool) {
        let members = self.node.list().iter().filter(|entry| entry.standing != Standing::Left);
        self.keeper.keep(in_group, members.map(|entry| entry.identity.clone()));
    }

    fn join_by_itself_if_due(&mut self) {
        let Some((at, _)) = self.retry.as_mut().filter(|(at, _)| *at <= Instant::now()) else { return };
        // What becomes of this try sets the time of the next; until then this is only a bound.
        *at = Instant::now() + RETRY.1;
        if self.node.phase() == PhaseName::Out {
            // Another part of the remembered is asked each time.
            let part = self.remembered.len().min(8);
            self.remembered.rotate_left(part);
            // The phase was looked at.
            let _ = self.node.join(self.clocks.now(), self.introducers.clone(), self.remembered.clone());
        }
    }

    async fn obey(&mut self, command: Command) {
        let now = self.clocks.now();
        match command {
            Command::Join { introducers, reply } => self.join(introducers, reply, now),
            Command::Leave { reply } => self.leave(reply, now).await,
            Command::List { reply } => {
                let in_group = self.node.member().is_some();
                let entries = self.node.list().iter();
                let records = entries.map(|entry| member_record(entry, self.node.name(), now)).collect();
                let _ = reply.send(in_group.then_some(records));
            }
            Command::Status { reply } => {
                let _ = reply.send(Box::new(self.status(now)));
            }
            Command::Ring { reply } => {
                let _ = reply.send(self.node.member().map(|_| self.ring()));
            }
            Command::Measure { reply } => {
                let _ = reply.send(Box::new(self.measured(now)));
            }
            Command::Follow { wanted, reply } => {
                let (past, missed) = self.history.from(wanted);
                let _ = reply.send(Followed { past, missed, coming: self.handle.follow() });
            }
            Command::Up { reply } => {
                let up = |node: &Node| -> Vec<Identity> {
                    node.list().iter().filter(|entry| entry.is_up()).map(|entry| entry.identity.clone()).collect()
                };
                let _ = reply.send(self.node.member().map(|_| up(&self.node)));
            }
            Command::Request { bytes, reply } => {
                let _ = reply.send(self.node.handle_request(now, &bytes));
            }
            Command::Introducers(introducers) => {
                self.introducers.clone_from(&introducers);
                self.node.set_introducers(introducers);
            }
            Command::Tags(tags) => self.node.set_tags(now, tags),
            // `run` ends with it.
            Command::End => {}
        }
    }

    fn join(&mut self, introducers: Vec<SocketAddr>, reply: oneshot::Sender<Result<Joined, JoinFailure>>, now: Now) {
        match self.node.phase() {
            PhaseName::Member => {
                let joined = self.node.member().map(|id| Joined { id, up: self.node.list().up(), already: true });
                let _ = reply.send(joined.ok_or(JoinFailure::Busy));
            }
            PhaseName::Out => {
                self.joining = Some(reply);
                // The phase was looked at.
                let _ = self.node.join(now, introducers, Vec::new());
            }
            // Its own try is under way: these introducers are asked as well, and the answer is what becomes of it.
            PhaseName::Joining if self.joining.is_none() => {
                self.joining = Some(reply);
                // Refused only if it has just been let in; then it is answered all the same.
                let _ = self.node.join(now, introducers, Vec::new());
            }
            PhaseName::Joining | PhaseName::Leaving => {
                let _ = reply.send(Err(JoinFailure::Busy));
            }
        }
    }

    async fn leave(&mut self, reply: oneshot::Sender<bool>, now: Now) {
        self.retry = None;
        if self.node.phase() == PhaseName::Out {
            self.keep(false);
            self.keeper.make_durable().await;
            let _ = reply.send(false);
        } else {
            self.leaving.push(reply);
            self.node.leave(now);
        }
    }

    fn status_line(&self) -> String {
        match self.node.phase() {
            PhaseName::Member => format!("in the group, {} alive", self.node.list().up()),
            PhaseName::Joining => "joining".to_owned(),
            PhaseName::Leaving => "leaving".to_owned(),
            PhaseName::Out if self.retry.is_some() => "not in a group, trying to join".to_owned(),
            PhaseName::Out => "not in a group".to_owned(),
        }
    }

    fn status(&self, now: Now) -> StatusReport {
        let refusals: Vec<_> = self.edge.refusals().collect();
        status::report(&self.node, &self.traffic, &refusals, self.started.elapsed(), now, self.retry.is_some())
    }

    fn measured(&self, now: Now) -> Measured {
        Measured {
            status: self.status(now),
            counters: self.node.counters(),
            traffic: self.traffic.totals().clone(),
            refusals: self.edge.refusals().collect(),
            events: self.gauges.events,
            detection: self.gauges.detection.clone(),
            dissemination: self.gauges.dissemination.clone(),
            lateness: self.gauges.lateness.clone(),
        }
    }

    fn ring(&self) -> RingPart {
        RingPart {
            max_simultaneous_failures: self.node.group_settings().max_simultaneous_failures,
            names: order(self.node.list(), Entry::is_up).iter().map(|entry| entry.identity.name.to_string()).collect(),
        }
    }
}

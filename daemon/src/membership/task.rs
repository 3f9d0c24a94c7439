//! The task that owns the [`Node`]. It hands datagrams, timers, replies and commands to the node,
//! and carries out what the node asks for.
//!
//! It never waits for a client or another task, because a late heartbeat causes a false failure. It
//! waits for the disk only when a new incarnation must become durable before its first use.

mod commands;
mod events;
mod forget;
mod remembered;

use super::calls::Calls;
use super::history::History;
use super::measure::Gauges;
use super::traffic::Traffic;
use super::{Command, Founded, Handle, JoinFailure, Joined, address};
use crate::backoff::Backoff;
use crate::notify;
use crate::resolve::Resolved;
use crate::state::writer::StateWriter;
use crate::time::{Anchor, Clocks};
use memberd_membership::{Introducers, Node, Output, PhaseName, Transmit};
use memberd_transport::{Caller, DatagramSession, Incoming, MAX_SEALED, Seal};
use remembered::Remembered;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, warn};

/// The most datagrams that the task reads before it does anything else. The socket's buffer holds
/// fewer of the group's own traffic.
const DRAIN: usize = 1_024;

/// The pauses between automatic attempts to join.
const RETRY: Backoff = Backoff::new(FIRST_RETRY, Duration::from_secs(10));

/// The first of those pauses.
const FIRST_RETRY: Duration = Duration::from_millis(100);

/// The parts that the task starts with.
#[derive(Debug)]
pub struct Parts {
    /// The protocol.
    pub node: Node,
    /// Bound to the member's address, or to what stands for it on this machine.
    pub socket: UdpSocket,
    /// Protects messages to other members.
    pub seal: Seal,
    /// The state on disk.
    pub writer: StateWriter,
    /// Both clocks.
    pub clocks: Clocks,
    /// The members through which this one joins, as far as they are known at the start.
    pub introducers: Resolved,
    /// Members known before the last restart.
    pub remembered: Vec<SocketAddr>,
    /// Whether to join without a client's request, and to go on trying.
    pub join_by_itself: bool,
}

/// The owner of the node.
#[derive(Debug)]
pub struct Membership {
    node: Node,
    /// The address that the socket is bound to.
    bind: IpAddr,
    socket: UdpSocket,
    session: DatagramSession,
    writer: StateWriter,
    clocks: Clocks,
    /// By which clients read since when a member is as it is.
    anchor: Anchor,
    handle: Handle,
    commands: mpsc::Receiver<Command>,
    calls: Calls,
    introducers: Resolved,
    remembered: Remembered,
    /// The introducers of the newest attempt to join.
    asked: Introducers,
    /// Why this member founded the group that it is in, if it did.
    founded: Option<Founded>,
    /// Why the newest attempt to join failed; `None` since this member was in the group.
    not_joined: Option<JoinFailure>,
    joining: Option<oneshot::Sender<Result<Joined, JoinFailure>>>,
    leaving: Vec<oneshot::Sender<bool>>,
    forgetting: Option<forget::Forgetting>,
    /// When the next automatic attempt to join is due, and the pauses after it.
    retry: Option<(Instant, Backoff)>,
    warned_of_join: bool,
    /// Whether the list has changed since the state writer last received it.
    list_changed: bool,
    started: Instant,
    traffic: Traffic,
    gauges: Gauges,
    history: History,
    /// The buffer of the datagram to send. It is kept, so that a heartbeat allocates nothing.
    payload: Vec<u8>,
}

impl Membership {
    /// Creates the task, ready to run.
    pub fn new(parts: Parts, handle: Handle, commands: mpsc::Receiver<Command>) -> Self {
        let Parts { node, socket, seal, writer, clocks, introducers, remembered, join_by_itself } =
            parts;
        let started = Instant::now();
        let address = node.address();
        let bind = socket.local_addr().map_or(address.ip(), |bound| bound.ip());
        let (traffic, history) =
            (Traffic::new(&node.group_settings()), History::new(clocks.now().wall));
        Membership {
            node,
            bind,
            socket,
            session: DatagramSession::new(seal.clone(), address, writer.incarnation()),
            writer,
            clocks,
            anchor: Anchor::new(clocks.now()),
            handle,
            commands,
            calls: Calls::new(Caller { address, bind, seal }),
            introducers,
            remembered: Remembered::new(remembered),
            asked: Introducers::default(),
            founded: None,
            not_joined: None,
            joining: None,
            leaving: Vec::new(),
            forgetting: None,
            retry: join_by_itself.then_some((started, RETRY)),
            warned_of_join: false,
            list_changed: false,
            started,
            traffic,
            gauges: Gauges::new(),
            history,
            payload: Vec::new(),
        }
    }

    /// Runs until [`Command::End`], and returns the writer for the last write.
    pub async fn run(mut self) -> StateWriter {
        let mut watchdog = notify::Watchdog::new();
        notify::status(&self.status_line());
        loop {
            self.flush_outputs().await;
            let due = self.node.poll_timeout().map(|due| self.clocks.to_tokio(due));
            let wake =
                [due, watchdog.due(), self.retry.map(|(at, _)| at)].into_iter().flatten().min();
            // What is due comes first. In a flood of datagrams, the socket is always readable.
            let is_due = wake.is_some_and(|wake| wake <= Instant::now());
            tokio::select! {
                ready = self.socket.readable(), if !is_due => {
                    if let Err(error) = ready {
                        error!(%error, "cannot wait for datagrams");
                        return self.writer;
                    }
                    self.drain_socket();
                }
                command = self.commands.recv(), if !is_due => match command {
                    Some(Command::End) | None => return self.writer,
                    Some(command) => self.handle_command(command).await,
                },
                (id, reply) = self.calls.next(), if !is_due => {
                    let now = self.clocks.now();
                    self.node.take_call(now, id, reply);
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    let late = wake.map_or(Duration::ZERO, |wake| wake.elapsed());
                    self.gauges.lateness.observe(late);
                    // After a stall, the daemon first reads the waiting datagrams, so that it
                    // accuses nobody falsely.
                    self.drain_socket();
                    self.node.handle_timeout(self.clocks.now());
                    watchdog.feed_if_due();
                    self.session.log_refusals();
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
                // For example, an ICMP message says that an earlier datagram was not delivered.
                Err(error) => debug!(%error, "cannot receive a datagram"),
            }
        }
    }

    fn take_datagram(&mut self, from: SocketAddr, bytes: &mut [u8]) {
        let bytes = match self.session.open(from, bytes) {
            Incoming::Datagram(bytes) => bytes,
            Incoming::Reply(reply) => return self.send_back(from, &reply),
            Incoming::Nothing => return,
        };
        let now = self.clocks.now();
        match self.node.handle_datagram(now, from, bytes) {
            Ok(message) => {
                let (kind, body, bytes) = (message.body.kind(), &message.body, bytes.len());
                debug!(%from, kind, bytes, ?body, "received");
                self.traffic.received(&message);
                let entry = self.node.list().at(from);
                self.session.note_sender(
                    from,
                    message.incarnation,
                    entry.map(|entry| entry.identity.incarnation),
                );
                if entry.is_some_and(|entry| self.node.watches(&entry.identity.name)) {
                    self.traffic.heard(from, &message, now.mono);
                }
            }
            // A refused datagram has changed nothing.
            Err(error) => {
                debug!(%from, bytes = bytes.len(), %error, "refused");
                if let Some(times) = self.traffic.refused(error) {
                    warn!(%from, times, reason = %error, "refused a datagram \
                    (repeated at most once a minute)");
                }
            }
        }
    }

    /// Sends a reply of the session itself. The protocol does not see it.
    fn send_back(&mut self, to: SocketAddr, bytes: &[u8]) {
        match self.socket.try_send_to(bytes, to) {
            Ok(_) => self.traffic.sent("greeting"),
            Err(error) => self.note_unsent(to, "greeting", &error),
        }
    }

    /// Counts a datagram that the kernel refused to send, and logs the reason.
    fn note_unsent(&mut self, to: SocketAddr, kind: &'static str, error: &io::Error) {
        debug!(%to, kind, %error, "not sent");
        if let Some(times) = self.traffic.unsent() {
            let reason = address::gone(self.bind).unwrap_or_else(|| error.to_string());
            warn!(%to, times, reason, "cannot send datagrams (repeated at most once a \
            minute)");
        }
    }

    /// Carries out all that the node asks for, each output before the next is taken. Events come
    /// before datagrams, so an incarnation is durable before anything is sent under it.
    async fn flush_outputs(&mut self) {
        while let Some(output) = self.node.poll_output(&mut self.payload) {
            match output {
                Output::Event(event) => self.handle_event(event).await,
                Output::Transmit(transmit) => self.transmit(transmit),
                Output::Call(call) => {
                    debug!(to = %call.to, bytes = call.payload.len(), "calling");
                    self.calls.start(call);
                }
            }
        }
        self.session.flush();
        // Once for any number of changes: a list that is taken over is thousands of them.
        if std::mem::take(&mut self.list_changed) && self.node.member().is_some() {
            self.update_state(true);
            notify::status(&self.status_line());
        }
    }

    /// Seals and sends the datagram whose bytes the node has put into `payload`.
    fn transmit(&mut self, Transmit { to, kind, is_announce }: Transmit) {
        debug!(%to, kind, bytes = self.payload.len(), "sent");
        let listed = || self.node.incarnation_at(to);
        let sealed = self.session.seal(to, &self.payload, is_announce, listed);
        match sealed.map_err(io::Error::other).and_then(|bytes| self.socket.try_send_to(bytes, to))
        {
            Ok(_) => self.note_sent(to, kind),
            Err(error) => self.note_unsent(to, kind, &error),
        }
    }

    fn note_sent(&mut self, to: SocketAddr, kind: &'static str) {
        self.traffic.sent(kind);
        if kind == "ping" {
            self.traffic.pinged(to, self.clocks.now().mono);
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
}

//! The task that owns this machine's [`Member`]. It hands messages, views, the list, the disk's
//! answers and the operations of clients to it, and carries out what it asks for. It never waits
//! for a disk, a client or another member.

use super::clients::Clients;
use super::convert;
use super::disk::{DiskThread, Event};
use super::fills::Fills;
use super::handle::Channels;
use super::incoming::{Arrivals, Received};
use super::links::Links;
use super::members::{self, Peers};
use super::views::Views;
use super::{Begin, Command, Figures, Told};
use crate::boot_time::{self, BootTimer};
use memberd_files::{
    ClientId, Epoch, ExtentId, FilesMessage, Member, MemberNote, MemberOutput, MemberSettings,
    Name, OnDisk, ShareName,
};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

/// How long the end waits for the disk.
const END_LIMIT: Duration = Duration::from_millis(800);

/// The parts that the task starts with.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) name: Name,
    pub(super) settings: MemberSettings,
    /// Random, and different in each process.
    pub(super) seed: u64,
    pub(super) disk: DiskThread,
    pub(super) links: Links,
    pub(super) timer: BootTimer,
    pub(super) arrivals: Arrivals,
    pub(super) peers: watch::Receiver<Peers>,
    pub(super) views: watch::Receiver<Views>,
    pub(super) fills: Fills,
    pub(super) channels: Channels,
}

/// What woke the task.
enum Wake {
    Timer,
    Disk(Event),
    Message(Box<Received>),
    Cancelled(ClientId),
    Command(Command),
    View,
    List,
    Eased,
    End,
}

/// Runs until nobody sends commands any more, or until it is told to stop.
pub(super) async fn run(mut parts: Parts) {
    let opened = open(&mut parts).await;
    let stopped = match opened {
        Some((on_disk, commands)) => Files::new(parts, on_disk).run(commands).await,
        None => return,
    };
    if let Some((disk, stopped)) = stopped {
        if timeout(END_LIMIT, disk.end()).await.is_err() {
            warn!("the disk is slow: the storage of files was not closed in time");
        }
        // Who waits may have given up.
        let _ = stopped.send(());
    }
}

/// Waits until the disk is open. Returns what came meanwhile; nothing at the end.
async fn open(parts: &mut Parts) -> Option<(OnDisk, Vec<Command>)> {
    let mut commands = Vec::new();
    loop {
        tokio::select! {
            event = parts.disk.event() => match event? {
                Event::Opened(on_disk) => return Some((*on_disk, commands)),
                // Others read and write from here nevertheless.
                Event::Closed => return Some((OnDisk::default(), commands)),
                Event::Done(_) | Event::Stands(..) => {}
            },
            // Clients wait, each with one command.
            command = parts.channels.commands.recv() => match command? {
                Command::Tell(reply) => {
                    let figures = figures(parts, memberd_files::FilesStatus::default(), 0);
                    let _ = reply.send(Box::new(figures));
                }
                Command::Stop(reply) => {
                    let _ = reply.send(());
                    return None;
                }
                command => commands.push(command),
            },
        }
    }
}

fn figures(parts: &Parts, mut status: memberd_files::FilesStatus, operations: usize) -> Figures {
    let disk = parts.disk.figures();
    status.store = disk.store.clone();
    Figures {
        status,
        disk,
        operations,
        links: parts.links.count(),
        dropped: parts.links.dropped(),
        has_view: parts.views.borrow().is_some(),
    }
}

/// The owner of the member.
struct Files {
    parts: Parts,
    member: Member,
    clients: Clients,
    /// The list as the member knows it.
    peers: Peers,
}

impl Files {
    fn new(mut parts: Parts, on_disk: OnDisk) -> Files {
        let (own, settings) = (parts.name.clone(), parts.settings.clone());
        let member = Member::new(own, settings, on_disk, parts.seed, boot_time::now());
        // What is there already counts as changed.
        parts.peers.mark_changed();
        parts.views.mark_changed();
        Files { parts, member, clients: Clients::default(), peers: Arc::default() }
    }

    /// Returns the disk, and who waits for its end.
    async fn run(mut self, commands: Vec<Command>) -> Option<(DiskThread, oneshot::Sender<()>)> {
        for command in commands {
            self.handle_command(command);
        }
        loop {
            self.carry_out_all();
            if let Err(error) = self.parts.timer.set(self.member.poll_timeout()) {
                error!(%error, "the timer of files cannot be set");
            }
            match self.wake().await {
                Ok(Wake::End) => return None,
                Ok(Wake::Command(Command::Stop(reply))) => return Some((self.parts.disk, reply)),
                Ok(wake) => self.take(wake),
                Err(error) => {
                    error!(%error, "files end on this machine: start memberd again");
                    return None;
                }
            }
        }
    }

    async fn wake(&mut self) -> io::Result<Wake> {
        let has_room = self.parts.disk.has_room();
        let Parts { timer, disk, arrivals, peers, views, links, channels, .. } = &mut self.parts;
        Ok(tokio::select! {
            // What is due comes first, and then what others wait for.
            biased;
            fired = timer.fired() => fired.map(|()| Wake::Timer)?,
            event = disk.event() => match event {
                Some(event) => Wake::Disk(event),
                None => return Err(io::Error::other("the thread of the disk has ended")),
            },
            Ok(()) = views.changed() => Wake::View,
            Ok(()) = peers.changed() => Wake::List,
            Some(message) = arrivals.control.recv() => Wake::Message(Box::new(message)),
            command = channels.commands.recv() => command.map_or(Wake::End, Wake::Command),
            // After the commands, among which is its beginning.
            Some(client) = channels.cancelled.recv() => Wake::Cancelled(client),
            () = links.eased() => Wake::Eased,
            // A slow disk has others wait.
            Some(message) = arrivals.bulk.recv(), if has_room => Wake::Message(Box::new(message)),
        })
    }

    fn take(&mut self, wake: Wake) {
        let now = boot_time::now();
        match wake {
            Wake::Timer => self.member.handle_timeout(now),
            Wake::Disk(event) => self.take_event(event),
            Wake::Message(received) => {
                let Received { from, message, .. } = *received;
                debug!(%from, "a message about files");
                self.member.handle_message(now, &from, message);
            }
            Wake::Cancelled(client) => {
                if self.clients.remove(client) {
                    self.member.cancel(now, client);
                }
            }
            Wake::Command(command) => self.handle_command(command),
            Wake::View => self.take_view(),
            Wake::List => self.take_list(),
            Wake::Eased | Wake::End => {}
        }
    }

    fn take_event(&mut self, event: Event) {
        match event {
            Event::Done(done) => {
                for (id, result) in done {
                    self.member.handle_job(boot_time::now(), id, result);
                    // One answer may ask for much.
                    self.carry_out();
                }
            }
            Event::Stands(status, bad) => {
                self.member.handle_store(boot_time::now(), status.room, bad);
            }
            Event::Opened(_) | Event::Closed => {}
        }
    }

    fn take_view(&mut self) {
        let Some(view) = self.parts.views.borrow_and_update().clone() else { return };
        let seen = convert::files_view(&view, &self.parts.peers.borrow());
        self.member.handle_view(boot_time::now(), Arc::new(seen));
        self.parts.fills.propose(&view);
    }

    fn take_list(&mut self) {
        let now = boot_time::now();
        let peers = Arc::clone(&self.parts.peers.borrow_and_update());
        let (hints, planned) = members::hints(&peers);
        self.member.handle_hints(now, hints, planned);
        for name in members::restarted(&self.peers, &peers) {
            self.member.handle_restarted(now, name);
        }
        self.peers = peers;
    }

    fn handle_command(&mut self, command: Command) {
        let now = boot_time::now();
        match command {
            Command::Begin(begin) => {
                let Begin { client, operation, told, place } = *begin;
                self.clients.add(client, told, place);
                self.member.begin(now, client, operation);
            }
            Command::Push { client, bytes, taken } => self.clients.push(client, bytes, taken),
            Command::End(client) => self.member.end(now, client),
            Command::Taken(client) => self.member.taken(now, client),
            Command::Tell(reply) => {
                let figures = figures(&self.parts, self.member.status(), self.clients.len());
                // Who asked may have gone.
                let _ = reply.send(Box::new(figures));
            }
            Command::RepairAfter(wait) => self.member.set_repair_after(now, wait),
            Command::Stop(_) => {}
        }
    }

    /// Carries out all that the member asks for, and hands it what clients write meanwhile.
    fn carry_out_all(&mut self) {
        loop {
            self.carry_out();
            if self.parts.links.is_busy()
                || !self.parts.disk.has_room()
                || !self.clients.feed(&mut self.member, boot_time::now())
            {
                return;
            }
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.member.poll_output() {
            match output {
                MemberOutput::Send { to, message } => self.send(&to, &message),
                MemberOutput::Job { id, job } => self.parts.disk.ask(id, job),
                MemberOutput::Length { client, file, length, is_newest } => {
                    self.tell(client, Told::Length { file, length, is_newest });
                }
                MemberOutput::Data { client, bytes } => self.tell(client, Told::Data(bytes)),
                MemberOutput::Done { client, result } => {
                    // One that has gone is told nothing.
                    self.clients.tell(client, Told::Done(result));
                    self.clients.remove(client);
                }
                MemberOutput::Fill { share, keeper, epoch } => {
                    info!(%share, %keeper, "a keeper has all of a share");
                    self.fill((share, keeper), epoch, true);
                }
                MemberOutput::Lose { share, keeper, epoch } => {
                    if self.fill((share.clone(), keeper.clone()), epoch, false) {
                        warn!(%share, %keeper, "a keeper has lost its disk");
                    }
                }
                MemberOutput::Note(note) => log(&note),
            }
        }
    }

    /// Proposes that a keeper is whole or not. False if that is under way.
    fn fill(&mut self, keeper: (ShareName, Name), epoch: Epoch, is_whole: bool) -> bool {
        let is_new = self.parts.fills.add(keeper, epoch, is_whole);
        if let Some(view) = self.parts.views.borrow().as_ref() {
            self.parts.fills.propose(view);
        }
        is_new
    }

    fn send(&mut self, to: &Name, message: &FilesMessage) {
        let listed = self.parts.peers.borrow().get(to).map(|peer| peer.address);
        let address = listed.or_else(|| {
            let views = self.parts.views.borrow();
            views.as_ref().and_then(|view| view.member(to).map(|member| member.address))
        });
        match address {
            Some(address) => self.parts.links.send(to, address, message),
            None => debug!(%to, "nobody knows the address of a member with files"),
        }
    }

    fn tell(&mut self, client: ClientId, told: Told) {
        if !self.clients.tell(client, told) {
            self.clients.remove(client);
            self.member.cancel(boot_time::now(), client);
        }
    }
}

fn log(note: &MemberNote) {
    match note {
        MemberNote::BadCopy(ExtentId(id)) => {
            warn!(extent = format!("{id:032x}"), "a copy of a file is damaged here");
        }
        MemberNote::StorageFailed => error!("files are not kept here any more: the disk failed"),
        MemberNote::BadCatalog(share) => {
            error!(%share, "what is kept here of a share is damaged: it is fetched again");
        }
    }
}

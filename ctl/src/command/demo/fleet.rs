//! A fleet of real daemons on this machine's loopback addresses. Dropping the [`Fleet`] kills the
//! daemons and removes their files.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write as _};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use memberd_control::message::{Reply, Request};
use nix::sys::signal::Signal;

use super::interrupt::Interrupt;
use super::logs;
use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::{Exit, Failure};
use crate::format;
use crate::process::Process;
use crate::program;

/// How long a daemon may take to serve its control socket.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// How long a daemon may take to reply.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// The port of the members, if it is free.
const PREFERRED_PORT: u16 = 8946;

/// How many other ports are tried.
const PORTS_TRIED: usize = 100;

/// How many lines of a daemon's log are shown when it fails.
const TAIL: usize = 10;

/// One daemon.
pub(super) struct Member {
    /// Its name: `vm3`.
    pub(super) name: String,
    directory: PathBuf,
    reservation: Option<Reservation>,
    process: Option<Process>,
    worker: Option<Process>,
    /// Whether it has crashed before. Views wait for a member that crashes again and again.
    pub(super) has_crashed: bool,
}

/// A reserved address and port: no other program can take them before the daemon does.
struct Reservation {
    _tcp: TcpListener,
    _udp: UdpSocket,
}

/// The daemons, and the directory of their files.
pub(super) struct Fleet {
    /// The members, by number.
    pub(super) members: Vec<Member>,
    /// The directory of their files.
    pub(super) directory: PathBuf,
    /// The port of every member, each on its own address.
    pub(super) port: u16,
    program: PathBuf,
    /// How many members it has when all are laid out.
    size: u8,
    /// The setting `group.detector`.
    detector: &'static str,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // All are killed before any is waited for. An error means that a process or a file is gone
        // already.
        let mut processes: Vec<&mut Process> =
            self.members.iter_mut().flat_map(Member::processes).collect();
        for process in &mut processes {
            let _ = process.kill();
        }
        for process in &mut processes {
            let _ = process.wait();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Fleet {
    /// Writes the files of this many members. It starts none of them.
    pub(super) fn prepare(
        program: PathBuf,
        size: u8,
        detector: &'static str,
    ) -> Result<Fleet, Failure> {
        let (port, reservations) = reserve_port(size)?;
        let directory = fresh_directory()?;
        let mut fleet = Fleet { members: Vec::new(), directory, port, program, size, detector };
        for (number, reservation) in (1..=size).zip(reservations) {
            let member = fleet.lay_out(number, reservation).map_err(|error| {
                Failure::new(
                    Exit::Failed,
                    format!("cannot write below {}: {error}", fleet.directory.display()),
                )
            })?;
            fleet.members.push(member);
        }
        Ok(fleet)
    }

    /// Starts the member with this index, and waits until it replies.
    pub(super) fn start(&mut self, index: usize, interrupt: &Interrupt) -> Result<(), Failure> {
        let program = &self.program;
        let member = self.members.get_mut(index).ok_or_else(unexpected_reply)?;
        member.start(program)?;
        member.start_worker(program)?;
        member.wait_until_ready(interrupt)
    }

    fn lay_out(&self, number: u8, reservation: Reservation) -> std::io::Result<Member> {
        let name = format!("vm{number}");
        let directory = self.directory.join(&name);
        fs::create_dir(&directory)?;
        fs::write(directory.join(logs::FILE), logs::log(number.into(), format::now()))?;
        let member = Member {
            name,
            directory,
            reservation: Some(reservation),
            process: None,
            worker: None,
            has_crashed: false,
        };
        let settings = member.settings(number, self.port, self.detector);
        fs::write(member.file("memberd.toml"), settings + &agreement(self.size))?;
        Ok(member)
    }
}

impl Member {
    fn processes(&mut self) -> impl Iterator<Item = &mut Process> {
        self.process.iter_mut().chain(self.worker.iter_mut())
    }

    /// How to reach the daemon.
    pub(super) fn daemon(&self) -> Daemon {
        Daemon { socket: self.file("control.sock"), timeout: Some(ANSWER_LIMIT) }
    }

    /// Lets it join the group.
    pub(super) fn join(&self) -> Result<(), Failure> {
        let request = Request::Join { introducers: Vec::new() };
        let reply_timeout = ReplyTimeout::For(ANSWER_LIMIT);
        match Connection::ask(&self.daemon(), &request, reply_timeout)?.reply()? {
            Reply::Joined { .. } => Ok(()),
            _ => Err(unexpected_reply()),
        }
    }

    /// Kills it with SIGKILL, as a crash would.
    pub(super) fn crash(&mut self) -> Result<(), Failure> {
        self.has_crashed = true;
        for mut process in self.process.take().into_iter().chain(self.worker.take()) {
            let killed = process.kill().and_then(|()| process.wait());
            killed.map_err(|error| {
                Failure::new(Exit::Failed, format!("cannot kill {}: {error}", self.name))
            })?;
        }
        Ok(())
    }

    /// Stops its process, as on a machine that swaps.
    pub(super) fn stop(&mut self) -> Result<(), Failure> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets it go on.
    pub(super) fn go_on(&mut self) -> Result<(), Failure> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&mut self, signal: Signal) -> Result<(), Failure> {
        let sent = self.process.as_mut().map_or(Ok(()), |process| process.signal(signal));
        sent.map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot send {signal} to {}: {error}", self.name))
        })
    }

    /// Appends a line to the log of its shop, with the time of now.
    pub(super) fn log(&self, text: &str) -> Result<(), Failure> {
        let line = format!("{} {text}\n", format::timestamp(format::now()));
        let opened = File::options().append(true).open(self.file(logs::FILE));
        opened.and_then(|mut file| file.write_all(line.as_bytes())).map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot write the log of {}: {error}", self.name))
        })
    }

    /// Whether its log has these words.
    pub(super) fn has_said(&self, words: &str) -> bool {
        fs::read_to_string(self.file("memberd.log")).is_ok_and(|log| log.contains(words))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The text of its settings. A JSON string is also a TOML string, for any name of the
    /// directory.
    fn settings(&self, number: u8, port: u16, detector: &str) -> String {
        let quoted =
            |name: &str| serde_json::Value::from(self.file(name).to_string_lossy()).to_string();
        format!(
            "[node]\nname = \"{}\"\naddress = \"{}\"\nport = {port}\n\n\
             [group]\nintroducers = [\"{}:{port}\"]\ndetector = \"{detector}\"\n\n\
             [paths]\nstate_dir = {}\nlog_dir = {}\n\n\
             [logs]\nfiles = [{}]\n\n\
             [control]\nsocket = {}\n\n\
             [files]\nenabled = true\n\n\
             [streams]\nworker = {}\njobs = true\n",
            self.name,
            address(number),
            address(1),
            quoted("state"),
            quoted("log"),
            quoted(logs::FILE),
            quoted("control.sock"),
            quoted("worker.sock"),
        )
    }

    fn start(&mut self, program: &Path) -> Result<(), Failure> {
        let cannot = |error: std::io::Error| {
            Failure::new(
                Exit::Failed,
                format!("cannot start {}: {error}: give another with --memberd", program.display()),
            )
        };
        for name in ["state", "log"] {
            fs::create_dir_all(self.file(name)).map_err(cannot)?;
        }
        let output = File::options()
            .create(true)
            .append(true)
            .open(self.file("memberd.log"))
            .map_err(cannot)?;
        let mut command = Command::new(program);
        command.arg("--config").arg(self.file("memberd.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        self.reservation = None;
        self.process = Some(Process::start(&mut command).map_err(cannot)?);
        Ok(())
    }

    /// Starts its worker, which opens its socket before anybody asks there. Without the program
    /// there are no questions, and that is what they are told.
    fn start_worker(&mut self, memberd: &Path) -> Result<(), Failure> {
        let Some(program) = program::worker_of(memberd) else { return Ok(()) };
        let mut command = Command::new(&program);
        command.arg("--socket").arg(self.file("worker.sock"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Process::start(&mut command);
        self.worker = Some(started.map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot start {}: {error}", program.display()))
        })?);
        Ok(())
    }

    fn wait_until_ready(&mut self, interrupt: &Interrupt) -> Result<(), Failure> {
        let reply_timeout = ReplyTimeout::For(ANSWER_LIMIT);
        let begun = Instant::now();
        loop {
            if Connection::ask(&self.daemon(), &Request::Status, reply_timeout)
                .and_then(|mut asked| asked.reply())
                .is_ok()
            {
                return Ok(());
            }
            let ended = self.process.as_mut().and_then(|process| process.ended().ok().flatten());
            if let Some(status) = ended {
                return Err(self.failed(&format!("ended by itself ({status})")));
            }
            if begun.elapsed() > READY_LIMIT {
                return Err(
                    self.failed(&format!("was not ready after {} s", READY_LIMIT.as_secs()))
                );
            }
            interrupt.pause(Duration::from_millis(5))?;
        }
    }

    /// The failure that ends the demo. Before it, this prints the last lines of the daemon's log.
    fn failed(&self, how: &str) -> Failure {
        let log = fs::read_to_string(self.file("memberd.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(TAIL)) {
            crate::exit::print_message(&format!("{} said: {line}", self.name));
        }
        Failure::new(
            Exit::Failed,
            format!("the memberd of {} {how}: see what it said above", self.name),
        )
    }
}

/// The settings of the agreed views. The first three members found them.
fn agreement(size: u8) -> String {
    let founders: Vec<String> = (1..=size.min(3)).map(|number| format!("\"vm{number}\"")).collect();
    format!("\n[agreement]\nenabled = true\ninitial_council = [{}]\n", founders.join(", "))
}

/// The loopback address of a member.
pub(super) fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, number)
}

/// A port that is free for UDP and TCP on the addresses of all members, reserved on each of them.
fn reserve_port(size: u8) -> Result<(u16, Vec<Reservation>), Failure> {
    // After the preferred port come ports that the kernel says are free on the first address.
    let proposed = || TcpListener::bind((address(1), 0))?.local_addr().map(|local| local.port());
    let ports = std::iter::once(PREFERRED_PORT)
        .chain(std::iter::repeat_with(proposed).take(PORTS_TRIED).flatten());
    let mut free = ports.filter_map(|port| Some((port, reserve_all(port, size).ok()?)));
    free.next().ok_or_else(|| {
        let message =
            "found no port that is free on all loopback addresses: ask for fewer --members";
        Failure::new(Exit::Failed, message)
    })
}

fn reserve_all(port: u16, size: u8) -> std::io::Result<Vec<Reservation>> {
    let take = |host| {
        Ok(Reservation {
            _tcp: TcpListener::bind((host, port))?,
            _udp: UdpSocket::bind((host, port))?,
        })
    };
    (1..=size).map(address).map(take).collect()
}

/// A new directory that only this user can read.
fn fresh_directory() -> Result<PathBuf, Failure> {
    let parent = std::env::temp_dir();
    let process = std::process::id();
    let mut attempts =
        (0..100).map(|attempt| parent.join(format!("memberd-demo-{process}-{attempt}")));
    let created = attempts.find_map(|path| match DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => None,
        created => Some(created.map(|()| path)),
    });
    match created {
        Some(Ok(path)) => Ok(path),
        Some(Err(error)) => Err(Failure::new(
            Exit::Failed,
            format!("cannot create a directory in {}: {error}: set TMPDIR", parent.display()),
        )),
        None => Err(Failure::new(
            Exit::Failed,
            format!("{} has too many directories memberd-demo-*: remove them", parent.display()),
        )),
    }
}

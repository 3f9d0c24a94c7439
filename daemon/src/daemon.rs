//! Starts, runs and stops the daemon. The order of start-up matters; `run` explains it.

mod bound;

use crate::agreement::{self, AgreementService};
use crate::check;
use crate::config::{Config, ConfigError};
use crate::connections::Connections;
use crate::control::server;
use crate::control::socket::Sockets;
use crate::copies::{self, CopiesService};
use crate::exit;
use crate::files::{self, FilesService};
use crate::jobs::{self, JobsService};
use crate::keys::Keys;
use crate::log::{self, Log};
use crate::membership::{self, MembershipService, Resources};
use crate::memory::{self, LoadedCode};
use crate::metrics::http;
use crate::notify;
use crate::options::Options;
use crate::peer;
use crate::reload::{self, Reloader};
use crate::search::SearchService;
use crate::services::{LastReload, Services};
use crate::state::{Loaded, State, StateDir};
use crate::subsystem::{Change, NotReloaded};
use anyhow::Context as _;
use bound::Bound;
use clap::Parser;
use memberd_control::message::ReloadReport;
use memberd_transport::{Caller, KindTaken, PeerServer, SealingKeys};
use nix::sys::prctl;
use nix::sys::signal::SigSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{error, info, warn};

/// How long the leave, the end of the membership thread and the state's last write may take
/// together. The log's last lines ([`Log::flush`]) take 1 s more. With [`LINGER`] the end takes at
/// most 5 s, and memberd.service relies on that.
const STOP_LIMIT: Duration = Duration::from_millis(3_500);

/// How long the runtime waits for a search or a disk at the end.
const LINGER: Duration = Duration::from_millis(200);

/// Runs the whole program.
pub fn main() -> ExitCode {
    let code = LoadedCode::at_start();
    memory::keep_little_freed();
    // This happens before the daemon reads a key. So no core dump contains a key, and no other
    // process of this user can read one: prctl(2), PR_SET_DUMPABLE.
    if let Err(error) = prctl::set_dumpable(false) {
        eprintln!("memberd: cannot keep the keys out of core dumps: {error}");
        return ExitCode::from(exit::FAILURE);
    }
    // Children inherit blocked signals from their parent (daemon(7)). The daemon must receive all
    // of them. A SIGHUP that comes before it listens waits, because it would end the process.
    let unblocked = SigSet::all().thread_unblock();
    if let Err(error) =
        unblocked.and_then(|()| SigSet::from(nix::sys::signal::SIGHUP).thread_block())
    {
        eprintln!("memberd: cannot listen to signals: {error}");
        return ExitCode::from(exit::FAILURE);
    }
    let options = Options::parse();
    let loaded = Config::load_with_text(&options.config)
        .and_then(|(config, text)| config.load_keys().map(|keys| (config, keys, text)));
    if options.check {
        let file = options.effective.then_some(options.config.as_path());
        return check::report(loaded.map(|(config, _, text)| (config, text)), file);
    }
    let (config, keys, _) = match loaded {
        Ok(loaded) => loaded,
        Err(ConfigError { lines, only_not_yet }) => {
            for line in lines {
                eprintln!("memberd: {line}");
            }
            return ExitCode::from(if only_not_yet { exit::FAILURE } else { exit::BAD_SETTINGS });
        }
    };
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("search")
        .build()
        .context("cannot start the runtime")
        .and_then(|runtime| {
            let outcome = runtime.block_on(run(options.config, config, keys, code));
            // A hanging search or disk must not delay the end.
            runtime.shutdown_timeout(LINGER);
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("memberd: {error:#}");
            ExitCode::from(exit::FAILURE)
        }
    }
}

/// The signals that the daemon listens to from its first moment on.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let signals = Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        };
        SigSet::all().thread_unblock().context("cannot listen for signals")?;
        Ok(signals)
    }
}

/// Sockets and the state directory come first, because standard error reports why the daemon cannot
/// start. The log comes next, then the subsystems, and last the servers that use them.
async fn run(
    config_path: PathBuf,
    config: Config,
    keys: Option<SealingKeys>,
    code: LoadedCode,
) -> anyhow::Result<()> {
    let signals = Signals::listen()?;
    if keys.is_none() {
        // Without a key there is no secret to protect, and a core dump helps to find a fault.
        prctl::set_dumpable(true).context("cannot allow core dumps")?;
    }
    let directory = StateDir::open(&config.state_dir)?;
    let bound = Bound::bind(&config).await?;
    let log = Log::start(config.log_paths(), config.log_level).context("cannot start logging")?;
    log.audit().switch(config.log_searches);
    let Loaded { state, warnings } = directory.load()?;
    log::warn_all(&warnings);
    log::warn_all(&bound.control.warnings);
    info!(
        version = env!("CARGO_PKG_VERSION"),
        name = %config.name,
        address = %config.address,
        "memberd starting"
    );
    let (services, running, reloads) =
        start_all(&config, keys, &log, (directory, state), bound.udp)?;
    let services = Arc::new(services);
    let control_files = bound.control.bound.clone();
    let mut daemon = Daemon {
        config_path,
        config,
        servers: serve_all(bound.tcp, bound.control, bound.metrics, &services)?,
        services,
        running,
        reloads,
        control_files,
    };
    daemon.servers.push(tokio::spawn(code.release_often()));
    notify::ready();
    let outcome = daemon.serve(signals).await;
    notify::stopping();
    daemon.stop().await;
    info!("memberd stopped");
    log.flush();
    outcome
}

/// Starts all subsystems, each after those that it needs.
fn start_all(
    config: &Config,
    keys: Option<SealingKeys>,
    log: &Log,
    (directory, state): (StateDir, State),
    socket: UdpSocket,
) -> anyhow::Result<(Services, membership::Running, reload::Requests)> {
    let keys = Keys::new(keys);
    keys.announce(config);
    let seal = keys.seal().clone();
    let caller = Caller { address: config.address, bind: config.bind, seal: seal.clone() };
    let search = SearchService::start(config, caller.clone(), log.audit().clone())?;
    let directory = Arc::new(directory);
    let resources = Resources { socket, seal, directory: Arc::clone(&directory), state };
    let (membership, running) = MembershipService::start(config, resources)?;
    let resources = copies::Resources {
        directory: directory.path().join(copies::DIRECTORY),
        caller: caller.clone(),
        membership: membership.handle.clone(),
        searcher: Arc::clone(&search.searcher),
    };
    let copies = CopiesService::start(config, resources)?;
    let resources = agreement::Resources {
        directory: Arc::clone(&directory),
        caller: caller.clone(),
        membership: membership.handle.clone(),
    };
    let agreement = AgreementService::start(config, resources)?;
    let resources = files::Resources {
        directory: directory.path().join(files::DIRECTORY),
        caller,
        membership: membership.handle.clone(),
    };
    let files = FilesService::start(config, resources, agreement.handle())?;
    let resources = jobs::Resources::of(&membership, &search);
    let jobs = JobsService::start(config, resources, agreement.handle(), files.handle().ok())?;
    let (reloader, reloads) = Reloader::new();
    let services = Services {
        membership,
        agreement,
        files,
        jobs,
        copies,
        search,
        keys,
        log: log.clone(),
        connections: Connections::none(),
        reloader,
        last_reload: LastReload::default(),
    };
    Ok((services, running, reloads))
}

/// Starts the servers for members, control clients and scrapers of metrics, each in its own task.
fn serve_all(
    tcp: TcpListener,
    control: Sockets,
    metrics: Option<TcpListener>,
    services: &Arc<Services>,
) -> Result<Vec<JoinHandle<()>>, KindTaken> {
    let membership = &services.membership;
    let peers = peer::services(
        membership.handle.clone(),
        &services.search.searcher,
        services.agreement.incoming(),
        services.copies.incoming(),
        services.files.incoming(),
        services.jobs.for_members(),
    )?;
    let peers = PeerServer::new(membership.address(), services.keys.seal().clone(), peers);
    let mut servers = vec![tokio::spawn(peers.listen(tcp, services.connections.members.clone()))];
    servers.extend(server::start(control, services));
    servers
        .extend(metrics.map(|listener| tokio::spawn(http::listen(listener, Arc::clone(services)))));
    Ok(servers)
}

/// The running daemon.
struct Daemon {
    config_path: PathBuf,
    config: Config,
    services: Arc<Services>,
    /// The membership task.
    running: membership::Running,
    servers: Vec<JoinHandle<()>>,
    /// The reloads that clients ask for.
    reloads: reload::Requests,
    /// The control sockets that the daemon has bound itself and must remove.
    control_files: Vec<PathBuf>,
}

impl Daemon {
    /// Runs until a signal ends it.
    async fn serve(&mut self, mut signals: Signals) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                _ = signals.terminate.recv() => return Ok(()),
                _ = signals.interrupt.recv() => return Ok(()),
                _ = signals.hang_up.recv() => {
                    self.reload().await;
                }
                Some(request) = self.reloads.recv() => {
                    // The client may have gone.
                    let _ = request.send(self.reload().await);
                }
                error = self.running.ended() => return Err(error),
            }
        }
    }

    /// Reloads, and tells systemd, the status and the client how that went.
    async fn reload(&mut self) -> ReloadReport {
        notify::reloading();
        let mut report = ReloadReport::default();
        let reloaded = self.load_again(&mut report).await;
        // Whoever sees the outcome in the log sees it in the status.
        self.services.last_reload.set(reloaded.err());
        match reloaded {
            Ok(()) => info!("settings reloaded"),
            Err(NotReloaded(what)) => {
                match report.reloaded {
                    true => warn!("settings reloaded, but not the {what}"),
                    false => error!("the {what} were not reloaded; the old ones stay in force"),
                }
                let line = format!("the old {what} stay in force; the log has the same");
                report.problems.push(line);
            }
        }
        self.flush_log().await;
        notify::ready();
        report
    }

    /// Loads changed settings. If they are invalid, the old ones stay in force.
    async fn load_again(&mut self, report: &mut ReloadReport) -> Result<(), NotReloaded> {
        self.services.log.reopen();
        let file = match Config::load_again(&self.config_path, &self.config) {
            Ok(file) => file,
            Err(ConfigError { lines, .. }) => {
                for line in &lines {
                    error!("{line}");
                }
                report.problems = lines;
                return Err(NotReloaded("settings"));
            }
        };
        let (new, unchanged) = self.config.reload(file.clone());
        report.reloaded = true;
        report.key_is_credential = new.key_is_credential;
        report.changed = reload::changes(&self.config, &file, &unchanged);
        for key in unchanged {
            warn!(key, "a changed setting needs a restart to take effect");
        }
        let keys = self.services.keys.names();
        let reloaded = self.services.reload(Change { old: &self.config, new: &new }).await;
        report.changed.extend(reload::change_of_keys(keys, self.services.keys.names()));
        self.config = new;
        reloaded
    }

    /// This returns when the log is written. So logrotate, which requests a reload, finds every
    /// line in the right file.
    async fn flush_log(&self) {
        let log = self.services.log.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || log.flush()).await {
            warn!(%error, "the log was not flushed");
        }
    }

    /// Leaves the group and ends all tasks.
    async fn stop(self) {
        let deadline = Instant::now() + STOP_LIMIT;
        // What files have taken is to be on disk while others still hear of it.
        self.services.files.stop(deadline).await;
        // The others answer over the servers.
        self.services.agreement.release(deadline).await;
        for server in &self.servers {
            server.abort();
        }
        self.services.membership.stop(self.running, deadline).await;
        for socket in self.control_files {
            if let Err(error) = std::fs::remove_file(&socket) {
                warn!(%error, socket = %socket.display(), "cannot remove a control socket");
            }
        }
    }
}

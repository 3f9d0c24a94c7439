//! The daemon's life: options, settings, log, state, sockets, tasks, ready; signals; leave, last
//! words.

use crate::config::{Config, ConfigError};
use crate::control::server;
use crate::control::socket::Sockets;
use crate::exit;
use crate::log::{self, Log};
use crate::membership::{self, Command, Handle, Parts};
use crate::metrics::http;
use crate::notify;
use crate::options::Options;
use crate::peer::listener;
use crate::resolve::resolve_configured;
use crate::search::Searches;
use crate::search::asking::HELD;
use crate::search::greps::Greps;
use crate::services::Context;
use crate::state::writer::Keeper;
use crate::state::{Loaded, State, StateDir};
use crate::time::Clocks;
use anyhow::{Context as _, anyhow};
use clap::Parser;
use memberd_control::socket::Access;
use memberd_membership::{Incarnation, Node, Settings};
use memberd_transport::peer::call::Caller;
use memberd_transport::seal::Seal;
use memberd_transport::seal::keyring::SealingKeys;
use nix::sys::prctl;
use nix::sys::signal::SigSet;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};
use tracing::{error, info, warn};

/// How long the leave at the end may take.
const LEAVE_LIMIT: Duration = Duration::from_secs(3);

/// How long the leave, the end of the membership thread and the state's last write may take
/// together. With the log's last lines ([`Log::flush`]: 1 s) and [`LINGER`] the end takes 5 s at
/// the most, which memberd.service relies on.
const STOP_LIMIT: Duration = Duration::from_millis(3_500);

/// How long the runtime waits at the end for a search, or a disk.
const LINGER: Duration = Duration::from_millis(200);

/// How often the introducers' names are resolved anew, since machines move.
const RESOLVE_EVERY: Duration = Duration::from_secs(60);

/// The whole program.
pub fn main() -> ExitCode {
    // Before a key is read, so that none is in a core dump, and no other process of this user can
    // look for it: prctl(2), PR_SET_DUMPABLE.
    if let Err(error) = prctl::set_dumpable(false) {
        eprintln!("memberd: cannot keep the keys out of core dumps: {error}");
        return ExitCode::from(exit::FAILURE);
    }
    // A parent that holds signals back has its children do so too, see daemon(7); this one is to
    // hear all of them.
    if let Err(error) = SigSet::all().thread_unblock() {
        eprintln!("memberd: cannot listen to signals: {error}");
        return ExitCode::from(exit::FAILURE);
    }
    let options = Options::parse();
    let (config, keys) = match Config::load(&options.config)
        .and_then(|config| config.load_keys().map(|keys| (config, keys)))
    {
        Ok(loaded) => loaded,
        Err(ConfigError { lines }) => {
            for line in lines {
                eprintln!("memberd: {line}");
            }
            return ExitCode::from(exit::BAD_SETTINGS);
        }
    };
    if options.check {
        return ExitCode::SUCCESS;
    }
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("search")
        .build()
        .context("cannot start the runtime")
        .and_then(|runtime| {
            let outcome = runtime.block_on(run(options.config, config, keys));
            // A search or a disk that hangs does not hold up the end.
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

/// Everything that is bound, before anything is said to be ready.
struct Bound {
    udp: UdpSocket,
    tcp: TcpListener,
    control: Sockets,
    metrics: Option<TcpListener>,
}

async fn run(
    config_path: PathBuf,
    config: Config,
    keys: Option<SealingKeys>,
) -> anyhow::Result<()> {
    if keys.is_none() {
        // There is nothing to hide, and a crash may be looked into.
        prctl::set_dumpable(true).context("cannot allow core dumps")?;
    }
    let directory = StateDir::open(&config.state_dir)?;
    let bound = bind(&config).await?;
    let log = Log::start(config.log_file(), config.log_level).context("cannot start logging")?;
    let Loaded { state, warnings } = directory.load()?;
    log::warn_all(&warnings);
    log::warn_all(&bound.control.warnings);
    info!(version = env!("CARGO_PKG_VERSION"), name = %config.name, address = %config.address, "memberd starts");
    match &keys {
        Some(keys) => {
            info!(keys = keys.names(), "what members say is sealed, with the first of these keys");
        }
        None if config.speaks_openly() => warn!(
            "security.allow_plaintext is set: nothing that goes over the network is sealed, and \
            anyone on it can speak for any member"
        ),
        None => info!("there is no key: nothing is sealed, and only loopback addresses are used"),
    }
    let mut daemon =
        Daemon::start(config_path, config, keys, Arc::new(directory), state, bound, log.clone())
            .await?;
    notify::ready();
    let outcome = daemon.serve().await;
    notify::stopping();
    daemon.stop().await;
    info!("memberd ends");
    log.flush();
    outcome
}

async fn bind(config: &Config) -> anyhow::Result<Bound> {
    let address = config.address;
    let in_use = |error: io::Error, protocol: &str| match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow!(
                "{protocol} port {address} is in use, by another memberd perhaps: stop it, or set \
                node.port"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            anyhow!("{} is no address of this machine: set node.address", address.ip())
        }
        _ => anyhow!(error).context(format!("cannot bind {protocol} {address}")),
    };
    let udp = UdpSocket::bind(address).await.map_err(|error| in_use(error, "UDP"))?;
    let tcp = TcpListener::bind(address).await.map_err(|error| in_use(error, "TCP"))?;
    let metrics =
        match config.metrics {
            Some(listen) => {
                let bound = TcpListener::bind(listen).await;
                Some(bound.with_context(|| {
                    format!("cannot serve metrics at {listen}: set metrics.listen")
                })?)
            }
            None => None,
        };
    let control = Sockets::open(&config.control_socket)?;
    Ok(Bound { udp, tcp, control, metrics })
}

/// The running daemon.
struct Daemon {
    config_path: PathBuf,
    config: Config,
    /// Where changed keys go; none if it started without.
    keys: Option<watch::Sender<Arc<SealingKeys>>>,
    handle: Handle,
    context: Arc<Context>,
    searches: Arc<Searches>,
    log: Log,
    /// The thread that owns the node, and then gives the keeper back.
    membership: oneshot::Receiver<Keeper>,
    servers: Vec<JoinHandle<()>>,
    /// Those that were bound here and not by systemd.
    sockets: Vec<PathBuf>,
}

impl Daemon {
    async fn start(
        config_path: PathBuf,
        config: Config,
        keys: Option<SealingKeys>,
        directory: Arc<StateDir>,
        state: State,
        bound: Bound,
        log: Log,
    ) -> anyhow::Result<Self> {
        let offer = config.offer().context("[logs] files")?;
        let searches = Arc::new(Searches::new(config.name.to_string(), offer, config.limits));
        searches.set_journal(config.journalctl());
        let settings = Settings { group: config.group, forget_after: config.forget_after };
        let last = (state.incarnation > 0).then_some(Incarnation(state.incarnation));
        let node = Node::new(settings, config.name.clone(), config.address, last, seed()?);
        let node = node.with_tags(config.tags.clone());
        let (handle, commands) = Handle::new();
        let (seal, keys) = match keys.map(Seal::with) {
            Some((seal, sender)) => (seal, Some(sender)),
            None => (Seal::plain(), None),
        };
        let parts = Parts {
            node,
            socket: bound.udp,
            seal: seal.clone(),
            clocks: Clocks::new(),
            introducers: resolve_configured(&config.introducers, config.address).await,
            remembered: state.members.iter().map(|member| member.address).collect(),
            join_by_itself: config.join_on_start || state.in_group,
            keeper: Keeper::new(directory, state),
        };
        let membership = membership::thread::start(parts, handle.clone(), commands)
            .context("cannot start the membership thread")?;
        let context = Arc::new(Context {
            membership: handle.clone(),
            caller: Caller { address: config.address, seal: seal.clone() },
            introducers: RwLock::new(config.introducers.clone()),
            not_reloaded: RwLock::default(),
            log: log.clone(),
            greps: Greps::new(config.limits.greps),
            searches: Arc::clone(&searches),
            held: Arc::new(Semaphore::new(HELD)),
        });
        let service = listener::Service {
            address: config.address,
            seal,
            membership: handle.clone(),
            searches: Arc::clone(&searches),
        };
        let sockets = bound.control.bound;
        let mut servers = vec![
            tokio::spawn(listener::listen(bound.tcp, service)),
            tokio::spawn(server::listen(bound.control.full, Access::Full, Arc::clone(&context))),
        ];
        if let Some(looking) = bound.control.read_only {
            servers.push(tokio::spawn(server::listen(
                looking,
                Access::ReadOnly,
                Arc::clone(&context),
            )));
        }
        servers.extend(
            bound
                .metrics
                .map(|listener| tokio::spawn(http::listen(listener, Arc::clone(&context)))),
        );
        Ok(Daemon {
            config_path,
            config,
            keys,
            handle,
            context,
            searches,
            log,
            membership,
            servers,
            sockets,
        })
    }

    /// Runs until a signal ends it.
    async fn serve(&mut self) -> anyhow::Result<()> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let mut terminate: Signal = listen(SignalKind::terminate())?;
        let mut interrupt: Signal = listen(SignalKind::interrupt())?;
        let mut hang_up: Signal = listen(SignalKind::hangup())?;
        let mut resolve = interval(RESOLVE_EVERY);
        resolve.set_missed_tick_behavior(MissedTickBehavior::Delay);
        resolve.tick().await;
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = hang_up.recv() => {
                    notify::reloading();
                    self.reload().await;
                    // Whoever asked for it, logrotate for instance, finds every line where it
                    // belongs.
                    let log = self.log.clone();
                    if let Err(error) = tokio::task::spawn_blocking(move || log.flush()).await {
                        warn!(%error, "the log was not flushed");
                    }
                    notify::ready();
                }
                _ = resolve.tick() => self.resolve_introducers(),
                ended = &mut self.membership => {
                    return Err(match ended {
                        Ok(_) => anyhow!("the membership task ended"),
                        Err(error) => anyhow!(error).context("the membership task broke off"),
                    });
                }
            }
        }
    }

    /// Takes in changed settings; with bad ones the old stay in force.
    async fn reload(&mut self) {
        self.log.reopen();
        let new = match Config::load(&self.config_path) {
            Ok(new) => new,
            Err(ConfigError { lines }) => {
                for line in lines {
                    error!("{line}");
                }
                error!("the settings were not reloaded; the old ones stay in force");
                return self.context.set_not_reloaded(Some("settings"));
            }
        };
        let (config, kept) = self.config.reload(new);
        for key in kept {
            warn!(key, "a changed setting needs a restart to take effect");
        }
        match config.offer() {
            Ok(offer) => self.searches.set_offer(offer),
            Err(error) => error!(%error, "logs.files was not reloaded"),
        }
        self.searches.set_journal(config.journalctl());
        if config.log_level != self.config.log_level {
            self.log.set_filter(config.log_level.into());
        }
        self.context.set_introducers(config.introducers.clone());
        // An ended task is told of elsewhere.
        let _ = self.context.membership.tell(Command::Tags(config.tags.clone())).await;
        self.config = config;
        let keys_are_in_force = self.reload_keys();
        self.context.set_not_reloaded((!keys_are_in_force).then_some("keys"));
        self.resolve_introducers();
        if keys_are_in_force {
            info!("settings reloaded");
        } else {
            warn!("settings reloaded, but not the keys");
        }
    }

    /// Takes in changed keys; with bad ones the old stay in force. Whether those that are in force
    /// are the ones in the file.
    fn reload_keys(&self) -> bool {
        match (&self.keys, self.config.load_keys()) {
            (Some(keys), Ok(Some(new))) => {
                if keys.borrow().names() != new.names() {
                    info!(
                        keys = new.names(),
                        "the keys have changed; what members say is sealed with the first of these"
                    );
                }
                keys.send_replace(Arc::new(new));
                if self.config.key_is_credential {
                    info!(
                        "the keys are a credential, of which systemd takes a copy at a start: a \
                        restart takes in changed ones"
                    );
                }
                return true;
            }
            (Some(_), Ok(None)) => {
                error!("there is no key file any more; the old keys stay in force");
            }
            (Some(_), Err(ConfigError { lines })) => {
                for line in lines {
                    error!("{line}");
                }
                error!("the keys were not reloaded; the old ones stay in force");
            }
            (None, Ok(None)) => return true,
            (None, _) => warn!("there is a key file now; sealing needs a restart to take effect"),
        }
        false
    }

    /// In a task of its own: no signal waits for a resolver that does not answer.
    fn resolve_introducers(&self) {
        let (names, own, handle) =
            (self.config.introducers.clone(), self.config.address, self.handle.clone());
        tokio::spawn(async move {
            let addresses: Vec<SocketAddr> = resolve_configured(&names, own).await;
            // If the task has ended, `serve` notices.
            let _ = handle.tell(Command::Introducers(addresses)).await;
        });
    }

    /// Leaves the group and ends all tasks.
    async fn stop(self) {
        let Daemon { handle, servers, membership, sockets, .. } = self;
        let deadline = Instant::now() + STOP_LIMIT;
        for server in &servers {
            server.abort();
        }
        if timeout(LEAVE_LIMIT, handle.ask(|reply| Command::Leave { reply })).await.is_err() {
            warn!("could not leave the group in time");
        }
        let end = async {
            // If the task has ended already, it has nothing to end.
            let _ = handle.tell(Command::End).await;
            if let Ok(keeper) = membership.await {
                keeper.finish().await;
            }
        };
        if timeout_at(deadline, end).await.is_err() {
            warn!("the state was not written in time");
        }
        for socket in sockets {
            if let Err(error) = std::fs::remove_file(&socket) {
                warn!(%error, socket = %socket.display(), "cannot remove a control socket");
            }
        }
    }
}

/// A seed for the protocol's random choices, none of which is a secret.
fn seed() -> anyhow::Result<u64> {
    use std::io::Read;
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(u64::from_ne_bytes(bytes))
}

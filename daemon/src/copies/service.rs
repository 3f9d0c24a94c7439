//! Copies of logs as a subsystem: it starts and stops the source and the keeper, and reports. It
//! owns both, if `[logs] copies` is set.

use super::keeper::{Incoming, Keeper, KeepingStatus};
use super::members;
use super::metrics;
use super::source::{self, Offer, Parts, SourceSettings, SourceStatus};
use crate::config::Config;
use crate::lock::{lock, read, write};
use crate::membership::{self, Ended};
use crate::search::LocalSearcher;
use crate::search::kept::{KeptCopies, Reach};
use crate::subsystem::{Boxed, Change, NotReloaded, Page, Subsystem};
use crate::time::wall;
use anyhow::Context as _;
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;
use memberd_membership::Name;
use memberd_transport::{Alert, Caller, PeerStream, StreamRequest};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tracing::error;

/// The parts, besides the settings, that start it.
#[derive(Debug, Clone)]
pub struct Resources {
    /// Where copies are kept. It is created when it is needed.
    pub directory: PathBuf,
    /// Calls other members from this member's address.
    pub caller: Caller,
    /// The membership.
    pub membership: membership::Handle,
    /// Searches the copies that are kept here.
    pub searcher: Arc<LocalSearcher>,
}

/// The copies of logs that this machine sends and keeps.
#[derive(Debug)]
pub struct CopiesService {
    resources: Resources,
    /// None if they are switched off: then nothing of them runs.
    running: RwLock<Option<Arc<Running>>>,
    incoming: IncomingCopies,
}

#[derive(Debug)]
struct Running {
    settings: watch::Sender<Arc<SourceSettings>>,
    source: Arc<Mutex<SourceStatus>>,
    keeper: Keeper,
}

/// Takes what other members send, while copies are switched on. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct IncomingCopies(Arc<RwLock<Option<Incoming>>>);

impl IncomingCopies {
    /// Serves one connection, until the other side closes it.
    ///
    /// # Errors
    /// When it breaks, or says what cannot be read.
    pub async fn serve(&self, request: StreamRequest, mut stream: PeerStream) -> io::Result<()> {
        let incoming = read(&self.0).clone();
        match incoming {
            Some(incoming) => incoming.serve(request, stream).await,
            None => {
                // As a member that does not know of copies.
                stream.write_all(&Alert::Version.to_bytes()).await?;
                stream.shutdown().await
            }
        }
    }
}

impl CopiesService {
    /// Starts what the settings switch on.
    ///
    /// # Errors
    /// When a glob of the settings is invalid, or a thread cannot be created.
    pub fn start(config: &Config, resources: Resources) -> anyhow::Result<Self> {
        let service = CopiesService {
            resources,
            running: RwLock::default(),
            incoming: IncomingCopies::default(),
        };
        if config.copies.count > 0 {
            service.switch_on(config)?;
        }
        Ok(service)
    }

    fn switch_on(&self, config: &Config) -> anyhow::Result<()> {
        let Resources { directory, caller, membership, searcher } = self.resources.clone();
        let (peers_sender, peers) = watch::channel(None);
        let (settings, watched) = watch::channel(Arc::new(source_settings(config)?));
        let keeper = Keeper::start(directory.clone(), config.copies.limits(), peers.clone())
            .context("cannot start the thread that keeps copies")?;
        let source = Arc::new(Mutex::new(SourceStatus::default()));
        let parts = Parts {
            name: config.name.clone(),
            caller,
            peers,
            settings: watched,
            status: Arc::clone(&source),
        };
        source::start(parts).context("cannot start the thread that sends copies")?;
        tokio::spawn(members::follow(membership, peers_sender));
        let states = keeper.states.clone();
        searcher.set_kept_copies(Some(KeptCopies::new(directory, move |source: &Name| {
            states.of(source).map_or(Reach::Unknown, |state| state.reach(wall().0))
        })));
        *write(&self.incoming.0) = Some(keeper.incoming.clone());
        *write(&self.running) = Some(Arc::new(Running { settings, source, keeper }));
        Ok(())
    }

    async fn switch_off(&self) {
        self.resources.searcher.set_kept_copies(None);
        *write(&self.incoming.0) = None;
        let running = write(&self.running).take();
        if let Some(running) = running {
            running.keeper.end().await;
        }
    }

    fn running(&self) -> Option<Arc<Running>> {
        read(&self.running).clone()
    }

    /// Takes what other members send.
    pub fn incoming(&self) -> IncomingCopies {
        self.incoming.clone()
    }

    fn told(&self) -> Option<(SourceStatus, KeepingStatus, u64)> {
        let running = self.running()?;
        let source = lock(&running.source).clone();
        let keeping = lock(&running.keeper.status).clone();
        Some((source, keeping, running.keeper.states.open()))
    }

    async fn take_settings(&self, config: &Config) -> anyhow::Result<()> {
        match self.running() {
            None if config.copies.count > 0 => self.switch_on(config),
            None => Ok(()),
            Some(_) if config.copies.count == 0 => {
                self.switch_off().await;
                Ok(())
            }
            Some(running) => {
                running.keeper.set_limits(config.copies.limits()).await;
                running.settings.send_replace(Arc::new(source_settings(config)?));
                Ok(())
            }
        }
    }
}

fn source_settings(config: &Config) -> anyhow::Result<SourceSettings> {
    let exposed = config.offer().context("[logs] files")?;
    Ok(SourceSettings {
        copies: config.copies.count.into(),
        is_by_default: !config.copies.is_set,
        rate: config.copies.rate,
        offer: Offer::new(exposed, &config.copies.but_not),
    })
}

impl Subsystem for CopiesService {
    fn reload<'t>(&'t self, settings: Change<'t>) -> Boxed<'t, Result<(), NotReloaded>> {
        Box::pin(async move {
            self.take_settings(settings.new).await.map_err(|error| {
                error!(%error, "the settings of copies were not reloaded");
                NotReloaded("settings of copies")
            })
        })
    }

    fn status<'t>(
        &'t self,
        report: &'t mut StatusReport,
        _: Access,
    ) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            let Some((source, keeping, _)) = self.told() else { return Ok(()) };
            report.warnings.extend(source.warnings());
            report.warnings.extend(keeping.warnings());
            let counters = [
                ("copies_text_bytes", source.text_bytes),
                ("copies_sent_bytes", source.sent_bytes),
                ("copies_lost_bytes", source.lost_bytes),
                ("kept_text_bytes", keeping.counts.appended_text_bytes),
            ];
            report.counters.extend(counters.map(|(name, count)| (name.to_owned(), count)));
            Ok(())
        })
    }

    fn metrics<'t>(&'t self, page: &'t mut Page) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            let Some((source, keeping, sources)) = self.told() else { return Ok(()) };
            page.warnings += source.warnings().len() + keeping.warnings().len();
            metrics::of_source(&mut page.text, &source);
            metrics::of_keeper(&mut page.text, &keeping, sources);
            Ok(())
        })
    }
}

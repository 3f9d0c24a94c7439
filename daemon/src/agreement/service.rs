//! The agreed views as a subsystem: it starts and stops their task, and reports. It owns the handle
//! to the task, if `[agreement] enabled` is set.

use super::file::AgreementFile;
use super::incoming::Incoming;
use super::links::Links;
use super::task::{Agreement, Parts};
use super::writer::Writer;
use super::{Command, Handle, RELEASE_LIMIT, Shown, convert, list};
use crate::boot_time::{self, BootTimer};
use crate::config::Config;
use crate::membership::{self, Ended};
use crate::state::StateDir;
use crate::subsystem::{Boxed, Page, Subsystem, add_warnings};
use crate::task_thread;
use anyhow::{Context as _, bail};
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;
use memberd_council::{BootTime, Council, Durable, Origin, Settings, View};
use memberd_membership::ViewNews;
use memberd_transport::Caller;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

/// What the status says if the task is gone and the daemon is not.
const FAILED: &str =
    "the agreed views have failed on this machine: look at its log, and start memberd again";

/// The agreed views of this machine.
#[derive(Debug, Default)]
pub struct AgreementService {
    /// None if they are switched off: then nothing of them runs.
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    handle: Handle,
    incoming: Incoming,
}

/// The parts, besides the settings, that start it.
#[derive(Debug)]
pub struct Resources {
    /// The directory of the state, which is locked.
    pub directory: Arc<StateDir>,
    /// Calls other members from this member's address.
    pub caller: Caller,
    /// The membership.
    pub membership: membership::Handle,
}

impl AgreementService {
    /// Starts the task, if the settings switch it on.
    ///
    /// # Errors
    /// When the agreement file cannot be read, when it is of other founders, or when no thread can
    /// be created.
    pub fn start(config: &Config, resources: Resources) -> anyhow::Result<Self> {
        if !config.agreement.enabled {
            return Ok(AgreementService::default());
        }
        let Resources { directory, caller, membership } = resources;
        let file = AgreementFile::new(directory);
        let (origin, warning) = file.load().context("cannot read the agreement file")?;
        if let Some(warning) = warning {
            warn!("{warning}");
        }
        let agreement = &config.agreement;
        let settings = Settings {
            council: agreement.council.into(),
            lease: agreement.lease,
            vote: agreement.vote,
            initial_council: agreement.initial_council.clone(),
            ..Settings::default()
        };
        let now = boot_time::now();
        let silent_until = match &origin {
            Origin::File(durable) => {
                check_founders(durable, &settings)?;
                now.boot + durable.lease.max(settings.lease)
            }
            Origin::Fresh(_) => BootTime::EPOCH,
        };
        let council = Council::new(settings.clone(), config.name.clone(), origin, now);
        let view = council.view();
        info!(
            number = view.number.0,
            term = view.term.0,
            council = view.council.len(),
            "agreed views are switched on"
        );
        let (handle, channels) = channels(&council);
        let (incoming, messages) = Incoming::new();
        let writer =
            Writer::start(file).context("cannot start the thread of the agreement file")?;
        let name = config.name.clone();
        let make = || {
            let (list, gossip) = follow(&membership);
            let views = membership.follow_views();
            Ok(Agreement::new(Parts {
                council,
                settings,
                name,
                silent_until,
                writer,
                links: Links::new(caller),
                timer: BootTimer::new()?,
                incoming: messages,
                list,
                views,
                gossip,
                commands: channels.commands,
                shown: channels.shown,
            }))
        };
        // On a thread of its own, so that no grep delays a lease. It ends with the last handle.
        task_thread::start("agreement", make, Agreement::run)
            .context("cannot start the agreement thread")?;
        Ok(AgreementService { running: Some(Running { handle, incoming }) })
    }

    /// The handle to the task, if the agreed views are switched on.
    pub(crate) fn handle(&self) -> Option<&Handle> {
        self.running.as_ref().map(|running| &running.handle)
    }

    /// Takes the messages of other members, if the agreed views are switched on.
    pub fn incoming(&self) -> Option<Incoming> {
        self.running.as_ref().map(|running| running.incoming.clone())
    }

    /// Hands over, and waits for the view without this machine, but not for long. The caller leaves
    /// the group only then.
    pub async fn release(&self, deadline: Instant) {
        let Some(handle) = self.handle() else { return };
        let until = (Instant::now() + RELEASE_LIMIT).min(deadline);
        // Without it, the others wait for the end of the lease.
        let _ = timeout_at(until, handle.ask(Command::Release)).await;
    }
}

/// The ends of the task's channels.
struct Channels {
    commands: mpsc::Receiver<Command>,
    shown: watch::Sender<Shown>,
}

fn channels(council: &Council) -> (Handle, Channels) {
    let (sender, commands) = mpsc::channel(super::COMMANDS);
    let first = Shown { view: Arc::clone(council.view()), leader: None, exclusive: false };
    let (shown, watched) = watch::channel(first);
    (Handle { commands: sender, shown: watched }, Channels { commands, shown })
}

/// Follows the membership's list, and spreads what the task wants to be spread.
fn follow(
    membership: &membership::Handle,
) -> (watch::Receiver<list::Standings>, watch::Sender<Option<ViewNews>>) {
    let (list_sender, list) = watch::channel(None);
    tokio::spawn(list::follow(membership.clone(), list_sender));
    let (gossip, news) = watch::channel(None);
    tokio::spawn(spread(membership.clone(), news));
    (list, gossip)
}

/// Passes news on to the membership. It may be busy; then only the newest counts.
async fn spread(membership: membership::Handle, mut news: watch::Receiver<Option<ViewNews>>) {
    while news.changed().await.is_ok() {
        let newest = *news.borrow_and_update();
        if let Some(newest) = newest
            && membership.tell(membership::Command::SpreadView(newest)).await.is_err()
        {
            return;
        }
    }
}

/// The founders of the settings must be those of the file: nobody would listen to the others.
fn check_founders(durable: &Durable, settings: &Settings) -> anyhow::Result<()> {
    let founding = View::genesis(&settings.initial_council).lineage.founding;
    if durable.lineage.founding != founding {
        bail!(
            "agreement.initial_council is not the one with which this machine's views were \
            founded: set it back; or, to found new views, stop memberd on all machines and remove \
            agreement.cbor from paths.state_dir everywhere"
        );
    }
    Ok(())
}

impl Subsystem for AgreementService {
    fn status<'t>(
        &'t self,
        report: &'t mut StatusReport,
        _: Access,
    ) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            let Some(handle) = self.handle() else { return Ok(()) };
            let told = handle.ask(Command::Tell).await.ok();
            add_warnings(report, told.as_deref(), FAILED);
            if let Some(told) = told {
                report.view = Some(convert::view_summary(&told));
                let counters = [
                    ("view_elections", told.status.elections),
                    ("views_installed", told.installed),
                ];
                report.counters.extend(counters.map(|(name, count)| (name.to_owned(), count)));
            }
            Ok(())
        })
    }

    fn metrics<'t>(&'t self, page: &'t mut Page) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            let Some(handle) = self.handle() else { return Ok(()) };
            page.add(handle.ask(Command::Tell).await.ok().as_deref());
            Ok(())
        })
    }
}

//! Replicated files as a subsystem: it starts and stops their task, and reports. It owns the handle
//! to the task, if `[files] enabled` is set.

use super::disk::DiskThread;
use super::fills::Fills;
use super::handle::{FilesError, Handle};
use super::incoming::Incoming;
use super::links::Links;
use super::task::{self, Parts};
use super::webhdfs::WebHdfs;
use super::{members, views};
use crate::agreement;
use crate::boot_time::BootTimer;
use crate::config::Config;
use crate::membership::{self, Ended};
use crate::subsystem::{Boxed, Change, NotReloaded, Page, Subsystem, add_warnings};
use crate::task_thread;
use anyhow::Context as _;
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;
use memberd_files::store::StoreSettings;
use memberd_files::{ExtentSettings, MemberSettings};
use memberd_transport::Caller;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::{error, info};

/// What the status says if the task is gone and the daemon is not.
const FAILED: &str = "files have ended on this machine: look at its log, and start memberd again";

/// How long a planned stop waits for the disk.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// The replicated files of this machine.
#[derive(Debug, Default)]
pub struct FilesService {
    /// None if they are switched off: then nothing of them runs.
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    handle: Handle,
    incoming: Incoming,
    webhdfs: WebHdfs,
}

/// The parts, besides the settings, that start it.
#[derive(Debug)]
pub struct Resources {
    /// Where files lie. It is created when it is needed.
    pub directory: PathBuf,
    /// Calls other members from this member's address.
    pub caller: Caller,
    /// The membership.
    pub membership: membership::Handle,
}

impl FilesService {
    /// Starts the task, if the settings switch it on. It follows these agreed views.
    ///
    /// # Errors
    /// When no thread can be created, or there is no randomness.
    pub(crate) fn start(
        config: &Config,
        resources: Resources,
        agreement: Option<&agreement::Handle>,
    ) -> anyhow::Result<Self> {
        let Some(agreement) = agreement.filter(|_| config.files.enabled) else {
            return Ok(FilesService::default());
        };
        let Resources { directory, caller, membership } = resources;
        let salt = getrandom::u64().context("there is no randomness for files")?;
        let seed = getrandom::u64().context("there is no randomness for files")?;
        let settings = StoreSettings { space_bytes: config.files.space, salt };
        let disk = DiskThread::start(directory, settings)
            .context("cannot start the thread of the disk for files")?;
        let (peers_sender, peers) = watch::channel(Arc::default());
        let (views_sender, views) = watch::channel(None);
        tokio::spawn(members::follow(membership, peers_sender));
        tokio::spawn(views::follow(agreement.clone(), views_sender));
        let (handle, channels) = Handle::new(agreement.clone());
        let (incoming, arrivals) = Incoming::new(peers.clone());
        let webhdfs = WebHdfs::start(&config.files, handle.clone(), peers.clone())?;
        let settings = MemberSettings { extents: extent_settings(config), ..Default::default() };
        let (name, fills) = (config.name.clone(), Fills::new(agreement.clone()));
        let make = || {
            let links = Links::new(caller, name.clone());
            let timer = BootTimer::new()?;
            Ok(Parts {
                name,
                settings,
                seed,
                disk,
                links,
                timer,
                arrivals,
                peers,
                views,
                fills,
                channels,
            })
        };
        // On a thread of its own, so that no grep delays a lease. It ends with the last handle.
        task_thread::start("files", make, task::run).context("cannot start the thread of files")?;
        info!(space_bytes = config.files.space, "replicated files are switched on");
        Ok(FilesService { running: Some(Running { handle, incoming, webhdfs }) })
    }

    /// The handle to the task.
    ///
    /// # Errors
    /// When files are switched off.
    pub fn handle(&self) -> Result<&Handle, FilesError> {
        self.running.as_ref().map(|running| &running.handle).ok_or(FilesError::Off)
    }

    /// Takes the messages of other members, if files are switched on.
    pub fn incoming(&self) -> Option<Incoming> {
        self.running.as_ref().map(|running| running.incoming.clone())
    }

    /// Ends the task once what it has taken is on disk, but does not wait for long.
    pub async fn stop(&self, deadline: Instant) {
        let Some(Running { handle, webhdfs, .. }) = &self.running else { return };
        webhdfs.stop().await;
        let until = (Instant::now() + STOP_LIMIT).min(deadline);
        // Without it, the next start does again what is in the log.
        let _ = timeout_at(until, handle.stop()).await;
    }
}

fn extent_settings(config: &Config) -> ExtentSettings {
    ExtentSettings { repair_after: config.files.repair_after, ..ExtentSettings::default() }
}

impl Subsystem for FilesService {
    fn reload<'t>(&'t self, settings: Change<'t>) -> Boxed<'t, Result<(), NotReloaded>> {
        Box::pin(async move {
            let Some(Running { handle, webhdfs, .. }) = &self.running else { return Ok(()) };
            let (old, new) = (&settings.old.files, &settings.new.files);
            if old.repair_after != new.repair_after {
                let taken = handle.set_repair_after(new.repair_after).await;
                taken.map_err(|_| NotReloaded("settings of files"))?;
            }
            webhdfs.reload(new).await.map_err(|error| {
                error!("{error:#}");
                NotReloaded("settings of WebHDFS")
            })
        })
    }

    fn status<'t>(
        &'t self,
        report: &'t mut StatusReport,
        _: Access,
    ) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            let Ok(handle) = self.handle() else { return Ok(()) };
            let told = handle.figures().await.ok();
            add_warnings(report, told.as_deref(), FAILED);
            Ok(())
        })
    }

    fn metrics<'t>(&'t self, page: &'t mut Page) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            let Ok(handle) = self.handle() else { return Ok(()) };
            page.add(handle.figures().await.ok().as_deref());
            Ok(())
        })
    }
}

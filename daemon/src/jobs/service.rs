//! Durable jobs as a subsystem: it starts their task, and reports. It owns the handle to the task,
//! if `[streams] jobs` is set.

use super::engine::Engine;
use super::group::{self, Group};
use super::incoming::Incoming;
use super::links::Links;
use super::source::Sources;
use super::store::JobStore;
use super::task::{self, Parts};
use super::{COMMANDS, Command, Handle};
use crate::boot_time::BootTimer;
use crate::config::Config;
use crate::files::members;
use crate::membership::{self, Ended, MembershipService};
use crate::search::{LocalSearcher, SearchService};
use crate::subsystem::{Boxed, Page, Subsystem, add_warnings};
use crate::{agreement, files, task_thread};
use anyhow::Context as _;
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;
use memberd_jobs::Settings;
use memberd_transport::Caller;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tracing::info;

/// What the status says if the task is gone and the daemon is not.
const FAILED: &str = "jobs have ended on this machine: look at its log, and start memberd again";

/// The durable jobs of this machine.
#[derive(Debug, Default)]
pub struct JobsService {
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
    /// Calls other members from this member's address.
    pub caller: Caller,
    /// The membership.
    pub membership: membership::Handle,
    /// What this machine offers to read.
    pub searcher: Arc<LocalSearcher>,
}

impl Resources {
    /// Of the subsystems that have them.
    pub fn of(membership: &MembershipService, search: &SearchService) -> Resources {
        Resources {
            caller: search.caller.clone(),
            membership: membership.handle.clone(),
            searcher: Arc::clone(&search.searcher),
        }
    }
}

impl JobsService {
    /// Starts the task, if the settings switch it on. It follows these agreed views, and keeps what
    /// must last in these files.
    ///
    /// # Errors
    /// When no thread can be created.
    pub(crate) fn start(
        config: &Config,
        resources: Resources,
        agreement: Option<&agreement::Handle>,
        files: Option<&files::Handle>,
    ) -> anyhow::Result<Self> {
        let (Some(agreement), Some(files)) = (agreement, files) else {
            return Ok(JobsService::default());
        };
        if !config.streams.jobs {
            return Ok(JobsService::default());
        }
        let Resources { caller, membership, searcher } = resources;
        let (peers_sender, peers) = watch::channel(Arc::default());
        let (groups, group) = watch::channel(Group::default());
        tokio::spawn(members::follow(membership, peers_sender));
        let name = config.name.clone();
        let follow =
            group::follow(name.clone(), agreement.clone(), peers.clone(), groups, caller.clone());
        tokio::spawn(follow);
        let (commands, received) = mpsc::channel(COMMANDS);
        let (incoming, messages) = Incoming::new(peers.clone());
        let engine = Engine::new(name.clone(), Arc::new(Settings::default()));
        let sources = Sources::new(name.clone(), searcher);
        let store = JobStore::new(files);
        let handle = Handle {
            own: name.clone(),
            commands,
            group: group.clone(),
            peers: peers.clone(),
            caller: caller.clone(),
            store: store.clone(),
            sources: sources.clone(),
        };
        let make = || {
            let timer = BootTimer::new()?;
            let links = Links::new(caller, name);
            let commands = received;
            Ok(Parts { engine, links, timer, messages, group, peers, store, sources, commands })
        };
        // On a thread of its own, so that no sum delays a heartbeat. It ends with the last handle.
        task_thread::start("jobs", make, task::run).context("cannot start the thread of jobs")?;
        info!("durable jobs are switched on");
        Ok(JobsService { running: Some(Running { handle, incoming }) })
    }

    /// The handle to the task, if jobs are switched on.
    pub fn handle(&self) -> Option<&Handle> {
        self.running.as_ref().map(|running| &running.handle)
    }

    /// What answers other members, if jobs are switched on.
    pub fn for_members(&self) -> Option<(Incoming, Handle)> {
        let running = self.running.as_ref()?;
        Some((running.incoming.clone(), running.handle.clone()))
    }
}

impl Subsystem for JobsService {
    fn status<'t>(
        &'t self,
        report: &'t mut StatusReport,
        _: Access,
    ) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            let Some(handle) = self.handle() else { return Ok(()) };
            let told = handle.ask(Command::Tell).await.ok();
            add_warnings(report, told.as_deref(), FAILED);
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

//! The membership as a subsystem: starts and stops its task, takes in changed settings, reports.

use super::{Command, Ended, Handle, Parts, metrics, thread};
use crate::config::Config;
use crate::control::convert::status_report;
use crate::lock::{read, write};
use crate::resolve::resolve_configured;
use crate::state::writer::StateWriter;
use crate::state::{State, StateDir};
use crate::subsystem::{Boxed, Change, NotReloaded, Page, Subsystem};
use crate::time::Clocks;
use anyhow::{Context as _, anyhow};
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;
use memberd_membership::{Incarnation, Node, Settings};
use memberd_transport::Seal;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

/// How long the leave at the end may take.
const LEAVE_LIMIT: Duration = Duration::from_secs(3);

/// The way to the membership task, and the settings that it works with.
#[derive(Debug)]
pub struct MembershipService {
    /// The way to the task.
    pub handle: Handle,
    address: SocketAddr,
    introducers: RwLock<Vec<String>>,
}

/// What the membership is started with, beside the settings.
#[derive(Debug)]
pub struct Resources {
    /// Bound to the member's address.
    pub socket: UdpSocket,
    /// How this daemon speaks to other members.
    pub seal: Seal,
    /// Where the state is written.
    pub directory: Arc<StateDir>,
    /// The state that was loaded.
    pub state: State,
}

/// The task that runs; it gives back the writer of the state when it ends.
#[derive(Debug)]
pub struct Running(oneshot::Receiver<StateWriter>);

impl MembershipService {
    /// Starts the task.
    ///
    /// # Errors
    /// When there is no thread to be had, or no randomness.
    pub async fn start(config: &Config, resources: Resources) -> anyhow::Result<(Self, Running)> {
        let Resources { socket, seal, directory, state } = resources;
        let settings = Settings { group: config.group, forget_after: config.forget_after };
        let last = (state.incarnation > 0).then_some(Incarnation(state.incarnation));
        let seed = getrandom::u64().context("there is no randomness")?;
        let node = Node::new(settings, config.name.clone(), config.address, last, seed)
            .with_tags(config.tags.clone());
        let (handle, commands) = Handle::new();
        let parts = Parts {
            node,
            socket,
            seal,
            clocks: Clocks::new(),
            introducers: resolve_configured(&config.introducers, config.address).await,
            remembered: state.members.iter().map(|member| member.address).collect(),
            join_by_itself: config.join_on_start || state.in_group,
            writer: StateWriter::new(directory, state),
        };
        let running = thread::start(parts, handle.clone(), commands)
            .context("cannot start the membership thread")?;
        let introducers = RwLock::new(config.introducers.clone());
        let service = MembershipService { handle, address: config.address, introducers };
        Ok((service, Running(running)))
    }

    /// This member's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The introducers of the settings, as they are now.
    pub fn introducers(&self) -> Vec<String> {
        read(&self.introducers).clone()
    }

    /// Resolves the introducers' names anew, in a task of its own: no signal waits for a resolver
    /// that does not answer.
    pub fn resolve_introducers(&self) {
        let (names, own, handle) = (self.introducers(), self.address, self.handle.clone());
        tokio::spawn(async move {
            let addresses = resolve_configured(&names, own).await;
            // If the task has ended, the daemon notices.
            let _ = handle.tell(Command::Introducers(addresses)).await;
        });
    }

    /// Leaves the group, ends the task, and writes the state, until `deadline` at the latest.
    pub async fn stop(&self, running: Running, deadline: Instant) {
        let leave = self.handle.ask(|reply| Command::Leave { reply });
        if timeout(LEAVE_LIMIT, leave).await.is_err() {
            warn!("could not leave the group in time");
        }
        let end = async {
            // If the task has ended already, it has nothing to end.
            let _ = self.handle.tell(Command::End).await;
            if let Ok(writer) = running.0.await {
                writer.finish().await;
            }
        };
        if timeout_at(deadline, end).await.is_err() {
            warn!("the state was not written in time");
        }
    }
}

impl Running {
    /// Resolves when the task ends by itself, which it should not.
    pub async fn ended(&mut self) -> anyhow::Error {
        match (&mut self.0).await {
            Ok(_) => anyhow!("the membership task ended"),
            Err(error) => anyhow!(error).context("the membership task broke off"),
        }
    }
}

impl Subsystem for MembershipService {
    fn reload<'t>(&'t self, settings: Change<'t>) -> Boxed<'t, Result<(), NotReloaded>> {
        Box::pin(async move {
            write(&self.introducers).clone_from(&settings.new.introducers);
            // If the task has ended, the daemon notices.
            let _ = self.handle.tell(Command::Tags(settings.new.tags.clone())).await;
            self.resolve_introducers();
            Ok(())
        })
    }

    fn status<'t>(
        &'t self,
        report: &'t mut StatusReport,
        _: Access,
    ) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            let status = self.handle.ask(|reply| Command::Status { reply }).await?;
            *report = status_report(&status);
            Ok(())
        })
    }

    fn metrics<'t>(&'t self, page: &'t mut Page) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            let measured = self.handle.ask(|reply| Command::Measure { reply }).await?;
            page.warnings += measured.status.warnings.len();
            metrics::write(&mut page.text, &measured);
            Ok(())
        })
    }
}

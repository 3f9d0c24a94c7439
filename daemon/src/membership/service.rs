//! The membership as a subsystem: it starts and stops the task, takes changed settings, and
//! reports. It owns the handle to the task.

use super::lookup::Lookup;
use super::{Command, Ended, Handle, Parts, metrics, thread};
use crate::config::Config;
use crate::control::convert::status_report;
use crate::resolve::Own;
use crate::state::writer::StateWriter;
use crate::state::{State, StateDir};
use crate::subsystem::{Boxed, Change, NotReloaded, Page, Subsystem};
use crate::time::Clocks;
use anyhow::{Context as _, anyhow};
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;
use memberd_membership::{Incarnation, Node, Settings};
use memberd_transport::{Caller, Seal};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

/// How long the leave at the daemon's end may take.
const LEAVE_LIMIT: Duration = Duration::from_secs(3);

/// The handle to the membership task, and the task's settings.
#[derive(Debug)]
pub struct MembershipService {
    /// The handle to the task.
    pub handle: Handle,
    own: Own,
    /// With which other members are asked on behalf of clients.
    pub(super) caller: Caller,
    /// The introducers of the settings. Whatever is sent is looked up at once.
    introducers: watch::Sender<Vec<String>>,
}

/// The parts, besides the settings, that start the membership.
#[derive(Debug)]
pub struct Resources {
    /// The socket that is bound to the member's address.
    pub socket: UdpSocket,
    /// Protects messages to other members.
    pub seal: Seal,
    /// The directory of the state.
    pub directory: Arc<StateDir>,
    /// The loaded state.
    pub state: State,
}

/// The running task. It returns the writer of the state when it ends.
#[derive(Debug)]
pub struct Running(oneshot::Receiver<StateWriter>);

impl MembershipService {
    /// Starts the task, and beside it the lookup of the introducers, for which nothing waits. Must
    /// be called within a runtime.
    ///
    /// # Errors
    /// When no thread can be created, or no random bytes can be read.
    pub fn start(config: &Config, resources: Resources) -> anyhow::Result<(Self, Running)> {
        let Resources { socket, seal, directory, state } = resources;
        let settings = Settings { group: config.group.clone(), forget_after: config.forget_after };
        let last = (state.incarnation > 0).then_some(Incarnation(state.incarnation));
        let seed = getrandom::u64().context("there is no randomness")?;
        let node = Node::new(settings, config.name.clone(), config.address, last, seed)
            .with_tags(config.tags.clone());
        let (handle, commands) = Handle::new();
        let own = Own { address: config.address, name: config.name.to_string() };
        let lookup = Lookup::begin(&config.introducers, own.clone());
        let caller = Caller { address: config.address, bind: config.bind, seal: seal.clone() };
        let (introducers, names) = watch::channel(config.introducers.clone());
        let parts = Parts {
            node,
            socket,
            seal,
            clocks: Clocks::new(),
            introducers: lookup.known(),
            remembered: state.members.iter().map(|member| member.address).collect(),
            join_by_itself: config.join_on_start || state.in_group,
            writer: StateWriter::new(directory, state),
        };
        let running = thread::start(parts, handle.clone(), commands)
            .context("cannot start the membership thread")?;
        tokio::spawn(lookup.run(names, handle.clone()));
        Ok((MembershipService { handle, own, caller, introducers }, Running(running)))
    }

    /// This member's address.
    pub fn address(&self) -> SocketAddr {
        self.own.address
    }

    /// This member, as an introducer of its own may name it.
    pub fn own(&self) -> &Own {
        &self.own
    }

    /// The introducers of the settings, as they are now.
    pub fn introducers(&self) -> Vec<String> {
        self.introducers.borrow().clone()
    }

    /// Leaves the group, ends the task, and writes the state, until `deadline` at the latest.
    pub async fn stop(&self, running: Running, deadline: Instant) {
        let leave = self.handle.ask(|reply| Command::Leave { reply });
        // What came before the leave may have taken a part of the time.
        let until = (Instant::now() + LEAVE_LIMIT).min(deadline);
        if timeout_at(until, leave).await.is_err() {
            warn!("could not leave the group in time");
        }
        let end = async {
            // An error means that the task has ended already.
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
    /// Resolves when the task ends by itself, which is a fault.
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
            self.introducers.send_replace(settings.new.introducers.clone());
            // If the task has ended, the daemon notices by itself.
            let _ = self.handle.tell(Command::Tags(settings.new.tags.clone())).await;
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

//! Writes the state to disk whenever it changes, without the protocol loop waiting for the disk. It
//! owns the state as it is now.

use crate::state::{Remembered, State, StateDir, StateError};
use memberd_membership::{Identity, Incarnation};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

/// How long changes are gathered before they are written.
const GATHER: Duration = Duration::from_millis(500);

/// How long the protocol waits for the disk when it joins or leaves. If the disk takes longer, the
/// log says so and the protocol goes on.
const DURABLE_LIMIT: Duration = Duration::from_secs(2);

/// The present state, and the task that writes it.
#[derive(Debug)]
pub struct StateWriter {
    directory: Arc<StateDir>,
    state: watch::Sender<State>,
    trouble: Trouble,
    writer: JoinHandle<()>,
}

/// Why the state on disk is out of date, if it is. The log says so once.
#[derive(Debug, Clone, Default)]
struct Trouble(watch::Sender<Option<String>>);

impl Trouble {
    /// Notes how a write went.
    fn note(&self, saved: Result<(), StateError>) {
        // The causes of the error tell the operator what to do.
        let trouble = saved.err().map(|error| format!("{:#}", anyhow::Error::from(error)));
        match (&trouble, self.0.borrow().is_some()) {
            (Some(error), false) => {
                error!("the state cannot be written (retried at each change): {error}");
            }
            (None, true) => info!("the state is written again"),
            (Some(_), true) | (None, false) => {}
        }
        self.0.send_replace(trouble);
    }
}

impl StateWriter {
    /// Starts with the loaded state. Call it within the runtime.
    pub fn new(directory: Arc<StateDir>, state: State) -> Self {
        let (sender, receiver) = watch::channel(state);
        let trouble = Trouble::default();
        let writer = tokio::spawn(write_changes(Arc::clone(&directory), receiver, trouble.clone()));
        StateWriter { directory, state: sender, trouble, writer }
    }

    /// The largest incarnation that this machine ever had.
    pub fn incarnation(&self) -> Option<Incarnation> {
        Some(self.state.borrow().incarnation)
            .filter(|incarnation| *incarnation > 0)
            .map(Incarnation)
    }

    /// The addresses of the members that were known when this machine was last in the group.
    pub fn members(&self) -> Vec<SocketAddr> {
        self.state.borrow().members.iter().map(|member| member.address).collect()
    }

    /// Why the state on disk is not the present one, if the last write failed.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.0.borrow().clone()
    }

    /// Notes a new incarnation, which the task writes soon. The incarnation never becomes smaller.
    pub fn update_incarnation(&self, incarnation: Incarnation) {
        self.state.send_modify(|state| state.incarnation = state.incarnation.max(incarnation.0));
    }

    /// Returns when the state is durable. If it cannot be made so, the log says so and membership
    /// goes on: the wall clock still makes the next incarnation larger.
    pub async fn make_durable(&self) {
        match timeout(DURABLE_LIMIT, save(&self.directory, self.state.subscribe())).await {
            Ok(Ok(saved)) => self.trouble.note(saved),
            Ok(Err(error)) => error!(%error, "the state is not on disk"),
            Err(_) => {
                error!(seconds = DURABLE_LIMIT.as_secs(), "the disk takes too long for the state");
            }
        }
    }

    /// Notes the known members and whether this machine is in the group. The task writes them soon.
    /// A leave keeps the last known members.
    pub fn update_members(&self, in_group: bool, members: impl Iterator<Item = Identity>) {
        self.state.send_modify(|state| {
            state.in_group = in_group;
            if in_group {
                state.members = members
                    .map(|member| Remembered {
                        name: member.name.to_string(),
                        address: member.address,
                        incarnation: member.incarnation.0,
                    })
                    .collect();
            }
        });
    }

    /// Writes the last change, at the daemon's end.
    pub async fn finish(self) {
        drop(self.state);
        if let Err(error) = self.writer.await {
            error!(%error, "the state was not written");
        }
    }
}

async fn write_changes(
    directory: Arc<StateDir>,
    mut state: watch::Receiver<State>,
    trouble: Trouble,
) {
    // The loop ends when the writer is dropped and its last change is written.
    while state.changed().await.is_ok() {
        sleep(GATHER).await;
        state.mark_unchanged();
        match save(&directory, state.clone()).await {
            Ok(saved) => trouble.note(saved),
            Err(error) => warn!(%error, "the state was not written"),
        }
    }
}

/// Writes the state as it is when a thread starts the write.
fn save(
    directory: &Arc<StateDir>,
    state: watch::Receiver<State>,
) -> JoinHandle<Result<(), StateError>> {
    let directory = Arc::clone(directory);
    tokio::task::spawn_blocking(move || directory.save(|| state.borrow().clone()))
}

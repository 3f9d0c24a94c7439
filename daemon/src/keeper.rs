//! Keeps the state on disk up to date without the protocol loop waiting for the disk.

use crate::state::{Remembered, State, StateDir};
use memberd_ring::{Identity, Incarnation};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

/// Changes are gathered for this long before they are written.
const GATHER: Duration = Duration::from_millis(500);

/// How long the protocol waits for the disk, when it joins or leaves. One that hangs for longer is said, and not waited for.
const DURABLE_LIMIT: Duration = Duration::from_secs(2);

/// The state as it is, and the task that writes it.
#[derive(Debug)]
pub struct Keeper {
    directory: Arc<StateDir>,
    state: watch::Sender<State>,
    writer: JoinHandle<()>,
}

impl Keeper {
    /// Starts with what was loaded. Must be called within the runtime.
    pub fn new(directory: Arc<StateDir>, state: State) -> Self {
        let (sender, receiver) = watch::channel(state);
        let writer = tokio::spawn(write_changes(Arc::clone(&directory), receiver));
        Keeper { directory, state: sender, writer }
    }

    /// The newest incarnation that this machine ever had.
    pub fn incarnation(&self) -> Option<Incarnation> {
        Some(self.state.borrow().incarnation).filter(|incarnation| *incarnation > 0).map(Incarnation)
    }

    /// Keeps a new incarnation, soon.
    pub fn keep_incarnation(&self, incarnation: Incarnation) {
        self.state.send_modify(|state| state.incarnation = incarnation.0);
    }

    /// Returns when all that is kept is durable. If it cannot be made so, that is said, and membership goes on: the wall clock still
    /// makes the next incarnation larger.
    pub async fn make_durable(&self) {
        let (directory, state) = (Arc::clone(&self.directory), self.state.borrow().clone());
        let saved = tokio::task::spawn_blocking(move || directory.save(&state));
        match timeout(DURABLE_LIMIT, saved).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => error!(%error, "the state is not on disk"),
            Ok(Err(error)) => error!(%error, "the state is not on disk"),
            Err(_) => error!(seconds = DURABLE_LIMIT.as_secs(), "the disk takes too long for the state"),
        }
    }

    /// Keeps who is known and whether this machine is in the group; written soon. The last members known are kept over a leave.
    pub fn keep(&self, in_group: bool, members: impl Iterator<Item = Identity>) {
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

    /// What there is to be written at the end, after which nothing more is.
    pub async fn finish(self) {
        drop(self.state);
        if let Err(error) = self.writer.await {
            error!(%error, "the state was not written");
        }
    }
}

async fn write_changes(directory: Arc<StateDir>, mut state: watch::Receiver<State>) {
    let mut failing = false;
    // Ends when the keeper is gone and its last change is written.
    while state.changed().await.is_ok() {
        sleep(GATHER).await;
        let (directory, now) = (Arc::clone(&directory), state.borrow_and_update().clone());
        let saved = tokio::task::spawn_blocking(move || directory.save(&now)).await;
        match saved {
            Ok(Ok(())) if failing => {
                failing = false;
                info!("the state is written to disk again");
            }
            Ok(Ok(())) => {}
            Ok(Err(error)) if !failing => {
                failing = true;
                warn!(%error, "the state cannot be written; trying again at the next change");
            }
            Ok(Err(_)) => {}
            Err(error) => warn!(%error, "the state was not written"),
        }
    }
}

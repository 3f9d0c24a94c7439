//! The keeper: copies of other members' logs are kept here.

mod incoming;
mod kept_state;
mod places;
mod status;
mod thread;

pub(crate) use incoming::Incoming;
pub(crate) use kept_state::KeptStates;
pub(crate) use status::KeepingStatus;

use super::members::Peers;
use crate::blocking::lower_priority;
use memberd_copies::store::Limits;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread as threads;
use std::time::Duration;
use thread::{Job, Keeping, Parts};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tracing::warn;

/// How long the end of the thread is waited for.
const END_LIMIT: Duration = Duration::from_secs(10);

/// What keeps copies. The thread ends with it.
#[derive(Debug)]
pub(crate) struct Keeper {
    jobs: mpsc::Sender<Job>,
    /// Takes connections.
    pub(crate) incoming: Incoming,
    /// What is known of the sources.
    pub(crate) states: KeptStates,
    /// What it tells of itself.
    pub(crate) status: Arc<Mutex<KeepingStatus>>,
    /// It closes when the thread has ended.
    ended: watch::Receiver<()>,
}

impl Keeper {
    /// Starts the thread, which opens the store in this directory.
    ///
    /// # Errors
    /// When there is no thread.
    pub(crate) fn start(
        directory: PathBuf,
        limits: Limits,
        peers: watch::Receiver<Peers>,
    ) -> io::Result<Self> {
        let (sender, jobs) = mpsc::channel(incoming::JOBS);
        let states = KeptStates::default();
        let status = Arc::new(Mutex::new(KeepingStatus::new(limits.total_bytes)));
        let parts =
            Parts { directory, limits, jobs, states: states.clone(), status: Arc::clone(&status) };
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let (alive, ended) = watch::channel(());
        threads::Builder::new().name("copies-store".to_owned()).spawn(move || {
            let _alive = alive;
            lower_priority();
            if let Some(keeping) = Keeping::open(parts) {
                runtime.block_on(keeping.run());
            }
        })?;
        let incoming = Incoming::new(sender.clone(), peers);
        Ok(Keeper { jobs: sender, incoming, states, status, ended })
    }

    /// Takes other limits.
    pub(crate) async fn set_limits(&self, limits: Limits) {
        // A thread that has ended keeps nothing.
        let _ = self.jobs.send(Job::Limits(limits)).await;
    }

    /// Ends the thread, and waits for its end: no two may own the store. What it has taken is made
    /// durable.
    pub(crate) async fn end(&self) {
        let mut ended = self.ended.clone();
        let end = async {
            // A thread that has ended takes nothing.
            let _ = self.jobs.send(Job::End).await;
            while ended.changed().await.is_ok() {}
        };
        if timeout(END_LIMIT, end).await.is_err() {
            warn!("the disk is slow: the thread that keeps copies has not ended yet");
        }
    }
}

//! WebHDFS on loopback over replicated files, if `[files] webhdfs` says where: [`WebHdfs`]. It owns
//! the thread that serves it.

mod adapter;
mod blocks;
mod catalog;
mod convert;
mod rewrite;
mod source;
#[cfg(test)]
mod tests;
mod transfer;

use super::handle::Handle;
use super::members::Peers;
use crate::config::{Files as Settings, WebhdfsMay};
use crate::lock::lock;
use crate::task_thread;
use adapter::{Files, Patience};
use anyhow::Context as _;
use blocks::Members;
use memberd_files::ShareName;
use memberd_webhdfs::{Limits, May, Server, Settings as ServerSettings, Shares};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tracing::{error, info};

/// Files that clients read and write at once, and other requests. Files serve 64 operations at
/// once in all: `memberctl file` needs some of them.
const TRANSFERS: usize = 40;
const REQUESTS: usize = 16;

/// How long the old server may take to end when the settings change, and at the daemon's end.
const END_LIMIT: Duration = Duration::from_millis(500);

/// What the settings say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Terms {
    address: SocketAddr,
    may: WebhdfsMay,
    shares: Vec<ShareName>,
}

impl Terms {
    fn of(settings: &Settings) -> Option<Terms> {
        Some(Terms {
            address: settings.webhdfs?,
            may: settings.webhdfs_may,
            shares: settings.webhdfs_shares.clone(),
        })
    }
}

/// The server, whenever the settings want one.
#[derive(Debug)]
pub(super) struct WebHdfs {
    files: Files<Handle>,
    serving: Mutex<Option<Serving>>,
}

/// A server on its thread. It ends with this.
#[derive(Debug)]
struct Serving {
    terms: Terms,
    /// Dropped, it ends the server.
    stop: oneshot::Sender<()>,
    /// Comes once the port is free again.
    ended: oneshot::Receiver<()>,
}

impl WebHdfs {
    /// Starts the server, if the settings want one.
    ///
    /// # Errors
    /// When the address is taken.
    pub(super) fn start(
        settings: &Settings,
        handle: Handle,
        peers: watch::Receiver<Peers>,
    ) -> anyhow::Result<WebHdfs> {
        let (members, patience) = (Members::new(peers), Patience::default());
        let files = Files { source: handle, members, patience };
        let serving = Terms::of(settings).map(|terms| serve(&files, terms)).transpose()?;
        Ok(WebHdfs { files, serving: Mutex::new(serving) })
    }

    /// Takes other settings. Connections stay if nothing of them has changed.
    ///
    /// # Errors
    /// When the address is taken: then the old server goes on, if its address was another.
    pub(super) async fn reload(&self, settings: &Settings) -> anyhow::Result<()> {
        let (old, new) = (lock(&self.serving).take(), Terms::of(settings));
        if old.as_ref().map(|old| &old.terms) == new.as_ref() {
            *lock(&self.serving) = old;
            return Ok(());
        }
        let (old, new) = match (old, new) {
            (Some(old), Some(new)) if old.terms.address != new.address => {
                match serve(&self.files, new) {
                    Ok(serving) => (Some(old), Some(serving)),
                    Err(error) => {
                        *lock(&self.serving) = Some(old);
                        return Err(error);
                    }
                }
            }
            (old, new) => {
                end(old).await;
                (None, new.map(|new| serve(&self.files, new)).transpose()?)
            }
        };
        *lock(&self.serving) = new;
        end(old).await;
        Ok(())
    }

    /// Ends the server. Uploads that are not committed leave nothing.
    pub(super) async fn stop(&self) {
        let serving = lock(&self.serving).take();
        end(serving).await;
    }
}

async fn end(serving: Option<Serving>) {
    let Some(Serving { stop, ended, .. }) = serving else { return };
    drop(stop);
    // A thread that hangs holds the port, and the next server says so.
    let _ = timeout(END_LIMIT, ended).await;
}

/// Serves on a thread of its own, so that no long read delays the daemon's other clients.
fn serve(files: &Files<Handle>, terms: Terms) -> anyhow::Result<Serving> {
    let address = terms.address;
    let cannot = || format!("cannot serve WebHDFS at {address}: set files.webhdfs");
    let bind = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    let server = Server::new(Arc::new(files.clone()), settings(&terms));
    let (stop, stopped) = oneshot::channel();
    let run = |listener| run(listener, server, stopped);
    let ended = task_thread::start("webhdfs", bind, run).with_context(cannot)?;
    info!(%address, may = terms.may.as_str(), "WebHDFS is served");
    Ok(Serving { terms, stop, ended })
}

async fn run(listener: TcpListener, server: Arc<Server>, stopped: oneshot::Receiver<()>) {
    tokio::select! {
        Err(error) = server.serve(listener) => error!(%error, "WebHDFS is not served"),
        _ = stopped => {}
    }
}

fn settings(terms: &Terms) -> ServerSettings {
    let names = || terms.shares.iter().map(|name| name.as_str().to_owned()).collect();
    ServerSettings {
        may: match terms.may {
            WebhdfsMay::Read => May::Read,
            WebhdfsMay::Write => May::Write,
        },
        shares: if terms.shares.is_empty() { Shares::All } else { Shares::Only(names()) },
        limits: Limits { transfers: TRANSFERS, requests: REQUESTS, ..Limits::default() },
    }
}

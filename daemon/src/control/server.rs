//! Binds the control socket and accepts clients.

use super::connection::serve_client;
use crate::handler::Context;
use anyhow::{Context as _, bail};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{debug, warn};

/// The most clients served at once; further ones wait in the kernel's queue.
const CLIENTS: usize = 64;

/// The pause after the kernel could not give a connection.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Binds the socket, in the place of one that a former daemon left behind.
///
/// # Errors
/// When another daemon answers there, when something else is in the way, or when the directory does not let it.
pub fn bind(path: &Path) -> anyhow::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(|| format!("cannot create the directory {}", directory.display()))?;
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot look at {}", path.display())),
        Ok(found) if !found.file_type().is_socket() => {
            bail!("{} is in the way of the control socket and is no socket: remove it, or set control.socket", path.display())
        }
        Ok(_) if BlockingStream::connect(path).is_ok() => {
            bail!("another memberd serves the control socket {}: stop it, or set control.socket", path.display())
        }
        Ok(_) => fs::remove_file(path).with_context(|| format!("cannot remove the stale socket {}", path.display()))?,
    }
    let listener = UnixListener::bind(path).with_context(|| format!("cannot bind the control socket {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))
        .with_context(|| format!("cannot set the rights of {}", path.display()))?;
    Ok(listener)
}

/// Serves clients until the task is dropped.
pub async fn listen(listener: UnixListener, context: Arc<Context>) {
    let slots = Arc::new(Semaphore::new(CLIENTS));
    let mut failing = false;
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                failing = false;
                let context = Arc::clone(&context);
                tokio::spawn(async move {
                    if let Err(error) = serve_client(stream, &context).await {
                        debug!(%error, "control client ended");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                if !failing {
                    warn!(%error, "cannot accept control clients");
                }
                failing = true;
                sleep(AFTER_ERROR).await;
            }
        }
    }
}

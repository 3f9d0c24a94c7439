//! Opens the control sockets: it takes them from systemd (sd_listen_fds(3)) or binds them. It owns
//! the paths that it bound.

use anyhow::{Context as _, bail};
use memberd_control::plain_file::explain_directory;
use memberd_control::socket::read_only;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener as BlockingListener, UnixStream as BlockingStream};
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// The names of the sockets in systemd: `FileDescriptorName=` of their units.
const FULL: &str = "control";
const READ_ONLY: &str = "control-read";

/// Permissions of the sockets that are bound here. The permissions of their directory apply as
/// well.
const FULL_MODE: u32 = 0o660;
const READ_ONLY_MODE: u32 = 0o666;

/// The open sockets.
#[derive(Debug)]
pub struct Sockets {
    /// The socket for all requests.
    pub full: UnixListener,
    /// The socket for read-only requests. `None` if it could not be bound, or if systemd did not
    /// open one.
    pub read_only: Option<UnixListener>,
    /// The paths that were bound here. The daemon removes them at its end.
    pub bound: Vec<PathBuf>,
    /// Problems that do not stop the start. The log, which opens later, receives them.
    pub warnings: Vec<String>,
}

impl Sockets {
    /// Takes over the sockets that systemd opened, or binds the socket and the read-only one beside
    /// it.
    ///
    /// # Errors
    /// When another daemon answers there, when the path is not a socket, or when the directory
    /// forbids it. Also when systemd opened sockets, but not the one for all requests.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let given =
            sd_listen_fds::get().context("cannot take over the sockets that systemd opened")?;
        if given.is_empty() { Self::bind(path) } else { Self::take(given, path) }
    }

    fn take(
        given: Vec<(Option<String>, sd_listen_fds::OwnedFd)>,
        path: &Path,
    ) -> anyhow::Result<Self> {
        let (mut full, mut looking, mut warnings) = (None, None, Vec::new());
        for (name, socket) in given {
            match name.as_deref() {
                Some(FULL) => full = Some(socket),
                Some(READ_ONLY) => looking = Some(socket),
                // Dropping it closes the socket, so that clients notice at once.
                other => warnings.push(format!(
                    "systemd opened a socket that memberd does not use: {}",
                    other.unwrap_or("without a name")
                )),
            }
        }
        let Some(full) = full else {
            bail!(
                "systemd opened no control socket: memberd.socket needs FileDescriptorName={FULL}"
            );
        };
        let full = listener(full.into())?;
        let address = full.local_addr().context("cannot find the path of the control socket")?;
        if address.as_pathname() != Some(path) {
            let opened =
                address.as_pathname().unwrap_or(Path::new("a socket without a path")).display();
            warnings.push(format!(
                "the control socket is {opened}, as memberd.socket says; control.socket says {}",
                path.display()
            ));
        }
        let read_only = looking.map(|socket| listener(socket.into())).transpose()?;
        Ok(Sockets { full, read_only, bound: Vec::new(), warnings })
    }

    fn bind(path: &Path) -> anyhow::Result<Self> {
        let full = bind(path, FULL_MODE)?;
        let beside = read_only(path);
        let mut sockets =
            Sockets { full, read_only: None, bound: vec![path.to_owned()], warnings: Vec::new() };
        match bind(&beside, READ_ONLY_MODE) {
            Ok(listener) => {
                sockets.read_only = Some(listener);
                sockets.bound.push(beside);
            }
            Err(error) => sockets.warnings.push(format!(
                "there is no read-only socket; only users of {} can query memberd: {error:#}",
                path.display()
            )),
        }
        Ok(sockets)
    }
}

fn listener(socket: BlockingListener) -> anyhow::Result<UnixListener> {
    // The daemon's child process, journalctl, must not keep the socket open.
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))
        .context("cannot use the socket that systemd opened")?;
    socket.set_nonblocking(true).context("cannot use the socket that systemd opened")?;
    UnixListener::from_std(socket).context("cannot use the socket that systemd opened")
}

/// Binds a socket, and replaces one that an earlier daemon left behind.
fn bind(path: &Path, mode: u32) -> anyhow::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .map_err(|error| explain_directory(directory, error))
            .with_context(|| format!("cannot create the directory {}", directory.display()))?;
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot examine {}", path.display()));
        }
        Ok(found) if !found.file_type().is_socket() => {
            bail!(
                "{} is not a socket, but the control socket needs this path: remove it, or set \
                control.socket",
                path.display()
            )
        }
        Ok(_) if BlockingStream::connect(path).is_ok() => {
            bail!(
                "another memberd serves the control socket {}: stop it, or set control.socket",
                path.display()
            )
        }
        Ok(_) => fs::remove_file(path)
            .with_context(|| format!("cannot remove the stale socket {}", path.display()))?,
    }
    let listener = UnixListener::bind(path)
        .with_context(|| format!("cannot bind the control socket {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the permissions of {}", path.display()))?;
    Ok(listener)
}

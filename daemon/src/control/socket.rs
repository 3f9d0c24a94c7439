//! Where the control sockets come from: systemd opened them (sd_listen_fds(3)), or they are bound
//! here.

use anyhow::{Context as _, bail};
use memberd_control::socket::read_only;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener as BlockingListener, UnixStream as BlockingStream};
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// What systemd calls the sockets: `FileDescriptorName=` of their units.
const FULL: &str = "control";
const READ_ONLY: &str = "control-read";

/// Rights of the sockets that are bound here. Those of their directory count as well.
const FULL_MODE: u32 = 0o660;
const READ_ONLY_MODE: u32 = 0o666;

/// The open sockets.
#[derive(Debug)]
pub struct Sockets {
    /// For everything.
    pub full: UnixListener,
    /// For looking only. None when it could not be bound, or systemd was not told to open one.
    pub read_only: Option<UnixListener>,
    /// What was bound here, to be removed at the end.
    pub bound: Vec<PathBuf>,
    /// What is not as it should be, for the log that comes later.
    pub warnings: Vec<String>,
}

impl Sockets {
    /// Takes over what systemd opened, or binds the socket and the one beside it.
    ///
    /// # Errors
    /// When another daemon answers there, when something else is in the way, or when the directory
    /// does not let it; when systemd opened sockets, but none for everything.
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
                // Closed again: whoever connects there is told so at once.
                other => warnings.push(format!(
                    "systemd opened a socket that memberd has no use for: {}",
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
        let address = full.local_addr().context("cannot tell where the control socket is")?;
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
                "only who may open {} can look at the group: {error:#}",
                path.display()
            )),
        }
        Ok(sockets)
    }
}

fn listener(socket: BlockingListener) -> anyhow::Result<UnixListener> {
    // What the daemon starts, journalctl, must not keep it open.
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))
        .context("cannot use the socket that systemd opened")?;
    socket.set_nonblocking(true).context("cannot use the socket that systemd opened")?;
    UnixListener::from_std(socket).context("cannot use the socket that systemd opened")
}

/// Binds a socket, in the place of one that a former daemon left behind.
fn bind(path: &Path, mode: u32) -> anyhow::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create the directory {}", directory.display()))?;
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot look at {}", path.display()));
        }
        Ok(found) if !found.file_type().is_socket() => {
            bail!(
                "{} is in the way of the control socket and is no socket: remove it, or set \
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
        .with_context(|| format!("cannot set the rights of {}", path.display()))?;
    Ok(listener)
}

//! Opens the control sockets: it takes them from systemd (sd_listen_fds(3)) or binds them. It owns
//! the paths that it bound.

use crate::config::SearchSocket;
use anyhow::{Context as _, bail};
use memberd_control::plain_file::explain_directory;
use memberd_control::socket::read_only;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::unistd::Group;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener as BlockingListener, UnixStream as BlockingStream};
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// The names of the sockets in systemd: `FileDescriptorName=` of their units.
const FULL: &str = "control";
const READ_ONLY: &str = "control-read";
const SEARCH: &str = "control-search";

/// Permissions of the sockets that are bound here. The permissions of their directory apply as
/// well.
const FULL_MODE: u32 = 0o660;
const READ_ONLY_MODE: u32 = 0o666;
const SEARCH_MODE: u32 = 0o660;

/// The setting that has the path of the full socket.
const FULL_KEY: &str = "control.socket";

/// The open sockets.
#[derive(Debug)]
pub struct Sockets {
    /// The socket for all requests.
    pub full: UnixListener,
    /// The socket for read-only requests. `None` if it could not be bound, or if systemd did not
    /// open one.
    pub read_only: Option<UnixListener>,
    /// The socket for searches, if there is one.
    pub search: Option<UnixListener>,
    /// The paths that were bound here. The daemon removes them at its end.
    pub bound: Vec<PathBuf>,
    /// Problems that do not stop the start. The log, which opens later, receives them.
    pub warnings: Vec<String>,
}

impl Sockets {
    /// Takes over the sockets that systemd opened, or binds the socket, the read-only one beside
    /// it, and the one for searches, if it is set.
    ///
    /// # Errors
    /// When another daemon answers there, when the path is not a socket, or when the directory
    /// forbids it. Also when systemd opened sockets, but not the one for all requests, and when the
    /// group of the socket for searches is not there.
    pub fn open(path: &Path, search: &SearchSocket) -> anyhow::Result<Self> {
        let given =
            sd_listen_fds::get().context("cannot take over the sockets that systemd opened")?;
        if given.is_empty() {
            Self::bind(path, search)
        } else {
            Self::take(given, path, search.socket.as_deref())
        }
    }

    fn take(
        given: Vec<(Option<String>, sd_listen_fds::OwnedFd)>,
        path: &Path,
        search_path: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let (mut full, mut looking, mut searching) = (None, None, None);
        let mut warnings = Vec::new();
        for (name, socket) in given {
            match name.as_deref() {
                Some(FULL) => full = Some(socket),
                Some(READ_ONLY) => looking = Some(socket),
                Some(SEARCH) => searching = Some(socket),
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
        warnings.extend(other_path(&full, path, ("memberd.socket", FULL_KEY))?);
        let read_only = looking.map(|socket| listener(socket.into())).transpose()?;
        let search = searching.map(|socket| listener(socket.into())).transpose()?;
        match (&search, search_path) {
            (Some(search), Some(path)) => {
                let names = ("memberd-search.socket", "search.socket");
                warnings.extend(other_path(search, path, names)?);
            }
            (None, Some(_)) => warnings.push(
                "search.socket is set, but systemd opened no socket for searches: systemctl enable \
                 memberd-search.socket, then systemctl restart memberd"
                    .to_owned(),
            ),
            (_, None) => {}
        }
        Ok(Sockets { full, read_only, search, bound: Vec::new(), warnings })
    }

    fn bind(path: &Path, search: &SearchSocket) -> anyhow::Result<Self> {
        let full = bind(path, FULL_MODE, FULL_KEY)?;
        let beside = read_only(path);
        let mut sockets = Sockets {
            full,
            read_only: None,
            search: None,
            bound: vec![path.to_owned()],
            warnings: Vec::new(),
        };
        if let Some(path) = &search.socket {
            sockets.search = Some(bind_for(path, &search.group)?);
            sockets.bound.push(path.clone());
        }
        match bind(&beside, READ_ONLY_MODE, FULL_KEY) {
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

/// A warning if systemd opened a socket at another path than its setting has. `names` are those of
/// the unit and the setting.
fn other_path(
    socket: &UnixListener,
    path: &Path,
    (unit, key): (&str, &str),
) -> anyhow::Result<Option<String>> {
    let address = socket.local_addr().context("cannot find the path of the control socket")?;
    let opened = address.as_pathname().unwrap_or(Path::new("a socket without a path"));
    Ok((opened != path).then(|| {
        let (opened, path) = (opened.display(), path.display());
        format!("the control socket is {opened}, as {unit} says; {key} says {path}")
    }))
}

fn listener(socket: BlockingListener) -> anyhow::Result<UnixListener> {
    // The daemon's child process, journalctl, must not keep the socket open.
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))
        .context("cannot use the socket that systemd opened")?;
    socket.set_nonblocking(true).context("cannot use the socket that systemd opened")?;
    UnixListener::from_std(socket).context("cannot use the socket that systemd opened")
}

/// Binds the socket for searches, for the users of this group.
fn bind_for(path: &Path, group: &str) -> anyhow::Result<UnixListener> {
    let number = match group.parse() {
        Ok(number) => number,
        Err(_) => Group::from_name(group)
            .with_context(|| format!("search.group: cannot look up the group {group}"))?
            .with_context(|| {
                format!("search.group: there is no group {group}: groupadd --system {group}")
            })?
            .gid
            .as_raw(),
    };
    // Until its group is right, only its owner may open it.
    let listener = bind(path, 0o600, "search.socket")?;
    chown(path, None, Some(number)).with_context(|| {
        format!(
            "cannot give {} to the group {group}: memberd's user has to be in it",
            path.display()
        )
    })?;
    set_mode(path, SEARCH_MODE)?;
    Ok(listener)
}

/// Binds a socket, and replaces one that an earlier daemon left behind. `key` is its setting.
fn bind(path: &Path, mode: u32, key: &str) -> anyhow::Result<UnixListener> {
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
                {key}",
                path.display()
            )
        }
        Ok(_) if BlockingStream::connect(path).is_ok() => {
            bail!(
                "another memberd serves the control socket {}: stop it, or set {key}",
                path.display()
            )
        }
        Ok(_) => fs::remove_file(path)
            .with_context(|| format!("cannot remove the stale socket {}", path.display()))?,
    }
    let listener = UnixListener::bind(path)
        .with_context(|| format!("cannot bind the control socket {}", path.display()))?;
    set_mode(path, mode)?;
    Ok(listener)
}

fn set_mode(path: &Path, mode: u32) -> anyhow::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the permissions of {}", path.display()))
}

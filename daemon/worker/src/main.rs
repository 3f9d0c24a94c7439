//! `memberd-worker`: counts lines for the memberd of this machine. It owns the socket.

use anyhow::{Context as _, bail};
use clap::Parser;
use memberd_worker::{Settings, bind, serve};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

/// For how long it waits for a question before it ends, in seconds, if systemd started it.
const IDLE_SECONDS: u64 = 60;

/// Counts lines of files for the memberd of this machine. systemd starts it by
/// memberd-worker.socket when it is asked, and it ends when it is not asked any more.
#[derive(Debug, Parser)]
#[command(name = "memberd-worker", version)]
struct Options {
    /// Bind this socket, instead of taking the one that systemd opened
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// End after so many seconds without a question: 60 under systemd, and never otherwise
    #[arg(long, value_name = "SECONDS")]
    idle: Option<u64>,
    /// The user of memberd, who may ask beside root and the worker's own user
    #[arg(long, value_name = "NAME", default_value = "memberd")]
    user: String,
}

fn main() -> anyhow::Result<()> {
    let Options { socket, idle, user } = Options::parse();
    let (listener, idle) = match socket {
        Some(path) => {
            let listener =
                bind(&path).with_context(|| format!("cannot bind {}", path.display()))?;
            (listener, idle)
        }
        None => (given()?, Some(idle.unwrap_or(IDLE_SECONDS))),
    };
    let own = rustix::process::geteuid().as_raw();
    let users = nix::unistd::User::from_name(&user)
        .with_context(|| format!("cannot look up the user {user}"))?
        .map(|user| user.uid.as_raw());
    let users = [0, own].into_iter().chain(users).collect();
    let settings = Settings { users, idle: idle.map(Duration::from_secs) };
    serve(&listener, &settings).context("cannot accept connections")
}

/// The socket that systemd opened.
fn given() -> anyhow::Result<UnixListener> {
    let mut given = sd_listen_fds::get().context("cannot take over the socket of systemd")?;
    match (given.pop(), given.is_empty()) {
        (Some((_, socket)), true) => Ok(UnixListener::from(socket.into_std())),
        _ => bail!(
            "systemd opened no socket, or several: start memberd-worker.socket, or use --socket"
        ),
    }
}

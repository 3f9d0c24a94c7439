//! `run --once KEY`: claims the key, and becomes the command if it gets it.

use std::ffi::OsString;
use std::io::{ErrorKind, IsTerminal as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use memberd_control::message::{ClaimRequest, Reply, Request};

use crate::agreed;
use crate::connection::{Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::{Exit, Failure, print_message};
use crate::format;
use crate::lease::{NOT_EXECUTABLE, NOT_FOUND};

/// How long the claim may take. An election may be under way.
const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(60));

/// Returns only if the command does not run.
pub(super) fn run(
    key: &str,
    retry: bool,
    command: &[OsString],
    daemon: &Daemon,
) -> Result<u8, Failure> {
    let request = Request::Claim(ClaimRequest { key: key.to_owned(), retry });
    let mut connection = agreed::ask(daemon, &request, REPLY_TIMEOUT)?;
    let Reply::Claimed(claimed) = agreed::reply(&mut connection)? else {
        return Err(unexpected_reply());
    };
    drop(connection);
    if !claimed.by_us {
        if is_read() {
            print_message(&format!("{key} is claimed by {}", format::printable(&claimed.by)));
        }
        return Ok(Exit::Done as u8);
    }
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::usage("no command: try memberctl run --help"));
    };
    let mut command = Command::new(program);
    let error = command.args(arguments).env("MEMBERD_TERM", claimed.term.to_string()).exec();
    let shown = program.to_string_lossy();
    print_message(&format!(
        "cannot run {shown}: {error}: {key} is claimed, so no machine runs it; mend it, and claim \
        another key"
    ));
    Ok(if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE })
}

/// Whether somebody reads standard error as it comes: a terminal, or the journal (systemd.exec(5)).
/// cron would send a mail from each machine.
fn is_read() -> bool {
    std::io::stderr().is_terminal() || std::env::var_os("JOURNAL_STREAM").is_some()
}

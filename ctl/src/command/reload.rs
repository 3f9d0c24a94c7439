//! `memberctl reload`: has the daemon reload its settings, and prints what has changed.

use std::time::Duration;

use memberd_control::message::{ReloadReport, Reply, Request, SettingChange};

use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::{Exit, Failure, print_message};
use crate::format;
use crate::json;
use crate::output::Output;

/// How long the daemon may take. It reads the settings and keys, and writes its log.
const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(10));

/// Said where the keys are systemd's copy, since a user who has changed their file waits for it.
const CREDENTIAL: &str = "keys: a credential, which systemd copies at a start; after a change of \
    the key file, systemctl restart memberd";

/// Reloads the settings.
#[derive(Debug, clap::Args)]
#[command(after_help = "The daemon also loads its keys and opens its log anew. A reload through \
    systemctl or SIGHUP does the same, and its outcome is in the log.

Exit status 1 if the settings or the keys are wrong. Then the old ones stay in force. An object of \
--json has reloaded (true or false), changed and problems. An element of changed has key, before \
and after (null without a value) and in_force, which is false if the daemon needs a restart.")]
pub(crate) struct Reload {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Reload {
    /// Prints a line for each setting that differs, and then the outcome.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let report = match Connection::ask(daemon, &Request::Reload, REPLY_TIMEOUT)?.reply() {
            Ok(Reply::Reloaded(report)) => report,
            Ok(_) => return Err(unexpected_reply()),
            Err(failure) if failure.exit() == Exit::Usage => {
                let older = "this memberd cannot be asked to reload: systemctl reload memberd";
                return Err(Failure::new(Exit::Failed, older));
            }
            Err(failure) => return Err(failure),
        };
        let mut output = Output::new();
        if self.json {
            output.object(&json::Reload::from(&report))?;
        } else {
            output.text(&changes(&report))?;
        }
        report.problems.iter().for_each(|problem| print_message(problem));
        if report.key_is_credential && !self.json {
            output.line(CREDENTIAL)?;
        }
        match (report.problems.is_empty(), self.json) {
            (true, true) => Ok(()),
            (true, false) if report.changed.is_empty() => {
                output.line("reloaded; no setting has changed")
            }
            (true, false) => output.line("reloaded"),
            (false, _) => Err(Failure::Reported),
        }
    }
}

/// `logs.level: "info" -> "debug"`
fn changes(report: &ReloadReport) -> String {
    let value =
        |value: &Option<String>| value.as_deref().map_or("not set".to_owned(), format::printable);
    let line = |change: &SettingChange| {
        let (key, before, after) =
            (format::printable(&change.key), value(&change.before), value(&change.after));
        let restart = if change.in_force { "" } else { " (needs a restart: the old one stays)" };
        format!("{key}: {before} -> {after}{restart}\n")
    };
    report.changed.iter().map(line).collect()
}

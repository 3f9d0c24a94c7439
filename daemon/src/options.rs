//! Defines memberd's command line. It owns no state.

use clap::Parser;
use std::path::PathBuf;

/// Keeps the list of the group's live members on this machine, and answers greps over its logs.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Signals: on SIGTERM memberd leaves the group and exits; on SIGHUP it reloads the settings and
reopens the log.

Exit status: 0 after a signal, 1 if it cannot start or continue, or if something is not there yet
(such as a default route), 2 for wrong usage, 78 for invalid settings.

Files: /etc/memberd/memberd.toml the settings, /var/log/memberd/machine.i.log the log, \
/var/lib/memberd the state,
/run/memberd/control.sock for memberctl, /run/memberd/control-read.sock for all users, read-only,
/run/memberd/control-search.sock for searches only, if it is enabled."
)]
pub struct Options {
    /// The settings
    #[arg(long, value_name = "FILE", default_value = "/etc/memberd/memberd.toml")]
    pub config: PathBuf,

    /// Check the settings and exit: status 0 if they are valid, 78 if not. A default route that
    /// is not there yet, introducers without an address, and globs that find only links are
    /// warnings
    #[arg(long)]
    pub check: bool,

    /// With --check, print each setting, its value as JSON, and where it comes from, separated by
    /// tabs
    #[arg(long, requires = "check")]
    pub effective: bool,
}

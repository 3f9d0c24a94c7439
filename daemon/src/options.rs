//! memberd's command line.

use clap::Parser;
use std::path::PathBuf;

/// Keeps on this machine the list of the group's members that are up, and answers greps over its
/// logs.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Signals: SIGTERM leaves the group and ends; SIGHUP takes in changed settings and opens the log anew.

Exit status: 0 ended by a signal, 1 it could not start or go on, 2 wrong usage, 78 the settings \
are wrong.

Files: /etc/memberd/memberd.toml the settings, /var/log/memberd/machine.i.log the log, \
/var/lib/memberd the state,
/run/memberd/control.sock for memberctl, /run/memberd/control-read.sock for everybody, to look."
)]
pub struct Options {
    /// The settings
    #[arg(long, value_name = "FILE", default_value = "/etc/memberd/memberd.toml")]
    pub config: PathBuf,

    /// Look the settings over and end: status 0 when they are good, 78 when not
    #[arg(long)]
    pub check: bool,
}

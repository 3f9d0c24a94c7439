//! `memberctl check [FILE]`: has memberd check its settings.

use std::path::PathBuf;
use std::process::Command;

use crate::exit::{Exit, Failure};
use crate::program;

/// Checks settings with the daemon's own loader.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 the settings are good, 1 they are not. Each problem is printed \
    with its file, line and key. A warning is no problem of the settings: it names an introducer \
    that has no address now, a glob that finds only links, or what this machine does not have yet."
)]
pub(crate) struct Check {
    /// The settings file
    #[arg(default_value = "/etc/memberd/memberd.toml")]
    file: PathBuf,
}

impl Check {
    /// Runs `memberd --check`, which prints what is wrong.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let Some(program) = program::memberd() else {
            return Err(Failure::new(
                Exit::Failed,
                "found no memberd beside memberctl, in /usr/sbin or in PATH: install it",
            ));
        };
        match Command::new(&program).arg("--check").arg("--config").arg(&self.file).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(Failure::Reported),
            Err(error) => Err(Failure::new(
                Exit::Failed,
                format!("cannot start {}: {error}: install it again", program.display()),
            )),
        }
    }
}

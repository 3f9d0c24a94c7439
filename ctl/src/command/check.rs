//! `memberctl check [FILE]`.

use std::path::PathBuf;
use std::process::Command;

use crate::exit::{Exit, Failure};
use crate::program;

/// Has the daemon's own loader look settings over.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 the settings are good, 1 they are not. What is wrong is said with \
    file, line and key."
)]
pub(crate) struct Check {
    /// The settings
    #[arg(default_value = "/etc/memberd/memberd.toml")]
    file: PathBuf,
}

impl Check {
    /// Runs `memberd --check`, whose words are the answer.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let Some(program) = program::memberd() else {
            return Err(Failure::new(
                Exit::Failed,
                "there is no memberd beside memberctl, in /usr/sbin or in PATH: install it",
            ));
        };
        match Command::new(&program).arg("--check").arg("--config").arg(&self.file).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(Failure::Said),
            Err(error) => Err(Failure::new(
                Exit::Failed,
                format!("cannot start {}: {error}: install it again", program.display()),
            )),
        }
    }
}

//! `memberctl check [FILE]`.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::exit::{Exit, Failure};
use crate::program;

/// Has the daemon's own loader look settings over.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status: 0 the settings are good, 78 they are not. What is wrong is said with file, line and key.")]
pub(crate) struct Check {
    /// The settings
    #[arg(default_value = "/etc/memberd/memberd.toml")]
    file: PathBuf,
}

impl Check {
    /// Becomes `memberd --check`, whose words and exit status are the answer.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let Some(program) = program::memberd() else {
            return Err(Failure::new(Exit::Failed, "there is no memberd beside memberctl, in /usr/sbin or in PATH: install it"));
        };
        let error = Command::new(&program).arg("--check").arg("--config").arg(&self.file).exec();
        Err(Failure::new(Exit::Failed, format!("cannot start {}: {error}: install it again", program.display())))
    }
}

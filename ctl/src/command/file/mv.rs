//! `memberctl file mv`: renames or moves within a share.

use clap::ValueHint;
use memberd_control::message::FileRequest;

use super::{ask, path};
use crate::connection::Daemon;
use crate::exit::Failure;

/// Renames.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Files and directories get their new name in one step. If TO is a directory, FROM goes into it. A \
file that has the new name is replaced only with --force.")]
pub(crate) struct Mv {
    /// The file or directory
    #[arg(value_parser = path::parse, value_hint = ValueHint::Other)]
    from: String,

    /// Its new name, or a directory for it
    #[arg(value_parser = path::parse, value_hint = ValueHint::Other)]
    to: String,

    /// Replace a file that has the new name already
    #[arg(short, long)]
    force: bool,
}

impl Mv {
    /// Renames it.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let (from, to) = (self.from.clone(), self.to.clone());
        ask::order(daemon, FileRequest::Rename { from, to, replace: self.force })
    }
}

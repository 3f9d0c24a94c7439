//! `memberctl file rm`: removes files, directories and shares.

use clap::ValueHint;
use memberd_control::message::FileRequest;

use super::{ask, path};
use crate::connection::Daemon;
use crate::exit::Failure;

/// Removes names.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
rm -r /SHARE removes the share and all files in it. Nothing brings them back.")]
pub(crate) struct Rm {
    /// The files, directories and shares
    #[arg(value_parser = path::parse, value_hint = ValueHint::Other, required = true)]
    paths: Vec<String>,

    /// Remove directories and all below them, and shares
    #[arg(short, long)]
    recursive: bool,
}

impl Rm {
    /// Removes them.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        ask::each(&self.paths, |path| {
            let recursive = self.recursive;
            ask::order(daemon, FileRequest::Remove { path: path.clone(), recursive })
        })
    }
}

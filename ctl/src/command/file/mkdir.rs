//! `memberctl file mkdir`: makes directories, and shares.

use clap::ValueHint;
use memberd_control::message::FileRequest;

use super::{ask, path};
use crate::connection::Daemon;
use crate::exit::Failure;

/// Makes directories.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
mkdir /SHARE makes a share, which needs a majority of the council, and waits until it can be \
written. mkdir /SHARE/A/B makes what is missing of /SHARE/A and /SHARE/A/B. It is no error if the \
directory is there already.")]
pub(crate) struct Mkdir {
    /// The directories, or shares
    #[arg(value_parser = path::parse, value_hint = ValueHint::Other, required = true)]
    paths: Vec<String>,
}

impl Mkdir {
    /// Makes them.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        ask::each(&self.paths, |path| {
            ask::order(daemon, FileRequest::MakeDirectory { path: path.clone() })
        })
    }
}

//! `memberctl file append`: a local file's bytes go to the end of a file of the group.

use std::path::PathBuf;

use clap::ValueHint;
use memberd_control::message::{FileAppend, FileRequest};

use super::path;
use super::upload::{self, Source};
use crate::connection::Daemon;
use crate::exit::Failure;

/// Adds bytes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The bytes of one append stand together, whoever else appends. If it says that the append may have \
happened, look at the length before you try again; or name the length that you know with --length, \
and it happens once.

For example:
  echo \"$(date -u +%FT%TZ) done\" | memberctl file append - /jobs/log
  memberctl file append --length 4096 next.part /jobs/state")]
pub(crate) struct Append {
    /// The local file; - is standard input
    #[arg(value_hint = ValueHint::FilePath)]
    local: PathBuf,

    /// The file of the group. It must exist
    #[arg(value_parser = path::parse, value_hint = ValueHint::Other)]
    path: String,

    /// Only if the file has this many bytes before
    #[arg(long, value_name = "BYTES")]
    length: Option<u64>,

    /// Write as the holder of this token; after a larger one was set, it is refused
    #[arg(long, value_name = "TOKEN", default_value_t, hide_default_value = true)]
    token: u64,
}

impl Append {
    /// Adds them.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let path = path::target(&self.path, &self.local)?;
        let source = Source::open(&self.local)?;
        let request = FileAppend { path, length: self.length, token: self.token };
        upload::send(daemon, FileRequest::Append(request), source)
    }
}

//! `memberctl file put`: a local file becomes a file of the group.

use std::path::PathBuf;

use clap::ValueHint;
use memberd_control::message::{FilePut, FileRequest};

use super::path;
use super::upload::{self, Source};
use crate::arguments;
use crate::connection::Daemon;
use crate::exit::Failure;

/// Copies a local file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A file that has the path already is replaced in one step: who reads it sees the old content or the \
new one, never a mixture. Nothing is seen before all bytes are on the disks of all copies. An \
interrupted put changes nothing.

If PATH ends with a slash, the file gets the name of LOCAL.

For example:
  memberctl file put web.tar /apps/web.tar
  memberctl file put --parents web.toml /apps/conf/eu/
  pg_dump shop | memberctl file put - /backups/shop.sql")]
pub(crate) struct Put {
    /// The local file; - is standard input
    #[arg(value_hint = ValueHint::FilePath)]
    local: PathBuf,

    /// The file of the group
    #[arg(value_parser = path::parse, value_hint = ValueHint::Other)]
    path: String,

    /// Only if nothing has the path yet
    #[arg(long)]
    new: bool,

    /// Make missing directories above it
    #[arg(long, short)]
    parents: bool,

    /// How many copies it is to have, from 1 to 5 [default: 3]
    #[arg(long, value_name = "N", value_parser = arguments::number(1..=5_u8))]
    copies: Option<u8>,

    /// Write as the holder of this token; after a larger one was set, it is refused
    #[arg(long, value_name = "TOKEN", default_value_t, hide_default_value = true)]
    token: u64,
}

impl Put {
    /// Copies it.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let path = path::target(&self.path, &self.local)?;
        let source = Source::open(&self.local)?;
        let request = FilePut {
            path,
            only_new: self.new,
            parents: self.parents,
            copies: self.copies,
            mode: source.mode(),
            token: self.token,
        };
        upload::send(daemon, FileRequest::Put(request), source)
    }
}

//! `memberctl file get`: a file of the group becomes a local file.

use std::path::{Path, PathBuf};

use clap::ValueHint;
use memberd_control::message::FileRead;

use super::place::Place;
use super::progress::{Progress, Unit};
use super::{cat, download, path};
use crate::connection::Daemon;
use crate::exit::Failure;

/// Copies a file of the group.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without LOCAL the file comes to the current directory, under its own name. It is written beside \
LOCAL under a temporary name, and renamed when all bytes are on the disk. So a file that was there \
is replaced in one step, and an interrupted get changes nothing. The bytes are those that the file \
had when get began, and each of them was compared with its hash where it lay.

For example:
  memberctl file get /apps/web.tar /srv/
  memberctl file get /backups/shop.sql - | psql shop")]
pub(crate) struct Get {
    /// The file of the group
    #[arg(value_parser = path::parse, value_hint = ValueHint::Other)]
    path: String,

    /// The local file, or a directory for it; - is standard output
    #[arg(value_hint = ValueHint::AnyPath)]
    local: Option<PathBuf>,
}

impl Get {
    /// Copies it.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let local = self.local.as_deref().unwrap_or(Path::new("."));
        if path::is_stream(local) {
            return cat::Cat::whole(&self.path).run(daemon);
        }
        let mut progress = Progress::without_output(Unit::Bytes);
        let mut place = Place::find(local, &self.path, &progress)?;
        let what = FileRead { path: self.path.clone(), offset: 0, limit: None };
        download::read(daemon, what, &mut progress, |bytes| place.write(bytes))?;
        place.finish(&progress)
    }
}

//! `memberctl file cat`: prints files of the group.

use clap::ValueHint;
use memberd_control::message::FileRead;

use super::progress::{Progress, Unit};
use super::{ask, download, path};
use crate::connection::Daemon;
use crate::exit::Failure;
use crate::output::Output;

/// Prints files.
#[derive(Debug, clap::Args)]
pub(crate) struct Cat {
    /// The files of the group
    #[arg(value_parser = path::parse, value_hint = ValueHint::Other, required = true)]
    paths: Vec<String>,

    /// From which byte on; the first is 0
    #[arg(long, value_name = "BYTE", default_value_t, hide_default_value = true)]
    offset: u64,

    /// How many bytes at most
    #[arg(long, value_name = "BYTES")]
    length: Option<u64>,
}

impl Cat {
    /// All of one file.
    pub(super) fn whole(path: &str) -> Cat {
        Cat { paths: vec![path.to_owned()], offset: 0, length: None }
    }

    /// Prints them.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let mut progress = Progress::new(Unit::Bytes);
        let mut output = Output::new();
        ask::each(&self.paths, |path| {
            let what = FileRead { path: path.clone(), offset: self.offset, limit: self.length };
            download::read(daemon, what, &mut progress, |bytes| output.bytes(bytes))?;
            output.flush()
        })
    }
}

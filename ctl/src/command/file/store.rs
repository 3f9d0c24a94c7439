//! `memberctl file store`: lists what lies on this machine's disk.

use memberd_control::message::{FileReply, FileRequest, StoredExtent};

use super::{ask, json, table};
use crate::connection::{Daemon, unexpected_reply};
use crate::exit::Failure;
use crate::format;
use crate::output::Output;

/// The most extents that are taken from a daemon.
const EXTENTS_CAP: usize = 10_000_000;

/// Lists extents.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An extent is a part of a file of at most 64 MiB. Its bytes lie in the plain file \
extents/XX/EXTENT below the directory of files, where XX are the first two digits. A file of at \
most 16 KiB has no extent: it lies in the catalog of its share. What belongs to no file is removed \
after an hour.

--json prints one object with schema and extents. Each has id, length, share, path (null if it is \
not known, or no file has it), members, created (milliseconds since 1970) and damaged.")]
pub(crate) struct Store {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Store {
    /// Lists them.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let mut connection = ask::ask(daemon, FileRequest::Stored)?;
        let mut extents: Vec<StoredExtent> = Vec::new();
        while let Some(answer) = ask::answer_while_read(&mut connection)? {
            match answer {
                FileReply::Stored(part) if extents.len() + part.len() <= EXTENTS_CAP => {
                    extents.extend(part);
                }
                FileReply::Progress(_) => {}
                _ => return Err(unexpected_reply()),
            }
        }
        let mut output = Output::new();
        match self.json {
            true => output.object(&json::Stored::of(&extents)),
            false if extents.is_empty() => Ok(()),
            false => {
                let text = text(&output, &extents);
                output.text(&text)
            }
        }
    }
}

fn text(output: &Output, extents: &[StoredExtent]) -> String {
    let rows: Vec<[String; 4]> = extents.iter().map(row).collect();
    table::text(output, ["EXTENT", " SIZE", "MEMBERS", "FILE"], &rows)
}

fn row(extent: &StoredExtent) -> [String; 4] {
    let StoredExtent { id, length, share, path, members, damaged, .. } = extent;
    let file = path.clone().unwrap_or_else(|| format!("/{share}: of no known file"));
    let file = file + if *damaged { " (damaged)" } else { "" };
    [format::printable(id), format::size(*length), members.join(","), file]
        .map(|cell| format::printable(&cell))
}

//! `memberctl file merge`: makes all copies of files equal.

use clap::ValueHint;
use memberd_control::message::{FileMerged, FileReply, FileRequest};

use super::progress::{Progress, Unit};
use super::{ask, path, table};
use crate::connection::{Daemon, unexpected_reply};
use crate::exit::Failure;
use crate::output::Output;

/// Merges copies.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each copy of each part is compared with its hash, and what differs or is missing is fetched from \
another. The line says how many equal copies there are then, and how many were made again.")]
pub(crate) struct Merge {
    /// The files
    #[arg(value_parser = path::parse, value_hint = ValueHint::Other, required = true)]
    paths: Vec<String>,
}

impl Merge {
    /// Merges them.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let mut progress = Progress::without_output(Unit::Bytes);
        let mut output = Output::new();
        ask::each(&self.paths, |path| {
            let mut connection = ask::ask(daemon, FileRequest::Merge { path: path.clone() })?;
            match ask::answer_after(&mut connection, &mut progress)? {
                Some(FileReply::Merged(merged)) => output.line(&line(&merged)),
                _ => Err(unexpected_reply()),
            }
        })
    }
}

/// `3 copies, 18,204,672 bytes, blake3 ab12...`
fn line(merged: &FileMerged) -> String {
    let FileMerged { length, copies, repaired, blake3 } = merged;
    let again = match repaired {
        0 => String::new(),
        repaired => format!("; {repaired} made again"),
    };
    format!(
        "{}, {}, blake3 {}{again}",
        table::counted(*copies, "copy", "copies"),
        table::counted(*length, "byte", "bytes"),
        crate::format::printable(blake3)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_copies_bytes_and_hash() {
        let merged =
            FileMerged { length: 18_204_672, copies: 3, repaired: 0, blake3: "ab12".to_owned() };
        assert_eq!(line(&merged), "3 copies, 18,204,672 bytes, blake3 ab12");
        let again = FileMerged { repaired: 1, copies: 1, ..merged };
        assert_eq!(line(&again), "1 copy, 18,204,672 bytes, blake3 ab12; 1 made again");
    }
}

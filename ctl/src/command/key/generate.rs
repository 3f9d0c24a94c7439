//! `memberctl key generate [FILE]`: writes a new key to a file or to standard output.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use memberd_control::keyring::GroupKey;

use crate::exit::{Exit, Failure};
use crate::format;
use crate::output::Output;

/// Generates a key.
#[derive(Debug, clap::Args)]
pub(crate) struct Generate {
    /// The new file for the key, readable by its owner only; without it, standard output
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Generate {
    /// Writes a comment with the key's id, and the key.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let failed = |error: io::Error| {
            Failure::new(Exit::Failed, format!("cannot get random numbers: {error}"))
        };
        let key = GroupKey::generate().map_err(failed)?;
        let comment = format!("# key {}, made {}\n", key.id(), format::timestamp(format::now()));
        let line = key.to_line();
        match &self.file {
            Some(path) => {
                write_new(path, &[&comment, &line]).map_err(|error| not_written(path, &error))
            }
            None => {
                let mut output = Output::new();
                output.bytes(comment.as_bytes())?;
                output.bytes(line.as_bytes())?;
                output.flush()
            }
        }
    }
}

/// Writes a new file. It never overwrites another one, which may be a keyring in use.
fn write_new(path: &Path, parts: &[&str]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    parts.iter().try_for_each(|part| file.write_all(part.as_bytes()))?;
    file.sync_all()
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    match error.kind() {
        ErrorKind::AlreadyExists => Failure::new(
            Exit::Failed,
            format!("{path} exists already: to add a key to it, memberctl key generate >> {path}"),
        ),
        _ => Failure::new(Exit::Failed, format!("cannot write {path}: {error}")),
    }
}

//! `memberctl key`: the group's keys. It works on files, and needs no daemon.

mod generate;
mod list;

use std::path::PathBuf;

use clap::Subcommand;

use crate::exit::Failure;

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a new key
    Generate(generate::Generate),
    /// List the keys of a keyring by their public ids
    List(list::List),
}

impl Key {
    /// Does it.
    pub(super) fn run(&self) -> Result<(), Failure> {
        match self {
            Key::Generate(generate) => generate.run(),
            Key::List(list) => list.run(),
        }
    }
}

/// The keyring of the daemon, unless its settings name another.
const USUAL: &str = "/etc/memberd/group.key";

/// A keyring's file.
#[derive(Debug, clap::Args)]
struct File {
    /// The keyring's file
    #[arg(value_name = "FILE", default_value = USUAL)]
    path: PathBuf,
}

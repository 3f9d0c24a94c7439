//! `memberctl key`: the group's keys. It works on files, and needs no daemon.

mod generate;
mod list;

use std::path::PathBuf;

use clap::Subcommand;
use nix::sys::prctl::set_dumpable;

use crate::exit::{Exit, Failure};

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
        // A key is in no core dump, and no other process of this user can look for it: prctl(2),
        // PR_SET_DUMPABLE.
        set_dumpable(false).map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot keep the keys out of core dumps: {error}"))
        })?;
        match self {
            Key::Generate(generate) => generate.run(),
            Key::List(list) => list.run(),
        }
    }
}

/// How a key is changed, for the help text.
pub(super) const CHANGING: &str =
    "A keyring is a text file of up to 8 keys, one a line: the first \
is used, all are accepted. \
To change a group's key without an outage, do each of these on every member before the next:
1. add the new key as the last line (memberctl key generate >> FILE), have memberd take it in;
2. make it the first line, have memberd take it in;
3. remove the old line, have memberd take it in.

memberd takes it in by systemctl restart memberd, on one member after the other, where the file is \
a credential of the service \
(LoadCredential, as in the package): systemd takes a copy of it at a start only. Where \
security.key_file names the file itself, \
systemctl reload memberd is enough. memberctl status names the keys in force.";

/// The keyring of the daemon, unless its settings name another.
const USUAL: &str = "/etc/memberd/group.key";

/// A keyring's file.
#[derive(Debug, clap::Args)]
struct File {
    /// The keyring's file
    #[arg(value_name = "FILE", default_value = USUAL)]
    path: PathBuf,
}

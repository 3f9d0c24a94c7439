//! `memberctl key`: generates and lists the group's keys. It works on files, without a daemon.

mod generate;
mod list;

use std::path::PathBuf;

use clap::Subcommand;
use nix::sys::prctl::set_dumpable;

use crate::exit::{Exit, Failure};

/// A command on keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Generate a new key
    Generate(generate::Generate),
    /// List the public ids of a keyring's keys
    List(list::List),
}

impl Key {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<(), Failure> {
        // Core dumps contain no keys, and other processes of this user cannot read them: prctl(2),
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

/// How a key is changed, for the help.
pub(super) const CHANGING: &str = "\
A keyring is a text file of up to 8 keys, one a line. The first key is used, and all are accepted. \
To change a group's key without an outage, change the file on one machine, copy it to all, and \
have memberd load it on every member before the next step:
1. add the new key behind the old one: memberctl key generate >> FILE;
2. move the line of the new key before that of the old one: key list shows that the new key seals;
3. remove the line of the old key.

Where the file is a credential of the service (LoadCredential, as in the package), memberd loads \
it at a start only, since systemd copies it then: systemctl restart memberd, on one member after \
the other. Where security.key_file names the file itself, systemctl reload memberd is enough. \
memberctl status prints the ids of the keys in use.";

/// The daemon's keyring, unless its settings name another one.
const DEFAULT_FILE: &str = "/etc/memberd/group.key";

/// A keyring's file.
#[derive(Debug, clap::Args)]
struct File {
    /// The keyring file
    #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
    path: PathBuf,
}

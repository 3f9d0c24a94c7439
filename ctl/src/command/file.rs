//! `memberctl file`: the replicated files. Each command on them has a file of its own.

mod append;
pub(super) mod ask;
mod cat;
mod check;
mod download;
mod get;
mod json;
mod ls;
mod merge;
mod mkdir;
mod mv;
mod path;
mod place;
mod progress;
mod put;
mod rm;
mod stat;
mod status;
mod store;
pub(super) mod table;
mod token;
mod upload;

use clap::Subcommand;

use crate::connection::Daemon;
use crate::exit::Failure;

/// What stands below the help.
pub(super) const DETAILS: &str = "\
Files lie on the members: each has 3 copies, and survives that 2 machines are lost at once. A path \
is /SHARE/NAME... A share is made by memberctl file mkdir /SHARE. What was written is on the disks \
of all copies once memberctl has returned. It needs [files] enabled = true and [agreement] on all \
machines.

A side of a split without most of the council reads files and changes none.

LOCAL is a file of this machine, and - stands for standard input or output.

For example:
  memberctl file mkdir /apps
  memberctl file put web.tar /apps/web.tar
  memberctl file get /apps/web.tar
  tar cz /etc | memberctl file put - /apps/etc.tgz
  memberctl file stat --json /apps/web.tar | jq .copies";

/// A command on files.
#[derive(Debug, Subcommand)]
pub(crate) enum File {
    /// Copy a local file to a file of the group, at once and whole
    Put(put::Put),
    /// Copy a file of the group to a local file
    Get(get::Get),
    /// Print files of the group
    Cat(cat::Cat),
    /// Add a local file's bytes to the end of a file of the group, all or none
    Append(append::Append),
    /// List a directory, or the shares
    Ls(ls::Ls),
    /// Show all about files and directories: copies, members, hash
    Stat(stat::Stat),
    /// Remove files, directories and shares
    Rm(rm::Rm),
    /// Rename or move within a share, at once
    Mv(mv::Mv),
    /// Make directories and those above them, or shares
    Mkdir(mkdir::Mkdir),
    /// List what lies on this machine's disk
    Store(store::Store),
    /// Compare all copies of files, and make those again that differ
    Merge(merge::Merge),
    /// Look for files with fewer copies than they want
    Check(check::Check),
    /// Show the state of this machine's part
    Status(status::Status),
    /// Show the least token of a file, or raise it
    Token(token::Token),
}

impl File {
    /// Runs the command.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        match self {
            File::Put(put) => put.run(daemon),
            File::Get(get) => get.run(daemon),
            File::Cat(cat) => cat.run(daemon),
            File::Append(append) => append.run(daemon),
            File::Ls(ls) => ls.run(daemon),
            File::Stat(stat) => stat.run(daemon),
            File::Rm(rm) => rm.run(daemon),
            File::Mv(mv) => mv.run(daemon),
            File::Mkdir(mkdir) => mkdir.run(daemon),
            File::Store(store) => store.run(daemon),
            File::Merge(merge) => merge.run(daemon),
            File::Check(check) => check.run(daemon),
            File::Status(status) => status.run(daemon),
            File::Token(token) => token.run(daemon),
        }
    }
}

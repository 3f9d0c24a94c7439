//! `memberctl file token`: shows the least token of a file, or raises it.

use clap::ValueHint;
use memberd_control::message::{FileReply, FileRequest};

use super::{ask, path};
use crate::connection::{Daemon, unexpected_reply};
use crate::exit::Failure;
use crate::output::Output;

/// The least token.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A writer names its token with put and append. From --raise on, who names a smaller one is refused, \
so a writer that was replaced changes nothing any more. The token of memberctl leader --check \
fits: it grows with every leader.

For example:
  memberctl file token /jobs/log --raise \"$(memberctl leader --check)\"")]
pub(crate) struct Token {
    /// The file
    #[arg(value_parser = path::parse, value_hint = ValueHint::Other)]
    path: String,

    /// Refuse smaller tokens from now on
    #[arg(long, value_name = "TOKEN")]
    raise: Option<u64>,
}

impl Token {
    /// Shows it.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let request = FileRequest::Token { path: self.path.clone(), raise_to: self.raise };
        match ask::answer(&mut ask::ask(daemon, request)?)? {
            Some(FileReply::Token { least }) => Output::new().line(&least.to_string()),
            _ => Err(unexpected_reply()),
        }
    }
}

//! `memberctl log [FILTER]`: shows or sets the level of the daemon's log.

use std::time::Duration;

use memberd_control::message::{Reply, Request};

use crate::arguments::Suggested;
use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::Failure;
use crate::format;
use crate::output::Output;

/// How long the daemon may take to reply.
const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(10));

/// The levels that the shells' completions offer.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// Shows or sets the level of the log.
#[derive(Debug, clap::Args)]
#[command(after_help = "The level lasts until the daemon restarts, or logs.level in its settings \
    changes. Every user may look at it; root and group memberd may set it.")]
pub(crate) struct Log {
    /// error, warn, info, debug (every message) or trace; also for parts: info,peer=debug. Without
    /// it the current level is printed
    #[arg(value_parser = Suggested(&LEVELS), hide_possible_values = true)]
    filter: Option<String>,
}

impl Log {
    /// Prints the level that applies from now on.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        match Connection::ask(daemon, &Request::Log { filter: self.filter.clone() }, REPLY_TIMEOUT)?
            .reply()?
        {
            Reply::Log { filter } => Output::new().line(&format::printable(&filter)),
            _ => Err(unexpected_reply()),
        }
    }
}

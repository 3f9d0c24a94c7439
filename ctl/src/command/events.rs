//! `memberctl events [--json]`.

use memberd_control::message::{EventRecord, MemberStatus, Reply, Request};

use crate::connection::{Connection, Daemon, Patience, out_of_place};
use crate::exit::Failure;
use crate::json;
use crate::output::{Output, Style};
use crate::words;

/// Follows membership changes.
#[derive(Debug, clap::Args)]
pub(crate) struct Events {
    /// Print a JSON object on each line
    #[arg(long)]
    json: bool,
}

impl Events {
    /// Prints each change as it happens, until the daemon or the reader goes away.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let mut connection = Connection::ask(daemon, &Request::Events, Patience::Endless)?;
        let mut output = Output::new();
        loop {
            match connection.reply_while_read()? {
                Reply::Event(event) if self.json => output.object(&json::Event::from(&event))?,
                Reply::Event(event) => {
                    let line = line(&output, &event);
                    output.line(&line)?;
                }
                _ => return Err(out_of_place()),
            }
        }
    }
}

fn line(output: &Output, event: &EventRecord) -> String {
    let (verb, style) = match event.status {
        MemberStatus::Alive => ("joined", Style::Green),
        MemberStatus::Failed => ("failed", Style::Red),
        MemberStatus::Left => ("left", Style::Dim),
    };
    let time = output.styled(Style::Dim, &words::timestamp(event.time));
    let name = words::printable(&event.member.name);
    let verb = output.styled(style, verb);
    let detail = match &event.member.evidence {
        Some(evidence) => format!(", {}", words::evidence(evidence)),
        None => String::new(),
    };
    let id = words::printable(&event.member.id);
    format!("{time}  {name} {verb}{detail}  ({id})")
}

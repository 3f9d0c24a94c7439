//! `memberctl join [HOST:PORT...]`: has the daemon join the group.

use std::net::Ipv6Addr;
use std::time::Duration;

use memberd_control::message::{Founded, Reply, Request};

use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::Failure;
use crate::format;
use crate::output::Output;

/// How long a join may take. It tries each introducer in turn, and waits for the first heartbeats.
const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(60));

/// Joins the group.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A machine without introducers founds a new group, and join says so. One that \
    remembers members of its group does not, while none of them answers.

A machine is in one group at a time. If it is in one and the named members are in another, join is \
refused. To change groups: memberctl leave, then memberctl join HOST:PORT."
)]
pub(crate) struct Join {
    /// Members to ask in turn, as host:port, an IPv6 address in brackets; without any, the
    /// configured introducers. The own address founds a new group if no other answers
    #[arg(value_name = "HOST:PORT", value_parser = introducer)]
    introducers: Vec<String>,
}

impl Join {
    /// Returns when the daemon exchanges heartbeats with the group, or if it did already.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let request = Request::Join { introducers: self.introducers.clone() };
        match Connection::ask(daemon, &request, REPLY_TIMEOUT)?.reply()? {
            Reply::Joined { id, alive, already, founded } => {
                let how = if already { "already in the group as" } else { "joined as" };
                let verb = if alive == 1 { "is" } else { "are" };
                let (id, alive) = (format::printable(&id), format::count(alive, "member"));
                let mut output = Output::new();
                output.line(&format!("{how} {id}; {alive} {verb} alive"))?;
                let Some(founded) = founded else { return Ok(()) };
                let name = id.split('@').next().unwrap_or_default();
                output.line(&format!("{name} founded a new group; {}", reason(founded)))
            }
            _ => Err(unexpected_reply()),
        }
    }
}

fn reason(founded: Founded) -> &'static str {
    match founded {
        Founded::NoIntroducers => "no introducers are set",
        Founded::NobodyAnswered => "no other introducer answered",
    }
}

/// Checks the form of a `host:port`. The daemon finds out whether the host exists.
fn introducer(text: &str) -> Result<String, String> {
    let (host, port) =
        text.rsplit_once(':').ok_or("the port is missing: host:port, for example vm1:8946")?;
    if !port.parse::<u16>().is_ok_and(|port| port != 0) {
        return Err(format!("'{port}' is not a port: a number from 1 to 65535"));
    }
    match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .and_then(|address| address.parse::<Ipv6Addr>().ok())
            .map(|_| text.to_owned())
            .ok_or_else(|| format!("'{host}' is not an IPv6 address in brackets")),
        None if host.contains(':') => {
            Err(format!("an IPv6 address needs brackets: [{host}]:{port}"))
        }
        None if is_host_name(host) => Ok(text.to_owned()),
        None => Err(format!("'{host}' is not a host name or address")),
    }
}

/// Whether it has only letters, digits, hyphens, dots and underscores (RFC 1123, and practice).
/// IPv4 addresses fit too.
fn is_host_name(host: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=253).contains(&host.len()) && host.bytes().all(fits) && !host.starts_with(['-', '.'])
}

#[cfg(test)]
mod tests {
    use super::introducer;

    #[test]
    fn hosts_and_addresses_with_a_port_are_accepted() {
        for text in [
            "vm1:8946",
            "192.0.2.11:8946",
            "[2001:db8::1]:8946",
            "vm-1.example.org:1",
            "my_host:65535",
        ] {
            assert_eq!(introducer(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        for (text, words) in [
            ("vm1", "port is missing"),
            ("vm1:", "'' is not a port"),
            ("vm1:0", "'0' is not a port"),
            ("vm1:65536", "'65536' is not a port"),
            ("vm1:http", "'http' is not a port"),
            (":8946", "'' is not a host name"),
            ("vm 1:8946", "'vm 1' is not a host name"),
            ("2001:db8::1:8946", "needs brackets"),
            ("[vm1]:8946", "not an IPv6 address in brackets"),
            ("[::1:8946", "not an IPv6 address in brackets"),
        ] {
            let error = introducer(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}

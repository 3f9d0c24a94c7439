//! `memberctl wait --members N` and `memberctl wait --name NAME --status STATUS`: waits until the
//! list is so, for scripts and rollouts.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{ArgGroup, ValueHint};
use memberd_control::message::{MemberRecord, MemberStatus};

use crate::arguments;
use crate::connection::Daemon;
use crate::exit::{Exit, Failure};
use crate::format;
use crate::members;

/// How long to wait unless the user chose a time.
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);

/// The largest number of members to wait for.
const MOST: u64 = 1_000_000;

/// The pause between two fetches of the list.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits until the list has the given members.
#[derive(Debug, clap::Args)]
#[command(
    group(ArgGroup::new("what").required(true).multiple(true).args(["members", "name"])),
    after_help = "wait also waits for a daemon that does not run yet, or is in no group yet. Exit \
    status 124 if the time has passed.

Examples:
  memberctl wait --members 3 --timeout 30s      until exactly three are up
  memberctl wait --name vm4 --status failed     until this machine knows that"
)]
pub(crate) struct Wait {
    /// Wait until exactly this many members are up
    #[arg(long, value_name = "N", value_parser = arguments::number(0..=MOST))]
    members: Option<u64>,

    /// Wait until this member has the status of --status; without --status, until it is up
    #[arg(long, value_hint = ValueHint::Hostname)]
    name: Option<String>,

    /// The status to wait for: alive, failed or left
    #[arg(long, requires = "name", value_parser = status)]
    status: Option<MemberStatus>,

    /// How long to wait: seconds, or a number with a unit, such as 500ms or 2m [default: 60s]
    #[arg(id = "limit", long = "timeout", value_name = "TIME", value_parser = arguments::duration)]
    limit: Option<Duration>,
}

impl Wait {
    /// Fetches the list again and again. It does not wait if that can never succeed, for example
    /// without permission.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        // A --timeout before the command has the same meaning here.
        let limit = self.limit.or(daemon.timeout).unwrap_or(DEFAULT_LIMIT);
        let end = Instant::now() + limit;
        loop {
            let missing = match members::fetch(daemon, true) {
                Ok(members) => self.missing(&members),
                Err(Failure::NotInGroup) => Some("not in a group".to_owned()),
                Err(Failure::Stated { exit: Exit::Unreachable | Exit::TimedOut, message }) => {
                    Some(message)
                }
                Err(failure) => return Err(failure),
            };
            let Some(missing) = missing else { return Ok(()) };
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let limit = format::duration(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
                return Err(Failure::new(Exit::TimedOut, format!("after {limit}: {missing}")));
            }
            sleep(PAUSE.min(left));
        }
    }

    /// Describes what is still missing; none if nothing is.
    fn missing(&self, members: &[MemberRecord]) -> Option<String> {
        let alive =
            members.iter().filter(|member| member.status == MemberStatus::Alive).count() as u64;
        if let Some(wanted) = self.members.filter(|wanted| *wanted != alive) {
            let verb = if alive == 1 { "is" } else { "are" };
            return Some(format!("{} {verb} up, not {wanted}", format::count(alive, "member")));
        }
        let name = self.name.as_ref()?;
        let wanted = self.status.unwrap_or(MemberStatus::Alive);
        let newest = members
            .iter()
            .filter(|member| member.name == *name)
            .max_by_key(|member| member.incarnation);
        match newest {
            None => Some(format!("{name} is not in the list: see memberctl list --all")),
            Some(member) if member.status != wanted => {
                Some(format!("{name} is {}, not {}", member.status.as_str(), wanted.as_str()))
            }
            Some(_) => None,
        }
    }
}

fn status(text: &str) -> Result<MemberStatus, String> {
    let named = MemberStatus::ALL.into_iter().find(|status| status.as_str() == text);
    named.ok_or_else(|| "alive, failed or left".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, incarnation: u64, status: MemberStatus) -> MemberRecord {
        MemberRecord {
            id: format!("{name}@192.0.2.1:8946/{incarnation}"),
            name: name.to_owned(),
            address: "192.0.2.1".to_owned(),
            port: 8946,
            status,
            incarnation,
            this_machine: false,
            since: 0,
            evidence: None,
            tags: memberd_control::tags::Tags::new(),
        }
    }

    fn wait(members: Option<u64>, name: Option<&str>, status: Option<MemberStatus>) -> Wait {
        Wait { members, name: name.map(str::to_owned), status, limit: None }
    }

    #[test]
    fn counts_the_members_that_are_up() {
        let list = [member("vm1", 1, MemberStatus::Alive), member("vm2", 1, MemberStatus::Failed)];
        assert_eq!(wait(Some(1), None, None).missing(&list), None);
        assert_eq!(
            wait(Some(2), None, None).missing(&list).as_deref(),
            Some("1 member is up, not 2")
        );
        assert_eq!(
            wait(Some(0), None, None).missing(&list).as_deref(),
            Some("1 member is up, not 0")
        );
    }

    #[test]
    fn the_newest_incarnation_of_a_member_counts() {
        let list = [member("vm1", 1, MemberStatus::Failed), member("vm1", 2, MemberStatus::Alive)];
        assert_eq!(wait(None, Some("vm1"), None).missing(&list), None);
        let missing = wait(None, Some("vm1"), Some(MemberStatus::Failed)).missing(&list);
        assert_eq!(missing.as_deref(), Some("vm1 is alive, not failed"));
        assert_eq!(
            wait(None, Some("vm2"), None).missing(&list).as_deref(),
            Some("vm2 is not in the list: see memberctl list --all")
        );
    }
}

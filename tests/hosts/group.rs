//! The group as its hosts see it.

use memberd_control::message::MemberStatus;
use memberd_tests::hosts::{Host, Hosts};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Followers, wait_until};
use std::time::Duration;

/// How long a group may take to be whole after much has happened to it.
const LONG: Duration = Duration::from_secs(60);

/// Waits until every list of the hosts that are on holds exactly those of the given numbers.
pub(crate) fn wait_until_whole(hosts: &Hosts, numbers: &[usize]) {
    let mut expected: Vec<String> = numbers.iter().map(|number| format!("vm{number}")).collect();
    expected.sort();
    for number in numbers {
        let host = hosts.host(*number);
        wait_until(&format!("the list of {} is whole", host.name()), LONG, || {
            let members = host.control().list(false).map_err(|error| error.to_string())?;
            let mut names: Vec<String> = members.into_iter().map(|member| member.name).collect();
            names.sort();
            holds(names == expected, || format!("{names:?}"))
        });
    }
}

/// The id of a host's daemon.
pub(crate) fn id(host: &Host) -> String {
    host.control().status().unwrap().id.unwrap_or_else(|| panic!("{} is in no group", host.name()))
}

/// Follows the lists of these hosts.
pub(crate) fn follow(hosts: &Hosts, numbers: &[usize]) -> Followers {
    Followers::of(
        numbers.iter().map(|number| (hosts.host(*number).name(), hosts.host(*number).control())),
    )
}

/// Waits until this host lists that member so.
pub(crate) fn wait_until_listed(host: &Host, name: &str, status: MemberStatus) {
    wait_until(&format!("{} lists {name} as {status:?}", host.name()), SOON, || {
        let found = host.control().status_of(name).map_err(|error| error.to_string())?;
        holds(found.is_some_and(|(found, _)| found == status), || format!("{found:?}"))
    });
}

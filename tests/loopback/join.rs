//! Joins: one after another, and all at once.

use memberd_tests::wait::{IN_EVERY_LIST, SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

/// Whether this is `name@address:port/incarnation` with an incarnation in milliseconds of this age.
fn assert_as_documented(id: &str, name: &str, address: &str) {
    let incarnation = id
        .strip_prefix(&format!("{name}@{address}/"))
        .unwrap_or_else(|| panic!("{id} is not of {name}"));
    let incarnation: u64 = incarnation.parse().unwrap();
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let age = now.saturating_sub(u128::from(incarnation));
    assert!(age < 600_000, "{id} is no timestamp in milliseconds of a join just now");
}

#[test]
fn ten_members_that_join_in_turn_are_in_every_list_at_once() {
    let fleet = Fleet::idle(10);
    let mut followers = fleet.follow();
    for number in 1..=10 {
        let start = Instant::now();
        let output = fleet[number].ctl(&["join"]);
        assert!(output.status.success(), "{output:?}");
        let id = fleet.id(number);
        assert!(
            String::from_utf8_lossy(&output.stdout).contains(&id),
            "{output:?} does not name {id}"
        );
        let not_yet: Vec<String> = (number..=10).map(|later| format!("vm{later}")).collect();
        let not_yet: Vec<&str> = not_yet.iter().map(String::as_str).collect();
        followers.assert_in_every_list(
            &id,
            memberd_control::message::MemberStatus::Alive,
            start,
            &not_yet,
        );
    }
    let ids = fleet.wait_until_whole();
    for daemon in fleet.daemons() {
        let (name, address) = (daemon.name(), daemon.settings.address.to_string());
        let id = ids.iter().find(|id| id.starts_with(&format!("{name}@"))).unwrap();
        assert_as_documented(id, name, &address);
    }
    followers.assert_none_failed_but(&[]);
}

#[test]
fn ten_members_that_start_at_the_same_moment_find_each_other() {
    let mut fleet = Fleet::new(10);
    for daemon in fleet.daemons_mut() {
        daemon.settings.join_on_start = true;
        daemon.launch();
    }
    // How long a busy machine takes to start ten programs is not theirs to promise.
    fleet.daemons_mut().iter_mut().for_each(Daemon::wait_until_it_answers);
    let start = Instant::now();
    let ids = wait_until("every list is whole", SOON, || {
        let lists: Vec<Vec<String>> = fleet
            .running()
            .map(|daemon| {
                daemon.control().alive().map_err(|error| format!("{}: {error}", daemon.name()))
            })
            .collect::<Result<_, String>>()?;
        holds(lists.iter().all(|list| list.len() == 10 && *list == lists[0]), || {
            format!("{lists:?}")
        })?;
        Ok(lists[0].clone())
    });
    assert!(
        start.elapsed() <= IN_EVERY_LIST,
        "every list was whole after {:?} only",
        start.elapsed()
    );
    for daemon in fleet.daemons() {
        assert!(
            ids.iter().any(|id| id.starts_with(&format!(
                "{}@{}/",
                daemon.name(),
                daemon.settings.address
            ))),
            "{ids:?}"
        );
    }
    fleet.assert_logs_accuse_none_but(&[]);
}

#[test]
fn the_list_as_json_has_the_documented_fields() {
    let fleet = Fleet::start(3);
    let output = fleet[2].ctl(&["list", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let members = list.as_array().unwrap();
    assert_eq!(members.len(), 3);
    for (member, daemon) in members.iter().zip(fleet.daemons()) {
        let address = daemon.settings.address;
        assert_eq!(member["name"], daemon.name());
        assert_eq!(member["address"], address.ip().to_string());
        assert_eq!(member["port"], address.port());
        assert_eq!(member["status"], "alive");
        let id = format!("{}@{address}/{}", daemon.name(), member["incarnation"]);
        assert_eq!(member["id"], id);
    }
}

#[test]
fn a_member_that_joins_again_learns_that_it_is_a_member() {
    let fleet = Fleet::start(2);
    let id = fleet.id(2);
    let output = fleet[2].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("already"), "{output:?}");
    assert_eq!(fleet.id(2), id, "the incarnation stays");
}

#[test]
fn members_with_ipv6_addresses_notice_a_crash() {
    // There is only one IPv6 loopback address, so the ports differ. All are held until all are
    // known.
    let held: Vec<UdpSocket> = (0..3).map(|_| UdpSocket::bind("[::1]:0").unwrap()).collect();
    let addresses: Vec<SocketAddr> =
        held.iter().map(|socket| socket.local_addr().unwrap()).collect();
    drop(held);
    let mut fleet = Fleet::new(3);
    for (daemon, address) in fleet.daemons_mut().iter_mut().zip(&addresses) {
        daemon.settings.address = *address;
        daemon.settings.introducers = vec![addresses[0].to_string()];
        daemon.start();
    }
    fleet.join_all();
    let ids = fleet.wait_until_whole();
    assert!(ids[2].starts_with(&format!("vm3@[::1]:{}/", addresses[2].port())), "{ids:?}");
    let mut followers = fleet.follow();
    let crash = fleet.crash(&[3]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm3"]);
}

/// A machine that is refused says why, and what to do.
#[test]
fn the_status_has_the_reason_of_a_refusal() {
    let mut fleet = Fleet::new(3);
    fleet.daemons_mut().iter_mut().for_each(|daemon| daemon.set_keys("a"));
    fleet[1].start();
    fleet[1].control().join().unwrap();
    fleet[2].settings.name = "vm1".to_owned();
    fleet[2].settings.machine = Some(2);
    fleet[3].set_keys("b");
    for (number, reason) in [(2, "give each machine its own [node] name"), (3, "key")] {
        fleet[number].settings.join_on_start = true;
        fleet[number].start();
        wait_until(&format!("vm{number} says {reason:?}"), SOON, || {
            let warnings = fleet[number].control().status().unwrap().warnings;
            let start = "not in the group yet; trying to join: ";
            let has_it = |warning: &String| warning.starts_with(start) && warning.contains(reason);
            holds(warnings.iter().any(has_it), || format!("{warnings:?}"))
        });
    }
}

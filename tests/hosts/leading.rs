//! `memberd-leader.service`: a unit that is bound to it runs on one of the hosts, and follows the
//! leader. The hosts share a kernel, and so one clock.

use crate::install::install;
use crate::or_left_out;
use memberd_tests::hosts::{Host, Hosts, Package, Release, hindrance};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;

const RELEASES: [Release; 3] = [Release::Bookworm, Release::Bookworm, Release::Trixie];

/// The example of the package.
const UNIT: &str = "one-machine.service";

/// All hosts have the same settings, but for their addresses.
const SETTINGS: &str = r#"[group]
introducers = ["10.88.0.1:8946"]
join_on_start = true
[security]
allow_plaintext = true
[agreement]
enabled = true
initial_council = ["vm1", "vm2", "vm3"]
"#;

/// As OPERATIONS.md says.
fn set_up(hosts: &Hosts, package: &Package) {
    for host in hosts.all() {
        install(host, package);
        let settings = format!("[node]\naddress = \"{}\"\n{SETTINGS}", host.address());
        host.write_inside("/etc/memberd/memberd.toml", &settings);
        host.write_inside("/usr/local/bin/job", "#!/bin/sh\nexec sleep infinity\n");
        host.shell(
            "chmod +x /usr/local/bin/job
            cp /usr/share/doc/memberd/examples/one-machine.service /etc/systemd/system/
            systemctl start memberd
            systemctl enable --quiet one-machine
            systemctl enable --quiet --now --no-block memberd-leader",
        );
    }
}

/// When the unit has come to this state last, in microseconds.
fn time(host: &Host, state: &str) -> u64 {
    host.show_of(UNIT, &format!("{state}EnterTimestampMonotonic")).parse().unwrap()
}

/// Waits until all hosts that are on are in the view and its council: the next fault may come.
fn wait_until_agreed(hosts: &Hosts) {
    for host in hosts.on() {
        wait_until(&format!("the view of {} has all", host.name()), SOON, || {
            let view = host.control().view().map_err(|error| error.to_string())?;
            let all = hosts.on().count();
            holds(view.members.len() == all && view.record.council.len() == all, || {
                format!("{view:?}")
            })
        });
    }
}

/// Waits until the unit runs on one such host, and the leader's mark is there alone.
fn wait_until_on(hosts: &Hosts, what: &str, is_one: impl Fn(&Host) -> bool) -> usize {
    wait_until(what, SOON, || {
        let state = |host: &Host| {
            let [unit, mark] =
                [UNIT, "memberd-leader"].map(|unit| host.show_of(unit, "ActiveState"));
            (host.number(), unit, mark)
        };
        let states: Vec<(usize, String, String)> = hosts.on().map(state).collect();
        let mut active = states.iter().filter(|(_, unit, mark)| unit == "active" && mark == unit);
        let waits = states.iter().filter(|(_, unit, mark)| {
            unit == "inactive" && ["activating", "inactive"].contains(&mark.as_str())
        });
        let others_wait = waits.count() + 1 == states.len();
        match active.next() {
            Some((number, ..)) if others_wait && is_one(hosts.host(*number)) => Ok(*number),
            _ => Err(format!("{states:?}")),
        }
    })
}

/// The unit goes from the old host to another, on which it begins only when it has ended.
fn follows(hosts: &Hosts, old: usize, what: &str) -> usize {
    let new = wait_until_on(hosts, what, |host| host.number() != old);
    let (ended, begun) = (time(hosts.host(old), "Inactive"), time(hosts.host(new), "Active"));
    assert!(ended < begun, "{what}: it runs on vm{new} from {begun} and on vm{old} to {ended}");
    eprintln!("{what}: it runs nowhere for {} ms", (begun - ended) / 1_000);
    assert!(hosts.host(new).control().check_leader().unwrap().is_some(), "vm{new} leads");
    new
}

#[test]
fn a_unit_bound_to_the_mark_runs_on_the_leader_alone() {
    let Some(package) = or_left_out(hindrance().map_or_else(Package::built, Err)) else { return };
    let mut hosts = Hosts::boot(&RELEASES, 0);
    set_up(&hosts, &package);
    let first = wait_until_on(&hosts, "the unit begins on the leader", |_| true);
    wait_until_agreed(&hosts);

    hosts.host(first).run(&["memberctl", "leader", "hand-over"]);
    let second = follows(&hosts, first, "the leader hands over");

    let old = time(hosts.host(second), "Active");
    hosts.host(second).run(&["systemctl", "kill", "--signal=STOP", "memberd-leader"]);
    wait_until_on(&hosts, "a mark that is stopped is ended, and with it the unit", |host| {
        time(host, "Active") > old
    });

    wait_until_agreed(&hosts);
    let leader = wait_until_on(&hosts, "the unit is on the leader", |_| true);
    hosts.host(leader).run(&["systemctl", "kill", "--signal=KILL", "memberd"]);
    let leader = follows(&hosts, leader, "the leader's daemon is killed");

    wait_until_agreed(&hosts);
    hosts.host(leader).run(&["systemctl", "stop", "memberd"]);
    let next = follows(&hosts, leader, "the leader's daemon is stopped");
    hosts.host(leader).run(&["systemctl", "start", "memberd"]);

    wait_until_agreed(&hosts);
    hosts.pull_plugs(&[next]);
    let last = wait_until_on(&hosts, "the leader's plug is pulled", |host| host.number() != next);
    assert!(hosts.host(last).control().check_leader().unwrap().is_some(), "vm{last} leads");
}

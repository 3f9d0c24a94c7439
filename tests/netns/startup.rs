//! Machines that start before their network is there: without a default route, and with a name
//! server that does not answer.

use memberd_tests::namespaces::within;
use memberd_tests::wait::SOON;
use memberd_tests::{Daemon, Fleet, Network, wait_until};
use nix::sys::signal::Signal;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// The status of memberd after which systemd starts it again.
const FAILURE: i32 = 1;

/// Writes settings that leave the address to the machine.
fn write_settings_without_address(daemon: &Daemon) {
    let settings = daemon.settings.to_toml();
    let address = format!("address = \"{}\"\n", daemon.settings.address.ip());
    let without = settings.replacen(&address, "", 1);
    assert_ne!(settings, without);
    fs::write(daemon.config(), without).unwrap();
}

/// systemd starts the daemon again until there is a route. Then it takes the address from it.
#[test]
fn a_machine_without_a_default_route_yet_is_started_again() {
    let Some(network) = Network::if_possible(1) else { return };
    let mut fleet = Fleet::within(network, 1);
    fleet[1].set_keys("a");
    write_settings_without_address(&fleet[1]);
    fleet.network().ip(1, "link set eth0 addrgenmode eui64\nlink set eth0 down\nlink set eth0 up");
    fleet[1].launch_as_configured();
    let ended = fleet[1].wait_for_end(SOON);
    let said = fleet[1].stderr();
    assert_eq!(ended.code(), Some(FAILURE), "{said}");
    assert!(said.contains("this machine has no default route to take it from yet"), "{said}");

    fleet.network().ip(1, "route add default dev eth0");
    fleet[1].launch_as_configured();
    fleet[1].wait_until_it_answers();
    let status = fleet[1].control().status().unwrap();
    assert_eq!(status.address, fleet[1].settings.address.to_string());
    // The route goes, as when a cable is out. The settings are reloaded nevertheless.
    fleet.network().ip(1, "route delete default dev eth0");
    fleet[1].reload();
}

/// Name servers of this machine, as resolv.conf(5) has them: without any, that is this machine.
fn name_servers() -> Vec<IpAddr> {
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let servers = words.filter(|words| words.first() == Some(&"nameserver"));
    let servers: Vec<IpAddr> = servers.filter_map(|words| words.get(1)?.parse().ok()).collect();
    if servers.is_empty() { vec![Ipv4Addr::LOCALHOST.into()] } else { servers }
}

/// Takes the questions of a machine to its name servers, and answers none.
fn silence_name_servers(fleet: &Fleet, number: usize) -> Vec<UdpSocket> {
    let servers = name_servers();
    for server in servers.iter().filter(|server| !server.is_loopback()) {
        let form = if server.is_ipv4() { "32 dev lo" } else { "128 dev lo nodad" };
        fleet.network().ip(number, &format!("address add {server}/{form}"));
    }
    let namespace = fleet.network().namespace(u8::try_from(number).unwrap());
    within(&namespace, || {
        servers.iter().map(|server| UdpSocket::bind((*server, 53)).unwrap()).collect()
    })
}

/// It comes back by the addresses that it remembers. Neither clients nor signals wait for the names
/// either.
#[test]
fn nothing_waits_for_a_name_server_that_is_silent() {
    let Some(network) = Network::if_possible(2) else { return };
    let mut fleet = Fleet::within(network, 2);
    fleet.form();
    fleet.wait_until_remembered();
    let crash = fleet.crash(&[2]).remove(0);
    let servers = silence_name_servers(&fleet, 2);
    fleet[2].settings.introducers = (1..=3).map(|i| format!("i{i}.example:8946")).collect();
    fleet[2].start();
    fleet.wait_until_whole();
    let log = fleet[2].log().text();
    let silent = "introducer i1.example:8946: no answer from the resolver";
    let joined = log.rfind("in the group").unwrap();
    assert!(log.rfind(silent).is_none_or(|at| joined < at), "it waited for the names: {log}");
    fleet[2].wait_until_logged(silent);
    fleet[2].reload();
    wait_until("the status names the introducers", SOON, || {
        let warnings = fleet[2].control().status().unwrap().warnings;
        let named = warnings.iter().any(|warning| warning.contains("introducer i3.example:8946: "));
        if named { Ok(()) } else { Err(format!("{warnings:?}")) }
    });
    fleet[2].signal(Signal::SIGTERM);
    let ended = fleet[2].wait_for_end(SOON);
    assert!(ended.success(), "{ended}");
    drop((servers, crash));
}

/// Whoever stops the daemon does not wait for the names of its introducers.
#[test]
fn a_daemon_that_looks_names_up_ends_at_once() {
    let Some(network) = Network::if_possible(1) else { return };
    let mut fleet = Fleet::within(network, 1);
    let servers = silence_name_servers(&fleet, 1);
    fleet[1].settings.introducers = vec!["i1.example:8946".to_owned()];
    fleet[1].settings.join_on_start = true;
    fleet[1].start();
    let status = fleet[1].control().status().unwrap();
    assert!(status.id.is_none(), "it has founded a group: {status:?}");
    fleet[1].signal(Signal::SIGTERM);
    let ended = fleet[1].wait_for_end(SOON);
    assert!(ended.success(), "{ended}");
    drop(servers);
}

/// Each knows itself by the name that Debian's /etc/hosts has for it, 127.0.1.1, which
/// getaddrinfo(3) reads from 127.0.257. They found one group together.
#[test]
fn machines_that_have_their_own_name_at_loopback_meet() {
    let Some(network) = Network::if_possible(2) else { return };
    let mut fleet = Fleet::within(network, 2);
    let port = fleet[1].settings.address.port();
    let own = || format!("127.0.257:{port}");
    let other = [fleet[2].settings.address.to_string(), fleet[1].settings.address.to_string()];
    for (daemon, other) in fleet.daemons_mut().iter_mut().zip(other) {
        daemon.settings.introducers = vec![own(), other];
        daemon.settings.join_on_start = true;
        daemon.launch();
    }
    fleet.daemons_mut().iter_mut().for_each(Daemon::wait_until_it_answers);
    assert_eq!(fleet.wait_until_whole().len(), 2);
}

//! memberd as an administrator runs it. It is installed from its Debian package on booted hosts
//! with systemd, journald and logrotate. Ansible rolls it out, and it goes through what happens to
//! machines.

#![cfg(test)]

mod clock;
mod copies;
mod crashes;
mod group;
mod hooks;
mod install;
mod journal;
mod leading;
mod logs;
mod made;
mod memory;
mod packages;
mod precedence;
mod questions;
mod rights;
mod rollout;
mod transcript;
mod units;

use memberd_tests::hosts::{Hosts, Package, Release, hindrance};
use std::io::Write;
use std::time::Instant;
use transcript::Transcript;

/// Seven hosts of Debian 12, and vm8 of Debian 13.
const RELEASES: [Release; 8] = {
    let mut releases = [Release::Bookworm; 8];
    releases[7] = Release::Trixie;
    releases
};

/// Their numbers.
const ALL: [usize; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// The numbers of the others.
fn all_but(numbers: &[usize]) -> Vec<usize> {
    ALL.into_iter().filter(|number| !numbers.contains(number)).collect()
}

/// One chapter of the fleet's story. The chapters build on each other, because booting and
/// installing take long.
fn story(what: &str, play: impl FnOnce()) {
    let start = Instant::now();
    eprintln!("{what} ...");
    play();
    eprintln!("{what}: {:.1} s", start.elapsed().as_secs_f32());
}

/// Gives a test what it needs. Without that the test reports it, and fails where everything has to
/// run.
fn or_left_out<T>(needed: Result<T, String>) -> Option<T> {
    needed
        .map_err(|words| {
            assert!(std::env::var_os("CI").is_none(), "left out: {words}");
            // This goes past the capture of output, so that it is seen.
            let _ = writeln!(std::io::stderr(), "LEFT OUT: {words}");
        })
        .ok()
}

/// The package is installed, by hand and by Ansible.
fn rolled_out(hosts: &Hosts, package: &Package, transcript: &mut Transcript) {
    story("a first install enables and does not start", || {
        install::first(hosts, package, transcript);
    });
    install::size(hosts, package);
    story("the settings come first", || install::settings_come_first(hosts));
    story("the units are plain to systemd 252 and 257, and little exposed", || {
        install::units(hosts);
    });
    story("by hand: a key, settings, start, join", || install::by_hand(hosts, transcript));
    story("Ansible rolls it out", || rollout::installed(hosts, package));
    story("a second run changes nothing", || rollout::repeated(hosts));
    story("changed settings are checked and rolled out", || rollout::settings_changed(hosts));
}

#[test]
fn a_fleet_of_booted_hosts_survives_what_happens_to_machines() {
    let Some(package) = or_left_out(hindrance().map_or_else(Package::built, Err)) else { return };
    let start = Instant::now();
    let mut hosts = Hosts::boot(&RELEASES, memory::ACCOUNTED);
    let mut transcript = Transcript::default();
    eprintln!("{} hosts booted: {:.1} s", RELEASES.len(), start.elapsed().as_secs_f32());

    rolled_out(&hosts, &package, &mut transcript);
    story("everybody lists, and members of the group grep", || {
        rights::everybody_lists_and_members_of_the_group_grep(&hosts);
    });
    story("questions are counted by workers that systemd starts", || {
        questions::counted_by_the_workers_of_systemd(&hosts);
    });
    story("the kernel gives it the niceness and the OOM score of its unit", || {
        precedence::as_the_unit_says(&hosts);
    });
    story("a daemon that is killed comes back with a new incarnation", || crashes::killed(&hosts));
    story("one that is killed again and again comes back each time", || {
        crashes::killed_again_and_again(&hosts);
    });
    story("a daemon that hangs is started anew by the watchdog", || crashes::hung(&hosts));
    story("so is one of which only the protocol loop hangs", || {
        crashes::loop_hung(&hosts);
    });
    story("a hook hears who failed and who left", || hooks::hears_of_changes(&hosts));
    story("a pulled plug is noticed in time, and an administrator sees it", || {
        crashes::plugs_pulled(&mut hosts, &[5], |hosts| install::looked_at(hosts, &mut transcript));
    });
    story("four plugs pulled at once are noticed in time", || {
        crashes::plugs_pulled(&mut hosts, &[2, 3, 5, 6], |_| ());
    });
    story("what a host wrote is found while its plug is pulled", || {
        copies::found_while_the_plug_is_pulled(&mut hosts);
    });
    story("the service's memory is far below its bound", || memory::below_its_bound(&hosts));
    story("costly greps at once do not end the service", || {
        memory::never_exhausted_by_greps(&hosts);
    });
    story("a service that is stopped has left, and stays stopped", || crashes::stopped(&hosts));
    story("a host that reboots comes back by itself", || crashes::rebooted(&mut hosts));
    story("a host that is frozen comes back when it goes on", || crashes::frozen(&hosts));
    story("a network that is split heals", || crashes::split_and_healed(&hosts));
    story("the journal has fields", || logs::fields_in_the_journal(&hosts));
    story("the journal has the right priorities, and no line that is not documented", || {
        logs::priorities_in_the_journal(&hosts);
    });
    story("a journald that hangs harms nobody", || logs::journald_hangs(&hosts));
    story("a search of the journal finds what journalctl prints", || {
        journal::searched_as_by_journalctl(&hosts);
    });
    story("a reload needs no procps", || logs::reloaded(&hosts));
    story("logrotate takes the log, and nothing is lost", || logs::rotated(&hosts));
    story("a disk without room costs log lines only", || logs::disks_full(&hosts));
    story("a clock that is stepped harms nobody", || clock::stepped(&hosts));
    story("the group's key is changed without an outage", || rollout::key_changed(&hosts));
    story("the detector is changed on all at once, and back", || {
        rollout::detector_changed(&hosts);
    });
    let newer = package.with_version("0.2.0", hosts.directory());
    story("an upgrade is one leave and one join", || packages::replaced(&hosts, &newer, &ALL));
    story("a downgrade is as well", || packages::replaced(&hosts, &package, &[2, 8]));
    story("an upgrade of what is stopped does not start it", || {
        packages::replaced_while_stopped(&hosts, &newer);
    });
    story("a purge leaves nothing", || packages::purged(&hosts));
    story("a machine is added and removed", || rollout::added_and_removed(&hosts, &package));
    transcript.into_page();
    eprintln!("all of it: {:.1} s", start.elapsed().as_secs_f32());
}

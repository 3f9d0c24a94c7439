//! The limits of what a search may cost a machine, and the messages about them.

use memberd_control::grep::{GrepPattern, GrepRequest};
use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, proc, wait_until};
use nix::unistd::Pid;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Output, Stdio};
use std::thread;
use std::time::Duration;

/// Copies are off: they take threads, and hold files open.
fn offer_lines(daemon: &mut Daemon, lines: usize) {
    daemon.settings.logs.push("copies = 0".to_owned());
    let mut file = daemon.offer("big.txt");
    file.write_all(&format!("needle {:>92}\n", daemon.name()).repeat(lines).into_bytes()).unwrap();
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Greps whose output nobody reads.
fn unread(fleet: &Fleet, number: usize) -> Running {
    let mut command = fleet[number].memberctl(&["grep", "needle", "big.txt"]);
    Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))
}

fn wait_until_it_searches(daemon: &Daemon) {
    let file = daemon.directory().join("big.txt");
    wait_until("a search is under way", SOON, || {
        holds(proc::has_open(daemon.pid(), &file), || "it is not".to_owned())
    });
}

/// Waits until the only search of this daemon is over, whether or not it was seen while it ran.
fn wait_until_searched(daemon: &Daemon) {
    wait_until("the search is over", SOON, || {
        let page = String::from_utf8(daemon.ctl(&["metrics"]).stdout).unwrap();
        holds(page.contains("\nmemberd_searches_total 1\n"), || page)
    });
}

/// memberctl names the member whose search was stopped.
#[test]
fn a_search_that_returns_too_much_is_stopped() {
    let fleet = Fleet::start_with(3, |daemon| {
        offer_lines(daemon, 20_000);
        if daemon.name() == "vm2" {
            daemon.settings.limits = vec!["search_output = \"1MiB\""];
        }
    });
    let output = fleet[1].ctl(&["grep", "needle", "big.txt"]);
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    let of = |name: &str| lines.lines().filter(|line| line.starts_with(name)).count();
    assert_eq!((of("vm1:"), of("vm3:")), (20_000, 20_000));
    assert!(of("vm2:") < 20_000);
    assert_eq!(output.status.code(), Some(3));
    let words = "memberctl: vm2: did not answer: it found more than 1048576 bytes, its \
    limits.search_output\n";
    assert_eq!(stderr(&output), words);
    // Lines that are only counted do not cross the network.
    let counted = fleet[1].ctl(&["grep", "-c", "needle", "big.txt"]);
    assert_eq!(counted.status.code(), Some(0), "{counted:?}");
}

#[test]
fn a_search_that_takes_too_long_is_stopped_and_the_member_named() {
    let fleet = Fleet::start_with(2, |daemon| {
        offer_lines(daemon, 200_000);
        daemon.settings.limits = vec!["search_time = \"1s\""];
    });
    let mut memberctl = unread(&fleet, 1);
    // One that is read too early could end in time.
    [1, 2].iter().for_each(|number| wait_until_searched(&fleet[*number]));
    let stdout = memberd_tests::process::collect(memberctl.child().stdout.take().unwrap());
    assert_eq!(memberctl.wait(SOON).code(), Some(3));
    let mut said = String::new();
    memberctl.child().stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let words = "memberctl: 2 members did not answer: it took longer than 1s, its \
        limits.search_time: vm[1-2]\n";
    assert!(said.contains(words), "{said}");
    assert!(stdout.join().unwrap().ends_with(b"\n"), "no line is cut");
}

/// The request of a member to another, without a key.
fn member_request(pattern: &str) -> Vec<u8> {
    let pattern = GrepPattern { patterns: vec![pattern.into()], ..GrepPattern::default() };
    // The version, and the kind "grep".
    let mut request = vec![1, 1];
    ciborium::into_writer(&GrepRequest { pattern, ..GrepRequest::default() }, &mut request)
        .unwrap();
    [&u32::try_from(request.len()).unwrap().to_be_bytes(), request.as_slice()].concat()
}

/// It is dropped soon after its search has taken as long as it may.
#[test]
fn a_client_that_reads_nothing_is_dropped() {
    let fleet = Fleet::start_with(2, |daemon| {
        offer_lines(daemon, 200_000);
        daemon.settings.limits = vec!["search_time = \"1s\""];
    });
    let mut unread = TcpStream::connect(fleet[2].settings.address).unwrap();
    unread.write_all(&member_request("needle")).unwrap();
    wait_until_searched(&fleet[2]);
    wait_until("the connection is closed there", 2 * SOON, || {
        let open = connections(fleet[2].pid(), unread.local_addr().unwrap());
        holds(open == 0, || format!("{open} connections are open"))
    });
    drop(unread);
}

/// How many connections from this address a process holds open, in its network namespace. Their
/// sockets are in `net/tcp` of proc(5), and among the process's descriptors.
fn connections(pid: Pid, from: SocketAddr) -> usize {
    let SocketAddr::V4(from) = from else { panic!("{from} is not IPv4") };
    let remote = format!("{:08X}:{:04X}", u32::from_ne_bytes(from.ip().octets()), from.port());
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let open: Vec<String> =
        proc::open_files(pid).iter().map(|file| file.display().to_string()).collect();
    let fields = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields
        .filter(|fields| fields[2] == remote && open.contains(&format!("socket:[{}]", fields[9])))
        .count()
}

/// Reads a grep's output slowly, so that its search is under way all the time, until the grep ends.
fn read_slowly(grep: &mut Running) {
    let mut output = grep.child().stdout.take().unwrap();
    thread::spawn(move || {
        let mut piece = [0; 64 * 1024];
        while output.read(&mut piece).is_ok_and(|read| read > 0) {
            thread::sleep(Duration::from_millis(20));
        }
    });
}

/// They wait for a while first.
#[test]
fn more_searches_than_a_machine_allows_are_refused() {
    let fleet = Fleet::start_with(2, |daemon| {
        offer_lines(daemon, if daemon.name() == "vm2" { 1_000_000 } else { 1 });
        if daemon.name() == "vm2" {
            daemon.settings.limits = vec!["searches = 1"];
        }
    });
    let mut busy = unread(&fleet, 1);
    read_slowly(&mut busy);
    wait_until_it_searches(&fleet[2]);
    let output = fleet[1].ctl(&["grep", "-c", "needle", "big.txt"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let words = "memberctl: vm2: did not answer: 1 searches run there already, its \
    limits.searches: try again later\n";
    assert_eq!(stderr(&output), words);
}

#[test]
fn more_greps_than_a_machine_may_begin_are_refused_at_once() {
    let fleet = Fleet::start_with(2, |daemon| {
        offer_lines(daemon, 200_000);
        daemon.settings.limits = vec!["greps = 1"];
    });
    let _busy = unread(&fleet, 1);
    wait_until_it_searches(&fleet[2]);
    let refused = fleet[1].ctl(&["grep", "-c", "needle", "big.txt"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(stderr(&refused).contains("limits.greps"), "{refused:?}");
    let other = fleet[2].ctl(&["grep", "-c", "needle", "big.txt"]);
    assert_eq!(other.status.code(), Some(0), "{other:?}");
}

#[test]
fn a_search_runs_on_no_more_threads_than_a_machine_allows() {
    let fleet = Fleet::start_with(3, |daemon| {
        offer_lines(daemon, 200_000);
        match daemon.name() {
            "vm2" => daemon.settings.limits = vec!["search_threads = 1"],
            "vm3" => daemon.settings.limits = vec!["search_threads = 5"],
            _ => {}
        }
    });
    // Nobody reads, so all threads that are allowed have to wait.
    let _busy = unread(&fleet, 1);
    // One more thread passes on what they find.
    for (number, allowed) in [(1, 3), (2, 2), (3, 6)] {
        let daemon = &fleet[number];
        wait_until_it_searches(daemon);
        let threads = || proc::threads_that_give_way(daemon.pid());
        wait_until("its threads search", SOON, || {
            let running = threads();
            holds(running == allowed, || {
                format!("{} has {running} threads that search", daemon.name())
            })
        });
        assert!((0..20).all(|_| threads() <= allowed), "{} takes more threads", daemon.name());
    }
}

//! Places for searches: a reader that stops, as a pager does, keeps no other grep out, and no
//! machine has all places.

use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use std::io::{Read as _, Write as _};
use std::process::{Output, Stdio};

/// More lines than all buffers between a search and its reader hold.
const LINES: usize = 200_000;

fn offer_lines(daemon: &mut Daemon) {
    let mut file = daemon.offer("big.txt");
    file.write_all(&format!("needle {:>92}\n", daemon.name()).repeat(LINES).into_bytes()).unwrap();
}

/// A grep whose reader stops at once.
fn pager(daemon: &Daemon) -> Running {
    let mut command = daemon.memberctl(&["grep", "needle", "big.txt"]);
    Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// The value of a metric without labels.
fn metric(daemon: &Daemon, name: &str) -> u64 {
    let output = daemon.ctl(&["metrics"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

fn wait_until_set_aside(daemon: &Daemon, count: u64) {
    wait_until("searches are set aside", SOON, || {
        let aside = metric(daemon, "memberd_searches_set_aside");
        holds(aside >= count, || format!("{aside} of {count}"))
    });
}

fn count(daemon: &Daemon) -> Output {
    daemon.ctl(&["grep", "-c", "needle", "big.txt"])
}

/// A pager takes the only place of a machine, and is left open. Another grep runs meanwhile, and
/// then the reader reads on: it gets every line.
#[test]
fn a_pager_left_open_is_harmless_and_goes_on() {
    let fleet = Fleet::start_with(2, |daemon| {
        offer_lines(daemon);
        daemon.settings.limits = vec!["searches = 1"];
    });
    let mut pager = pager(&fleet[1]);
    wait_until_set_aside(&fleet[2], 1);
    wait_until_set_aside(&fleet[1], 1);
    for number in [2, 1] {
        let output = count(&fleet[number]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let mut read = Vec::new();
    pager.child().stdout.take().unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(pager.wait(SOON).code(), Some(0));
    assert_eq!(read.iter().filter(|byte| **byte == b'\n').count(), 2 * LINES);
    // Its place may be given back a little after the last line.
    wait_until("no search is set aside any more", SOON, || {
        let aside = metric(&fleet[2], "memberd_searches_set_aside");
        holds(aside == 0, || format!("{aside} are"))
    });
}

/// Many pagers are left open on several machines, more than can be set aside. A grep from a
/// machine without one finds its places all the same, and those that end say why.
#[test]
fn pagers_on_other_machines_keep_no_grep_out() {
    let fleet = Fleet::start_with(3, |daemon| {
        offer_lines(daemon);
        daemon.settings.limits = vec!["searches = 4"];
    });
    let mut pagers: Vec<Running> = (0..16).map(|number| pager(&fleet[1 + number % 2])).collect();
    wait_until_set_aside(&fleet[3], 3);
    for _ in 0..4 {
        let output = count(&fleet[3]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    for pager in &mut pagers {
        let out = pager.child().stdout.take().unwrap();
        let out = memberd_tests::process::collect(out);
        let mut said = String::new();
        pager.child().stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = pager.wait(SOON).code();
        let lines = out.join().unwrap().iter().filter(|byte| **byte == b'\n').count();
        match status {
            Some(0) => assert_eq!(lines, 3 * LINES, "{said}"),
            _ => assert!(
                said.lines().all(|line| {
                    line.contains("did not answer: nobody read its output for 3s, and others")
                        || line.contains("its limits.searches: try again later")
                        || line.contains("its share of that machine's limits.searches")
                }),
                "{status:?} {said}"
            ),
        }
    }
}

/// A pager with a costly pattern is left open. It has no place, but most of the memory for
/// searches. Another grep with such a pattern has no room beside it, and gets the memory: the pager
/// ends.
#[test]
fn a_pager_with_a_costly_pattern_gives_its_memory_to_others() {
    let fleet = Fleet::start_with(2, |daemon| {
        offer_lines(daemon);
        daemon.settings.limits = vec!["search_memory = \"160MiB\""];
    });
    let costly = r"needle|\w{100}[qz]$";
    let mut pager = fleet[1].memberctl(&["grep", "-E", costly, "big.txt"]);
    let pager = pager.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut pager = Running::start(pager);
    wait_until_set_aside(&fleet[1], 1);
    wait_until_set_aside(&fleet[2], 1);
    wait_until("a costly grep finds memory", SOON, || {
        let output = fleet[2].ctl(&["grep", "-c", "-E", costly, "big.txt"]);
        holds(output.status.code() == Some(0), || format!("{output:?}"))
    });
    memberd_tests::process::collect(pager.child().stdout.take().unwrap()).join().unwrap();
    let mut said = String::new();
    pager.child().stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(pager.wait(SOON).code(), Some(3), "{said}");
    assert!(said.contains("others waited for its place there, or its memory"), "{said}");
}

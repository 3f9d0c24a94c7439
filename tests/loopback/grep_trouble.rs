//! Greps of members that die, hang, or find more than anybody reads.

use memberd_tests::proc::{has_open, peak_kib};
use memberd_tests::process::{Running, collect};
use memberd_tests::settings::PATIENT;
use memberd_tests::wait::{SOON, holds, stretched};
use memberd_tests::{Daemon, Fleet, wait_until};
use nix::sys::signal::Signal;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{ChildStdout, Stdio};
use std::time::{Duration, Instant};

/// By how many KiB a search may raise the memory of memberd or of memberctl.
const GROWTH_KIB: u64 = 64 * 1024;

/// By how many KiB ten greps at once may raise memberd's memory, so that it stays below 64 MiB. At
/// rest an optimised memberd has at most 8, as its own test says. Pages of the program that are
/// read meanwhile count as well, and there are more without optimisation.
const TEN_GREPS_KIB: u64 = (64 - 8) * 1024;

/// The time after which a member that hangs is given up.
const GIVEN_UP: Duration = Duration::from_secs(10);

/// The other members answer at least this long before one that hangs is given up.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The processor time that all members together may use after their search was cancelled, in clock
/// ticks: a second. Unlike the time until they end, it does not depend on what else runs.
const CANCELLED_TICKS: u64 = 100;

const BIG: &str = "big.txt";

/// Exposes a file with this many lines of 100 bytes, all of which match `needle`.
fn offer_big(daemon: &mut Daemon, lines: usize) {
    // Copies would hold it open.
    daemon.settings.logs.push("copies = 0".to_owned());
    let line = format!("needle {:>92}\n", daemon.name());
    let block = line.repeat(1_000);
    let mut file = daemon.offer(BIG);
    for _ in 0..lines / 1_000 {
        file.write_all(block.as_bytes()).unwrap();
    }
}

fn big(daemon: &Daemon) -> PathBuf {
    daemon.directory().join(BIG)
}

/// A memberctl whose standard output nobody reads yet.
fn grep(fleet: &Fleet, options: &[&str]) -> (Running, BufReader<ChildStdout>) {
    let mut command = fleet[1].memberctl(&[&["grep"], options].concat());
    let mut running =
        Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let stdout = running.child().stdout.take().unwrap();
    (running, BufReader::new(stdout))
}

fn wait_until_all_search(fleet: &Fleet) {
    wait_until("every member is in the middle of its search", SOON, || {
        let idle: Vec<&str> = fleet
            .running()
            .filter(|daemon| !has_open(daemon.pid(), &big(daemon)))
            .map(Daemon::name)
            .collect();
        holds(idle.is_empty(), || format!("{idle:?} are not"))
    });
}

fn wait_until_none_searches(fleet: &Fleet) {
    wait_until("no member searches any more", SOON, || {
        let busy: Vec<&str> = fleet
            .running()
            .filter(|daemon| has_open(daemon.pid(), &big(daemon)))
            .map(Daemon::name)
            .collect();
        holds(busy.is_empty(), || format!("{busy:?} do"))
    });
}

/// The status is 3, and the output of the other members is complete.
#[test]
fn a_member_that_dies_in_mid_search_is_named() {
    let lines = 200_000;
    let mut fleet = Fleet::start_with(4, |daemon| offer_big(daemon, lines));
    let (mut memberctl, stdout) = grep(&fleet, &["needle", BIG]);
    // Nobody reads, so no grep can end.
    wait_until_all_search(&fleet);
    fleet[3].kill();
    let stderr = collect(memberctl.child().stderr.take().unwrap());
    let mut found = [0; 5];
    for line in stdout.lines() {
        let line = line.unwrap();
        let number: usize =
            line.strip_prefix("vm").unwrap().split(':').next().unwrap().parse().unwrap();
        found[number] += 1;
    }
    assert_eq!([found[1], found[2], found[4]], [lines; 3]);
    assert!(found[3] < lines, "it died before it was done");
    assert_eq!(memberctl.wait(SOON).code(), Some(3));
    let said = String::from_utf8(stderr.join().unwrap()).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("vm3"), "{said}");
}

/// The output of the other members comes at once.
#[test]
fn a_member_that_hangs_is_named_within_a_bound() {
    let fleet = Fleet::start_with(4, |daemon| {
        offer_big(daemon, 1_000);
        daemon.settings.group = vec![PATIENT];
    });
    fleet[4].signal(Signal::SIGSTOP);
    let start = Instant::now();
    let (mut memberctl, stdout) = grep(&fleet, &["-c", "needle", BIG]);
    let mut counts: Vec<(String, Duration)> =
        stdout.lines().map(|line| (line.unwrap(), start.elapsed())).collect();
    let status = memberctl.wait(GIVEN_UP);
    let given_up = start.elapsed();
    assert!(given_up <= stretched(GIVEN_UP), "vm4 was given up after {given_up:?} only");
    fleet[4].signal(Signal::SIGCONT);
    counts.sort();
    assert_eq!(counts.len(), 3, "{counts:?}");
    for ((line, after), name) in counts.iter().zip(["vm1:", "vm2:", "vm3:"]) {
        assert!(line.starts_with(name) && line.ends_with(":1000"), "{line}");
        assert!(*after + AT_ONCE <= given_up, "{line} came after {after:?} of {given_up:?}");
    }
    assert_eq!(status.code(), Some(3));
    let mut said = String::new();
    memberctl.child().stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.lines().count() == 1 && said.contains("vm4"), "{said}");
}

/// It costs no member its place either.
#[test]
fn a_slow_reader_of_100_mb_of_matches_costs_no_memory() {
    let lines = 250_000;
    let fleet = Fleet::start_with(4, |daemon| offer_big(daemon, lines));
    let mut followers = fleet.follow();
    let peaks: Vec<u64> = fleet.daemons().iter().map(|daemon| peak_kib(daemon.pid())).collect();
    let (mut memberctl, mut stdout) = grep(&fleet, &["needle", BIG]);
    wait_until_all_search(&fleet);
    let at_first = peak_kib(memberctl.pid());
    // Nobody reads for longer than any time limit between members.
    fleet.assert_quiet_for(&mut followers, Duration::from_secs(7), &[]);
    wait_until_all_search(&fleet);
    let expected = 100_000_000;
    let (mut taken, mut buffer) = (0, vec![0; 64 * 1024]);
    let mut ctl_peak = at_first;
    loop {
        let count = stdout.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        taken += count;
        if taken <= expected {
            // The memory of a process that has ended is unknown, even if its last output is still
            // in the pipe.
            ctl_peak = ctl_peak.max(peak_kib(memberctl.pid()));
        }
    }
    assert!(taken > expected, "{taken} bytes came");
    assert_eq!(memberctl.wait(SOON).code(), Some(0));
    assert!(ctl_peak - at_first <= GROWTH_KIB, "memberctl grew by {} KiB", ctl_peak - at_first);
    for (daemon, before) in fleet.daemons().iter().zip(peaks) {
        let growth = peak_kib(daemon.pid()) - before;
        assert!(growth <= GROWTH_KIB, "{} grew by {growth} KiB", daemon.name());
    }
    followers.assert_none_failed_but(&[]);
}

/// memberctl passes lines on unread where standard output is a pipe.
#[test]
fn lines_are_the_same_in_a_pipe_and_in_a_file() {
    let lines = 20_000;
    let fleet = Fleet::start_with(2, |daemon| offer_big(daemon, lines));
    let (mut memberctl, stdout) = grep(&fleet, &["needle", BIG]);
    let mut piped: Vec<String> = stdout.lines().map(Result::unwrap).collect();
    assert_eq!(memberctl.wait(SOON).code(), Some(0));
    let path = fleet[1].directory().join("output");
    let status = fleet[1]
        .memberctl(&["grep", "needle", BIG])
        .stdout(File::create(&path).unwrap())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    let text = fs::read_to_string(path).unwrap();
    let mut filed: Vec<&str> = text.lines().collect();
    // Members come in any order.
    piped.sort();
    filed.sort_unstable();
    assert!(piped == filed, "{} lines and {}", piped.len(), filed.len());
    assert_eq!(filed.len(), 2 * lines);
}

/// Only the member that has the line holds it in memory.
#[test]
fn a_line_of_100_mb_is_counted_and_printed_to_the_byte() {
    let (length, blocks) = (100_000_000, 10_000);
    let needle = "needle at the end";
    let fleet = Fleet::start_with(2, |daemon| {
        if daemon.name() == "vm2" {
            let mut file = daemon.offer(BIG);
            for number in 0..blocks {
                file.write_all(format!("{number:09999} ").as_bytes()).unwrap();
            }
            writeln!(file, "{needle}").unwrap();
            let mut shorter = daemon.offer("shorter.txt");
            shorter.write_all(&vec![b'x'; 10_000_000]).unwrap();
            writeln!(shorter, "{needle}").unwrap();
        }
    });
    let counted = fleet[1].ctl(&["grep", "-h", "-c", "needle", BIG]);
    assert_eq!(
        (counted.stdout.as_slice(), counted.status.code()),
        (b"1\n".as_slice(), Some(0)),
        "{counted:?}"
    );
    let (mut memberctl, mut stdout) = grep(&fleet, &["-h", "needle", BIG]);
    let mut block = vec![0; 10_000];
    for number in 0..blocks {
        stdout.read_exact(&mut block).unwrap();
        assert!(block == format!("{number:09999} ").as_bytes(), "block {number} is another");
        if number == blocks / 2 {
            let peak = peak_kib(memberctl.pid());
            assert!(peak < 32 * 1024, "memberctl has taken {peak} KiB");
        }
    }
    let mut end = String::new();
    stdout.read_to_string(&mut end).unwrap();
    assert_eq!(end, format!("{needle}\n"));
    assert_eq!(memberctl.wait(SOON).code(), Some(0));
    // Several searches that find such a line wait for each other. On a slow machine the longest
    // lines would take longer than they wait.
    let arguments = ["-h", "-c", "needle", "shorter.txt"];
    let counting: Vec<_> = (0..3).map(|_| grep(&fleet, &arguments)).collect();
    for (mut memberctl, mut stdout) in counting {
        let mut count = String::new();
        stdout.read_to_string(&mut count).unwrap();
        assert_eq!((count.as_str(), memberctl.wait(SOON).code()), ("1\n", Some(0)));
    }
    // The daemon that searches holds the line, and for a moment the shorter copy that it grew from.
    // A daemon that passes it on holds frames of it.
    let (asking, searching) = (peak_kib(fleet[1].pid()), peak_kib(fleet[2].pid()));
    assert!(asking < 64 * 1024, "the member that asks has taken {asking} KiB");
    assert!(searching < 2 * length / 1024, "the member that searches has taken {searching} KiB");
}

/// Ten greps of ten members leave memberd below 64 MiB and each memberctl below 32 MiB.
#[test]
fn ten_greps_whose_readers_wait_stay_within_bounds() {
    let lines = 50_000;
    let fleet = Fleet::start_with(10, |daemon| offer_big(daemon, lines));
    let before: Vec<u64> = fleet.daemons().iter().map(|daemon| peak_kib(daemon.pid())).collect();
    let mut greps: Vec<_> = (0..10).map(|_| grep(&fleet, &["needle", BIG])).collect();
    for (_, stdout) in &mut greps {
        // A grep that prints has begun, and cannot end while the rest is not read.
        assert!(!stdout.fill_buf().unwrap().is_empty());
    }
    // While one is read, all others wait for long enough to fill every buffer.
    for (memberctl, stdout) in &mut greps {
        let part = 10_000_000;
        assert_eq!(std::io::copy(&mut stdout.take(part), &mut std::io::sink()).unwrap(), part);
        let peak = peak_kib(memberctl.pid());
        assert!(peak < 32 * 1024, "memberctl has taken {peak} KiB");
    }
    for (daemon, before) in fleet.daemons().iter().zip(before) {
        let growth = peak_kib(daemon.pid()) - before;
        assert!(growth <= TEN_GREPS_KIB, "{} grew by {growth} KiB", daemon.name());
    }
    let (mut memberctl, stdout) = greps.remove(0);
    drop(greps);
    let left = stdout.lines().map_while(Result::ok).count();
    assert!((10 * lines / 2..10 * lines).contains(&left), "{left} lines came");
    assert_eq!(memberctl.wait(SOON).code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_stops_the_search_on_every_member() {
    let fleet = Fleet::start_with(4, |daemon| offer_big(daemon, 200_000));
    let (mut memberctl, mut stdout) = grep(&fleet, &["needle", BIG]);
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("needle"), "{line}");
    wait_until_all_search(&fleet);
    drop(stdout);
    assert_eq!(memberctl.wait(SOON).code(), Some(0), "a broken pipe is success");
    wait_until_none_searches(&fleet);
}

#[test]
fn an_interrupt_stops_the_search_on_every_member() {
    let fleet = Fleet::start_with(4, |daemon| offer_big(daemon, 200_000));
    let (mut memberctl, _stdout) = grep(&fleet, &["needle", BIG]);
    wait_until_all_search(&fleet);
    memberctl.signal(Signal::SIGINT);
    memberctl.wait(SOON);
    wait_until_none_searches(&fleet);
}

#[test]
fn an_interrupt_stops_a_search_that_finds_nothing() {
    // One file under a thousand names: 10 GB to search that need no room on the disk.
    let fleet = Fleet::start_with(2, |daemon| {
        offer_big(daemon, 100_000);
        for copy in 0..1_000 {
            fs::hard_link(big(daemon), daemon.directory().join(format!("copy-{copy:03}.txt")))
                .unwrap();
        }
        daemon.settings.files.push(daemon.directory().join("copy-*.txt").display().to_string());
    });
    let (mut memberctl, _stdout) = grep(&fleet, &["-c", "-i", "[a-e]\\{3\\}found nowhere"]);
    let searching = |daemon: &Daemon| {
        let open = memberd_tests::proc::open_files(daemon.pid());
        open.iter().any(|path| {
            path.starts_with(daemon.directory())
                && path.extension().is_some_and(|kind| kind == "txt")
        })
    };
    wait_until("every member searches", SOON, || {
        holds(fleet.daemons().iter().all(searching), || "one does not".to_owned())
    });
    memberctl.signal(Signal::SIGINT);
    memberctl.wait(SOON);
    let ticks = |fleet: &Fleet| -> u64 {
        fleet.daemons().iter().map(|daemon| memberd_tests::proc::cpu_ticks(daemon.pid())).sum()
    };
    let cancelled = ticks(&fleet);
    wait_until("no member searches any more", SOON, || {
        // Between two files none is open, but the processor time still grows.
        let before = ticks(&fleet);
        let open = (0..20).any(|_| fleet.daemons().iter().any(searching));
        holds(!open && ticks(&fleet) - before <= 1, || "one does".to_owned())
    });
    let used = ticks(&fleet) - cancelled;
    assert!(used <= CANCELLED_TICKS, "they went on for {used} ticks");
}

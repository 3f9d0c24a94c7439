//! `memberctl run` on fleets of real daemons: a command runs on one machine at a time, whatever
//! becomes of its daemon.

use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Fleet, wait_until};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

/// The commands under `run --leader`, one on each machine. All write into one file, again and
/// again: who they are, their token, and the time. All daemons of a fleet are on one machine, so
/// there is one clock: /proc/uptime, which is `CLOCK_BOOTTIME`.
struct Jobs {
    directory: tempfile::TempDir,
    children: Vec<Child>,
}

impl Jobs {
    fn new() -> Jobs {
        Jobs { directory: tempfile::tempdir().unwrap(), children: Vec::new() }
    }

    fn file(&self) -> std::path::PathBuf {
        self.directory.path().join("times")
    }

    fn start(&mut self, fleet: &Fleet, number: usize) {
        let script = format!(
            "while read up rest </proc/uptime; do echo {number} $MEMBERD_TERM $up >>{}; \
             sleep 0.01; done",
            self.file().display()
        );
        let mut command = fleet[number].memberctl(&["run", "--leader", "--", "sh", "-c", &script]);
        self.children.push(command.stderr(Stdio::null()).spawn().unwrap());
    }

    /// The machine and token of the newest line.
    fn newest(&self) -> Option<(usize, u64)> {
        spans(&self.file()).last().map(|span| (span.number, span.term))
    }

    /// Waits until the command runs under a larger token, and returns the machine and the token.
    fn wait_until_after(&self, term: u64) -> (usize, u64) {
        wait_until("the command runs under a larger token", SOON, || {
            let newest = self.newest();
            newest.filter(|newest| newest.1 > term).ok_or_else(|| format!("{newest:?}"))
        })
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The time in which a command has run, in hundredths of a second.
#[derive(Debug, Clone, Copy)]
struct Span {
    number: usize,
    term: u64,
    from: u64,
    to: u64,
}

/// The spans of all that have run, by their beginnings.
fn spans(file: &Path) -> Vec<Span> {
    let mut spans: BTreeMap<(usize, u64), Span> = BTreeMap::new();
    let text = fs::read_to_string(file).unwrap_or_default();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [number, term, time] = fields.as_slice() else { continue };
        let Ok(time) = time.replace('.', "").parse() else { continue };
        let (number, term) = (number.parse().unwrap(), term.parse().unwrap());
        let span =
            spans.entry((number, term)).or_insert(Span { number, term, from: time, to: time });
        span.to = span.to.max(time);
        span.from = span.from.min(time);
    }
    let mut spans: Vec<Span> = spans.into_values().collect();
    spans.sort_by_key(|span| span.from);
    spans
}

/// Asserts that no two have run at the same time, and that the token has grown.
fn assert_one_at_a_time(file: &Path) {
    let spans = spans(file);
    for pair in spans.windows(2) {
        let [before, after] = pair else { unreachable!() };
        assert!(before.to <= after.from, "they overlap: {before:?} {after:?} in {spans:?}");
        assert!(before.term < after.term, "the token has not grown: {before:?} {after:?}");
    }
}

/// The leader is crashed, stopped for longer than its lease, and asked to hand over.
#[test]
fn a_command_runs_on_one_machine_at_a_time() {
    let mut fleet = Fleet::agree(5);
    let mut jobs = Jobs::new();
    (1..=5).for_each(|number| jobs.start(&fleet, number));
    let (leader, term) = jobs.wait_until_after(0);
    assert_eq!((leader, term), fleet.led_by());

    fleet[leader].kill();
    let (next, term) = jobs.wait_until_after(term);
    fleet.restart(&[leader]);

    fleet[next].signal(Signal::SIGSTOP);
    let (third, term) = jobs.wait_until_after(term);
    fleet[next].signal(Signal::SIGCONT);
    fleet.wait_until_agreed();
    // Its command ended with its daemon, and it may be the next to lead.
    jobs.start(&fleet, leader);

    let handed = fleet[third].control().hand_over(None).unwrap();
    let (fourth, term) = jobs.wait_until_after(term);
    assert_eq!(handed.leader, Some(format!("vm{fourth}")), "{term}");
    assert_eq!(spans(&jobs.file()).len(), 4);
    assert_one_at_a_time(&jobs.file());
}

/// A hand-over waits for the command, and not for the rest of the lease.
#[test]
fn a_hand_over_lets_the_command_end_first() {
    let fleet = Fleet::agree(3);
    let (leader, term) = fleet.led_by();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("said");
    let script = format!(
        "trap 'echo ended >>{0}; exit 0' TERM; echo begun >>{0}; while :; do sleep 0.01; done",
        file.display()
    );
    let run = ["run", "--leader", "--", "sh", "-c", &script];
    let mut child = fleet[leader].memberctl(&run).stderr(Stdio::null()).spawn().unwrap();
    let said = || fs::read_to_string(&file).unwrap_or_default();
    wait_until("the command runs", SOON, || holds(said() == "begun\n", said));
    let after = fleet[leader].control().hand_over(None).unwrap();
    assert!(after.term > term);
    assert_eq!(said(), "begun\nended\n");
    assert_eq!(child.wait().unwrap().code(), Some(125));
}

#[test]
fn one_of_all_that_ask_at_once_gets_the_key() {
    let fleet = Fleet::agree(5);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ran");
    let ran = || fs::read_to_string(&file).unwrap_or_default().lines().count();
    for key in ["backup-1", "backup-2"] {
        let before = ran();
        let script = format!("echo $MEMBERD_TERM >>{}", file.display());
        let asking: Vec<Child> = (1..=5)
            .map(|number| {
                let run = ["run", "--once", key, "--", "sh", "-c", &script];
                fleet[number].memberctl(&run).spawn().unwrap()
            })
            .collect();
        for mut child in asking {
            assert_eq!(child.wait().unwrap().code(), Some(0));
        }
        assert_eq!(ran() - before, 1, "{key}");
        // Who asks later, on any machine, does not run it again.
        let late = fleet[2].ctl(&["run", "--once", key, "--", "sh", "-c", &script]);
        assert!(late.status.success());
        assert_eq!(ran() - before, 1, "{key}");
    }
}

/// Only with --retry, and only when the claimant is not a member any more.
#[test]
fn a_key_of_a_crashed_machine_can_be_claimed_again() {
    let mut fleet = Fleet::agree(5);
    let (leader, _) = fleet.led_by();
    let claimant = leader % 5 + 1;
    let asker = claimant % 5 + 1;
    let asker = if asker == leader { asker % 5 + 1 } else { asker };
    let ran = |fleet: &Fleet, number: usize, retry: bool| {
        let mut run = vec!["run", "--once", "backup"];
        run.extend(retry.then_some("--retry"));
        run.extend(["--", "echo", "ran"]);
        let output = fleet[number].ctl(&run);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap() == "ran\n"
    };
    assert!(ran(&fleet, claimant, false));
    assert!(!ran(&fleet, asker, true), "its claimant is a member");
    fleet.crash(&[claimant]);
    fleet.wait_until_agreed();
    assert!(!ran(&fleet, asker, false));
    assert!(ran(&fleet, asker, true));
    assert!(!ran(&fleet, leader, true));
}

/// The lost are named, their machines are down, and the others go on.
#[test]
fn a_council_without_a_majority_is_recovered() {
    let mut fleet = Fleet::agree(5);
    let before = fleet.wait_until_agreed().record;
    fleet.crash(&[3, 4, 5]);
    let stderr = |arguments: &[&str]| {
        let output = fleet[1].ctl(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), text)
    };
    wait_until("it is stale", SOON, || {
        let view = fleet[1].control().confirmed_view().map_err(|error| error.to_string())?;
        holds(view.record.stale, || format!("{view:?}"))
    });
    let (status, said) = stderr(&["view", "recover", "--lost", "vm3,vm4"]);
    assert!(status == Some(1) && said.contains("vm5"), "{said}");
    let (status, said) = stderr(&["view", "recover", "--lost", "vm2,vm3,vm4,vm5"]);
    assert!(status == Some(1) && said.contains("vm2 answered"), "{said}");
    let planned = fleet[1].ctl(&["view", "recover", "--lost", "vm3,vm4,vm5", "--dry-run"]);
    let planned = String::from_utf8(planned.stdout).unwrap();
    assert!(planned.contains("with the council vm1, vm2\ngive up:\n  vm3, "), "{planned}");
    assert!(planned.ends_with("nothing was done\n"), "{planned}");
    let recovered = fleet[1].ctl(&["view", "recover", "--lost", "vm3,vm4,vm5"]);
    assert!(recovered.status.success(), "{recovered:?}");
    let after = fleet.wait_until_agreed().record;
    assert!(after.term >= before.term + (1 << 20), "{after:?}");
    assert_eq!(after.council, ["vm1", "vm2"]);
}

#[test]
fn view_and_leader_say_what_the_fleet_agrees_on() {
    let fleet = Fleet::agree(3);
    let (leader, term) = fleet.led_by();
    let view = fleet.wait_until_agreed();
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = fleet[leader].ctl(arguments);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let shown = json(&["view", "--json"]);
    assert_eq!((&shown["number"], &shown["term"]), (&view.record.number.into(), &term.into()));
    assert_eq!(shown["leader"], format!("vm{leader}"));
    assert_eq!(shown["members"].as_array().unwrap().len(), 3);
    assert_eq!(shown["stale"], false);
    let shown = json(&["leader", "--json"]);
    assert_eq!((&shown["exclusive"], &shown["here"]), (&true.into(), &true.into()));
    let wait = view.record.number.to_string();
    assert!(fleet[leader].ctl(&["view", "--wait", &wait]).status.success());
    let next = (view.record.number + 1).to_string();
    let in_vain = fleet[leader].ctl(&["view", "--wait", &next, "--timeout", "100ms"]);
    assert_eq!(in_vain.status.code(), Some(124));
    let token = fleet[leader].ctl(&["leader", "--check", "--for", "1s"]);
    assert_eq!(String::from_utf8(token.stdout).unwrap(), format!("{term}\n"));
    let history = String::from_utf8(fleet[leader].ctl(&["view", "--history"]).stdout).unwrap();
    let last = format!("view {} of term {term}, led by vm{leader}: ", view.record.number);
    assert!(history.lines().next_back().unwrap().contains(&last), "{history}");
}

/// The leader crashes. Its successor's events say so in the words of the log, with JSON beside.
#[test]
fn events_and_top_show_what_the_fleet_agrees_on() {
    let mut fleet = Fleet::agree(3);
    let (leader, _) = fleet.led_by();
    fleet.crash(&[leader]);
    let (next, term) = led_without(&fleet, leader);
    let past = |arguments: &[&str]| {
        let events = ["events", "--since", "1h", "--until", "now"];
        let output = fleet[next].ctl(&[&events, arguments].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = past(&[]);
    for words in [
        format!("  leader elected: vm{next}, term {term}\n"),
        format!(", term {term}, led by vm{next}; removed vm{leader}; 2 members\n"),
        format!("  operation pending: delete vm{leader}"),
        "  operation finished: ".to_owned(),
        format!("  vm{leader} failed, noticed by "),
    ] {
        assert!(text.contains(&words), "{words}: {text}");
    }
    let times: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(times.len() > 5 && times.is_sorted(), "{text}");
    let is_elected = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["change"] == "elected" && event["term"] == term && event["event"] == "leader"
    };
    assert!(past(&["--json"]).lines().any(is_elected));

    let shown = |arguments: &[&str]| String::from_utf8(fleet[next].ctl(arguments).stdout).unwrap();
    let top = shown(&["top", "--once"]);
    let summary = format!(" of term {term}, led by vm{next}");
    assert!(top.contains(&format!("[vm{next}]*^")) && top.contains(&summary), "{top}");
    let status = shown(&["status"]);
    assert!(status.contains("\n  view        ") && status.contains(&summary), "{status}");
}

/// Who leads a view without this member in the end, and in which term.
fn led_without(fleet: &Fleet, gone: usize) -> (usize, u64) {
    let gone = format!("vm{gone}");
    wait_until("another one leads, and the view is without it", SOON, || {
        let leader = fleet.exclusive().first().copied().ok_or("nobody leads")?;
        let view = fleet[leader].control().view().map_err(|error| error.to_string())?;
        holds(!view.members.contains(&gone), || format!("{view:?}"))?;
        Ok((leader, view.record.term))
    })
}

/// Without a majority the view is stale, and the one that is left says so everywhere.
#[test]
fn events_and_top_say_when_the_view_is_stale() {
    let mut fleet = Fleet::agree(3);
    let (leader, _) = fleet.led_by();
    let others: Vec<usize> =
        fleet.running_numbers().into_iter().filter(|number| *number != leader).collect();
    fleet.crash(&others);
    wait_until("top says that the view is stale", SOON, || {
        let text = String::from_utf8(fleet[leader].ctl(&["top", "--once"]).stdout).unwrap();
        let stale = text.contains(", stale for ") && !text.contains("]*^");
        holds(stale && text.contains("view is stale, number "), || text)
    });
    let past = fleet[leader].ctl(&["events", "--since", "1h", "--until", "now"]);
    let past = String::from_utf8(past.stdout).unwrap();
    let lost = past.contains("  leadership lost, term ");
    assert!(lost && past.contains("no majority of the council answers\n"), "{past}");
}

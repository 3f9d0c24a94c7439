//! Greps over what members keep of the logs of a member that failed.

use memberd_copies::block::{Block, BlockHead};
use memberd_copies::store::{Limits, Store};
use memberd_copies::stream::{Fingerprint, StreamHead, StreamId};
use memberd_membership::Name;
use memberd_search::LineSpans;
use memberd_tests::wait::{SOON, holds, stretched};
use memberd_tests::{Daemon, Fleet, wait_until};
use std::io::Write as _;
use std::process::Output;
use std::time::SystemTime;

/// The file of vm4 that others keep.
const LOG: &str = "/srv/shop.log";

/// The lines that vm4 wrote, one of them with a needle.
fn lines(count: usize) -> String {
    (1..=count).map(|n| format!("line {n}{}\n", if n == 3 { " needle" } else { "" })).collect()
}

/// Has this member keep lines of vm4 that were read a while before or after now.
fn keep(daemon: &Daemon, count: usize, read_after_ms: i64) {
    let mut store =
        Store::open(&daemon.settings.state_dir.join("copies"), Limits::default()).unwrap();
    let source = Name::new("vm4").unwrap();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let now = i64::try_from(now).unwrap();
    let text = lines(count);
    for (inode, path, offered) in [(1, LOG, true), (2, "/srv/secret.log", false)] {
        let id = StreamId { device: 1, inode, begun_ms: 1 };
        let head = StreamHead {
            id,
            fingerprint: Fingerprint::of(text.as_bytes()),
            path: path.into(),
            origin: path.into(),
            listed: true,
            offered,
            modified_ms: now,
            zone: String::new(),
            lost_bytes: 0,
            continues: None,
        };
        store.head(&source, head).unwrap();
        let head = BlockHead {
            stream: id,
            offset: 0,
            text_bytes: u32::try_from(text.len()).unwrap(),
            hash: *blake3::hash(text.as_bytes()).as_bytes(),
            read_ms: u64::try_from(now + read_after_ms).unwrap(),
        };
        let frame = zstd::encode_all(text.as_bytes(), 1).unwrap();
        store.append(&source, &Block { head, frame }).unwrap();
    }
    store.sync().unwrap();
    store.seal_all(&mut LineSpans::default()).unwrap();
}

/// All but vm4 keep what others send. vm4 sends nothing beside what is kept of it here.
fn prepare(daemon: &mut Daemon) {
    std::fs::create_dir_all(&daemon.settings.state_dir).unwrap();
    if daemon.name() != "vm4" {
        daemon.settings.logs.push("copies = 2".to_owned());
    }
}

/// A fleet in which vm2 and vm3 keep logs of vm4, vm3 the more of them. vm4 has failed.
fn fleet() -> Fleet {
    let mut fleet = Fleet::start_with(4, |daemon| {
        writeln!(daemon.offer("app.log"), "needle in {}", daemon.name()).unwrap();
        prepare(daemon);
        match daemon.name() {
            "vm2" => keep(daemon, 5, 3_600_000),
            "vm3" => keep(daemon, 6, 3_600_001),
            _ => {}
        }
    });
    fail(&mut fleet, 4);
    fleet
}

/// Kills a member, and waits until vm1 knows it.
fn fail(fleet: &mut Fleet, number: usize) {
    fleet[number].kill();
    fleet[1].wait_until_logged(&format!("member failed name=vm{number} "));
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The line about a failed member does not depend on when it failed.
fn told(output: &Output) -> String {
    let text = stderr(output);
    let Some((head, rest)) = text.split_once(" failed ") else { return text };
    format!("{head} failed{}", rest.split_once(':').unwrap().1)
}

#[test]
fn exactly_one_copy_of_a_failed_members_logs_is_searched() {
    let mut fleet = fleet();
    let found = fleet[1].ctl(&["grep", "-n", "-h", "needle"]);
    assert_eq!(stdout(&found).matches("3:line 3 needle").count(), 1, "{found:?}");
    let kept = "its logs as vm3 keeps them, until it was last heard";
    assert_eq!(told(&found), format!("memberctl: vm4 failed {kept}\n"));
    assert_eq!(found.status.code(), Some(0));
    for (options, printed) in [
        (&["needle"][..], "vm4:/srv/shop.log:line 3 needle\n"),
        (&["-c", "line"], "vm4:/srv/shop.log:6\n"),
        (&["-l", "line"], "vm4:/srv/shop.log\n"),
        (
            &["-B1", "-b", "needle"],
            "vm4:/srv/shop.log-7-line 2\nvm4:/srv/shop.log:14:line 3 needle\n",
        ),
        (&["--merge", "line 6"], "vm4:/srv/shop.log:line 6\n"),
        (&["needle", LOG], "vm4:/srv/shop.log:line 3 needle\n"),
        (&["--rotated", "needle"], "vm4:/srv/shop.log:line 3 needle\n"),
    ] {
        let output = fleet[1].ctl(&[&["grep", "--on=vm4"], options].concat());
        assert_eq!(stdout(&output), printed, "{options:?}: {output:?}");
        assert_eq!(output.status.code(), Some(0), "{options:?}: {output:?}");
    }
    let printed = fleet[1].ctl(&["grep", "needle", "vm4:/srv/shop.log"]);
    assert_eq!(stdout(&printed), "vm4:/srv/shop.log:line 3 needle\n", "{printed:?}");
    // Its keeper has it itself.
    let own = fleet[3].ctl(&["grep", "--on=vm4", "needle"]);
    assert_eq!(stdout(&own), "vm4:/srv/shop.log:line 3 needle\n", "{own:?}");
    let without = fleet[1].ctl(&["grep", "--no-copies", "-c", "line", LOG]);
    assert_eq!(
        told(&without).lines().next(),
        Some("memberctl: vm4 failed its logs are not searched")
    );
    assert_eq!(stdout(&without), "");
    let json = stdout(&fleet[1].ctl(&["grep", "--json", "--on=vm4", "needle"]));
    let [line, totals] = json.lines().collect::<Vec<_>>().try_into().unwrap();
    assert!(line.contains("\"member\":\"vm4\",\"file\":\"/srv/shop.log\",\"line\":3,"), "{line}");
    assert!(
        totals.contains("\"answered\":true") && totals.contains("\"keeper\":\"vm3\""),
        "{totals}"
    );
    // Another copy answers when the first keeper is gone, too.
    fail(&mut fleet, 3);
    let output = fleet[1].ctl(&["grep", "--on=vm4", "-c", "line"]);
    assert_eq!(stdout(&output), "vm4:/srv/shop.log:5\n", "{output:?}");
    assert!(told(&output).contains("as vm2 keeps them"), "{output:?}");
}

/// What is missing at the end is told, and gives status 2.
#[test]
fn a_copy_that_ends_early_is_an_error() {
    let mut fleet = Fleet::start_with(4, |daemon| {
        prepare(daemon);
        if daemon.name() == "vm2" {
            keep(daemon, 5, -60_000);
        }
    });
    fail(&mut fleet, 4);
    let output = fleet[1].ctl(&["grep", "--on=vm4", "needle"]);
    assert_eq!(stdout(&output), "vm4:/srv/shop.log:line 3 needle\n");
    assert!(
        told(&output).contains("its logs as vm2 keeps them, until 1 min before it was last heard")
    );
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// What a member sent until it was killed is found, as if it were there.
#[test]
fn the_lines_of_a_killed_member_are_found() {
    let mut fleet = Fleet::start_with(4, |daemon| {
        daemon.settings.logs.push("copies = 2".to_owned());
        let mut log = daemon.offer("shop.log");
        (0..1_000).for_each(|n| writeln!(log, "order {n} was paid").unwrap());
    });
    let log = fleet[2].directory().join("shop.log");
    let written = std::fs::read(&log).unwrap();
    wait_until("two members keep the log", stretched(SOON), || {
        let kept = (1..=4).filter(|at| {
            let copies = fleet[*at].copies_of("vm2", &log).unwrap_or_default();
            copies.iter().any(|copy| copy.text == written)
        });
        let kept = kept.count();
        holds(kept == 2, || format!("{kept} keep it"))
    });
    let expected = stdout(&fleet[1].ctl(&["grep", "-n", "order 7", "--on=vm2", "shop.log"]));
    assert_eq!(expected.lines().count(), 111);
    fail(&mut fleet, 2);
    let found = fleet[1].ctl(&["grep", "-n", "order 7", "--on=vm2", "shop.log"]);
    assert_eq!(stdout(&found), expected, "{found:?}");
    assert!(told(&found).contains("its logs as vm"), "{found:?}");
    assert_eq!(found.status.code(), Some(0), "{found:?}");
}

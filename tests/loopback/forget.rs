//! `memberctl forget`: all members forget a machine that is gone, and it may come back.

use memberd_control::message::MemberStatus;
use memberd_control::socket::read_only;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Fleet, wait_until};
use std::process::Output;

fn words(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Waits until no daemon that runs lists this machine, up or gone.
fn wait_until_unlisted(fleet: &Fleet, name: &str) {
    wait_until("nobody lists it", SOON, || {
        for daemon in fleet.running() {
            let status = daemon.control().status_of(name).map_err(|error| error.to_string())?;
            holds(status.is_none(), || format!("{}: {status:?}", daemon.name()))?;
        }
        Ok(())
    });
}

#[test]
fn all_members_forget_a_failed_machine_that_may_come_back() {
    let mut fleet = Fleet::start(6);
    fleet.wait_until_remembered();
    let mut followers = fleet.follow();
    let crash = fleet.crash(&[4]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm4"]);
    let (status, said, complaints) = words(&fleet[1].ctl(&["forget", "vm4"]));
    assert_eq!(
        (status, said, complaints),
        (Some(0), format!("forgot {}\n", crash.id), String::new())
    );
    wait_until_unlisted(&fleet, "vm4");
    let line = format!("member forgotten name=vm4 id={}", crash.id);
    for daemon in fleet.running() {
        daemon.wait_until_logged(&line);
        assert!(daemon.log().text().contains("by=vm1"));
        let metrics = words(&daemon.ctl(&["metrics"])).1;
        for sample in [
            "memberd_members{state=\"failed\"} 0",
            "memberd_member_events_total{event=\"forgotten\"} 1",
        ] {
            assert!(metrics.contains(sample), "{sample}: {metrics}");
        }
        let events = words(&daemon.ctl(&["events", "--since", "1h", "--until", "now"])).1;
        assert!(events.contains(&format!("vm4 forgotten  ({})", crash.id)), "{events}");
    }
    let uid = nix::unistd::getuid();
    assert!(
        fleet[1].log().text().contains(&format!("forgets members as asked uid={uid} names=vm4"))
    );
    // A grep does not name it any more.
    assert_eq!(words(&fleet[2].ctl(&["grep", "-c", "xyzzy"])).2, "");

    // Neither a daemon that remembers it, nor its list, brings it back.
    fleet[3].kill();
    fleet.restart(&[3]);
    wait_until_unlisted(&fleet, "vm4");
    fleet.restart(&[4]);
    for daemon in fleet.running() {
        let status = daemon.control().status_of("vm4").unwrap();
        assert_eq!(status.map(|(status, _)| status), Some(MemberStatus::Alive));
    }
}

#[test]
fn only_the_gone_are_forgotten_and_only_by_the_group() {
    let mut fleet = Fleet::start(3);
    let (status, said, complaints) = words(&fleet[1].ctl(&["forget", "vm2"]));
    assert_eq!((status, said.as_str()), (Some(1), ""));
    assert!(complaints.contains("vm2 is alive") && complaints.contains("memberctl leave"));
    let (status, _, complaints) = words(&fleet[1].ctl(&["forget", "vm9"]));
    assert!(status == Some(1) && complaints.contains("vm9 is not in the list"), "{complaints}");
    let (status, said, _) = words(&fleet[1].ctl(&["forget", "--failed"]));
    assert_eq!((status, said.as_str()), (Some(0), "no member is listed that failed\n"));
    for wrong in
        [&["forget"][..], &["forget", "vm2", "--failed"], &["forget", "--left", "--failed"]]
    {
        assert_eq!(fleet[1].ctl(wrong).status.code(), Some(2), "{wrong:?}");
    }
    for (wrong, said) in [
        (&["forget", "vm[1-3]"][..], "no globs: name each machine, or give --failed or --left"),
        (&["forget"], "not provided: <NAME|--failed|--left>"),
    ] {
        let (status, _, complaints) = words(&fleet[1].ctl(wrong));
        assert!(status == Some(2) && complaints.contains(said), "{complaints}");
    }
    let full = fleet[1].settings.socket.clone();
    fleet[1].settings.socket = read_only(&full);
    let (status, _, complaints) = words(&fleet[1].ctl(&["forget", "--failed"]));
    fleet[1].settings.socket = full;
    assert!(status == Some(5) && complaints.contains("looking only"), "{complaints}");
    fleet[3].control().leave().unwrap();
    fleet[3].kill();
    wait_until("vm2 knows that vm3 has left", SOON, || {
        let status = fleet[2].control().status_of("vm3").map_err(|error| error.to_string())?;
        let has_left = matches!(status, Some((MemberStatus::Left, _)));
        holds(has_left, || format!("{status:?}"))
    });
    let (status, said, _) = words(&fleet[2].ctl(&["forget", "--left"]));
    assert!(status == Some(0) && said.starts_with("forgot vm3@"), "{said}");
    wait_until_unlisted(&fleet, "vm3");
}

//! Which members take part in a job, and for whom its windows wait.

use super::Counting;
use memberd_control::streams::StreamSpec;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;

/// Its lines count once it has jobs, those from before too.
#[test]
fn a_member_without_jobs_holds_no_window_back() {
    let mut counting = Counting::form_with(4, |daemon| {
        daemon.settings.jobs = daemon.name() != "vm4";
    });
    counting.begin(counting.spec());
    (0..5).for_each(|round| counting.write(round));
    counting.wait_until_right_but_of(4);
    let status = counting.status(1).unwrap();
    let sources: Vec<&str> = status.sources.iter().map(|it| it.member.as_str()).collect();
    assert_eq!(sources, ["vm1", "vm2", "vm3"]);
    let owners: Vec<_> = status.partitions.iter().map(|it| it.owner.as_deref()).collect();
    assert!(!owners.contains(&Some("vm4")), "{owners:?}");
    let vm4 = &mut counting.fleet.daemons_mut()[3];
    vm4.settings.jobs = true;
    counting.fleet.crash(&[4]);
    counting.fleet.restart(&[4]);
    counting.wait_until_sources(&["vm1", "vm2", "vm3", "vm4"]);
    counting.write(5);
    counting.wait_until_right();
}

/// Nothing is started anew for that.
#[test]
fn tags_that_change_by_a_reload_begin_and_end_a_part() {
    let mut counting = Counting::form_with(3, |daemon| {
        let role = if daemon.name() == "vm3" { "db" } else { "web" };
        daemon.settings.tags = vec![("role", role)];
    });
    let tags = vec![("role".to_owned(), "web".to_owned())];
    counting.begin(StreamSpec { tags, ..counting.spec() });
    counting.write(0);
    counting.wait_until_right_but_of(3);
    counting.wait_until_sources(&["vm1", "vm2"]);
    let tag = |counting: &mut Counting, number: usize, role| {
        let daemon = &mut counting.fleet.daemons_mut()[number - 1];
        daemon.settings.tags = vec![("role", role)];
        daemon.write_settings();
        daemon.reload();
    };
    tag(&mut counting, 3, "web");
    counting.wait_until_sources(&["vm1", "vm2", "vm3"]);
    counting.write(1);
    counting.wait_until_right();
    tag(&mut counting, 2, "db");
    counting.wait_until_sources(&["vm1", "vm3"]);
    counting.write(2);
    counting.wait_until_right_but_of(2);
}

#[test]
fn status_says_for_whom_windows_wait_and_why() {
    let mut counting = Counting::form(3);
    counting.begin(StreamSpec { waits_for_failed: true, ..counting.spec() });
    counting.write(0);
    counting.wait_until_right();
    counting.fleet.crash(&[3]);
    counting.write(1);
    wait_until("the status names who failed", SOON, || {
        let status = counting.run(1, "memberctl stream status shop")?;
        let says = status.contains(", held back by vm3: it has failed or left, and on_failed = ");
        holds(says, || status)
    });
    counting.fleet.restart(&[3]);
    counting.wait_until_right();
}

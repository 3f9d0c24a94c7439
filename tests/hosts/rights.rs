//! Who may do what: root, a member of the group, and nobody.

use crate::ALL;
use memberd_tests::hosts::outside::text;
use memberd_tests::hosts::{Host, Hosts};
use memberd_tests::wait::SOON;
use memberd_tests::wait_until;

fn lists_all(host: &Host, user: &str) {
    let output = host.try_run_as(user, &["memberctl", "list"]);
    let (stdout, stderr) = text(&output);
    for number in ALL {
        assert!(
            stdout.contains(&format!("vm{number} ")),
            "{user} on {}: {stdout}{stderr}",
            host.name()
        );
    }
}

/// The searches of each user are in the audit trail under the user's own name and number. The
/// service knows its clients apart. A search does not wait long for a name; the next one has it.
fn trail_names(host: &Host, users: &[&str]) {
    let number = host.name().trim_start_matches("vm");
    let path = format!("/var/log/memberd/searches.{number}.log");
    for user in users {
        let uid = host.run(&["id", "-u", user]);
        let named = format!("grep asked user={user} uid={} ", uid.trim());
        wait_until(&format!("{path} has {named:?}"), SOON, || {
            host.try_run_as(user, &["memberctl", "grep", "-q", "--on", host.name(), "starting"]);
            let (trail, said) = text(&host.try_run(&["cat", &path]));
            if trail.contains(&named) { Ok(()) } else { Err(format!("{trail}{said}")) }
        });
    }
}

pub(crate) fn everybody_lists_and_members_of_the_group_grep(hosts: &Hosts) {
    for host in hosts.all() {
        host.shell("useradd --groups memberd alice");
        for user in ["root", "alice"] {
            lists_all(host, user);
            let (found, said) =
                text(&host.try_run_as(user, &["memberctl", "grep", "-c", "memberd starting"]));
            for number in ALL {
                assert!(
                    found.contains(&format!("vm{number}:/var/log/memberd/machine.{number}.log:")),
                    "{user}: {found}{said}"
                );
            }
        }
        trail_names(host, &["root", "alice"]);
        lists_all(host, "nobody");
        for (words, status) in [
            (["memberctl", "grep", "x"].as_slice(), 2),
            (&["memberctl", "leave"], 5),
            (&["memberctl", "log", "debug"], 5),
        ] {
            let output = host.try_run_as("nobody", words);
            assert_eq!(output.status.code(), Some(status), "{output:?}");
            assert!(text(&output).1.contains("sudo usermod -aG memberd $USER"), "{output:?}");
        }
    }
}

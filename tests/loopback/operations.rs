//! The operations guide: every command in it works.

use memberd_tests::wait::SOON;
use memberd_tests::{Fleet, binaries, process, wait_until};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a command may take. The longest are those of the simulator.
const LIMIT: Duration = Duration::from_secs(170);

/// How the guide has the simulator run.
const SIMULATOR: &str = "cargo run --release -p memberd-membership --example simulate --";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The commands in the guide's `console` blocks.
fn commands(guide: &str) -> Vec<String> {
    let blocks = guide.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("$ "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_of_the_guide_works() {
    let guide = fs::read_to_string(repository().join("packaging/OPERATIONS.md")).unwrap();
    let commands = commands(&guide);
    assert!(commands.len() > 20, "{commands:?}");
    let mut fleet = Fleet::start_with_workers(4, |daemon| {
        daemon.settings.tags = vec![("role", "web"), ("zone", "a")];
        // What is said of a copy differs each time.
        daemon.settings.logs.push("copies = 0".to_owned());
    });
    fleet.crash(&[4]);
    fleet.wait_until_whole();
    wait_until("the crash is in the log", SOON, || {
        let failed = fleet[1].log().failed();
        memberd_tests::wait::holds(!failed.is_empty(), || "not yet".to_owned())
    });
    // The guide shows the status of a group at rest.
    wait_until("the neighbours have the same list", SOON, || {
        let status = String::from_utf8(fleet[1].ctl(&["status"]).stdout).unwrap();
        memberd_tests::wait::holds(status.contains("neighbours have it"), || status)
    });
    let directory = tempfile::tempdir().unwrap();
    let simulator = binaries::simulate();
    for command in commands {
        // The settings are where this machine has them. The simulator is the one that the tests
        // have built: it differs in speed only.
        let line = command
            .replace("/etc/memberd/memberd.toml", &fleet[1].config().display().to_string())
            .replace(SIMULATOR, &simulator.display().to_string());
        let output = process::run(fleet[1].shell(&line).current_dir(directory.path()), LIMIT);
        let (said, complained) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command}: {}\n{said}{complained}", output.status);
        // A grep reports that the dead member is not asked. There are no other messages.
        let complained =
            complained.lines().filter(|line| !line.ends_with("its logs are not searched"));
        assert_eq!(complained.collect::<Vec<_>>(), [""; 0], "{command}");
    }
    assert!(fs::read_to_string(directory.path().join("fleet.json")).unwrap().contains("vm2"));
}

#[test]
fn what_the_guide_quotes_is_what_the_programs_say() {
    let guide = fs::read_to_string(repository().join("packaging/OPERATIONS.md")).unwrap();
    let sources: String = [
        "daemon/src/membership/task/events.rs",
        "daemon/src/membership/status.rs",
        "daemon/src/membership/join_words.rs",
        "daemon/src/resolve.rs",
        "daemon/membership/src/join.rs",
        "ctl/src/connection.rs",
        "ctl/src/exit.rs",
    ]
    .iter()
    .map(|file| joined_literals(&fs::read_to_string(repository().join(file)).unwrap()))
    .collect();
    for quoted in [
        "this daemon was not run for longer than the failure timeout",
        "other members declared this node failed; rejoined with a new incarnation",
        "the wall clock of a neighbour disagrees with ours",
        "another machine has this one's name",
        "a group with other settings is reached",
        "left the group, but no member acknowledged it",
        "memberd is not running here (no socket at ",
        "not permitted to open ",
        "not in a group",
        "no introducer let this machine in: ",
        "not in the group yet; trying to join: ",
        " is this machine itself",
        "no neighbour's heartbeats arrive here",
        "these members' lists differ from ours: ",
        "of the heartbeats of ",
        "the clock of ",
        "our clock is ",
    ] {
        assert!(guide.contains(quoted), "not in the guide: {quoted}");
        assert!(sources.contains(quoted), "nobody says: {quoted}");
    }
}

/// The source, with string literals joined that continue in the next line after a backslash.
fn joined_literals(source: &str) -> String {
    source.split("\\\n").map(str::trim_start).collect()
}

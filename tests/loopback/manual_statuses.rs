//! The exit statuses that memberctl(1) lists. A real fleet gives each, and there are no others.

use crate::manual::texts;
use memberd_control::frame::{read_frame, write_frame};
use memberd_control::message::{Hello, PROTOCOL_VERSION};
use memberd_tests::binaries::{memberctl, mortal};
use memberd_tests::wait::SOON;
use memberd_tests::{Fleet, process};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

/// The statuses of the page's table.
fn listed() -> Vec<i32> {
    let sections = texts::sections(texts::MEMBERCTL);
    let table =
        sections.iter().find(|section| section.title == "EXIT STATUS").expect("the section");
    table
        .lines
        .iter()
        .filter_map(|line| line.strip_prefix("    ")?.split(' ').next()?.parse().ok())
        .collect()
}

/// How a status comes about, and with which message. There is none if the page should not list it.
fn had(status: i32, fleet: &Fleet, directory: &Path) -> Vec<(Output, &'static str)> {
    let [member, alone] = [1, 3].map(|number| &fleet[number]);
    let at = |socket: &Path, program: &mut Command, arguments: &[&str]| {
        process::run(
            program.arg("--socket").arg(socket).args(arguments).env_remove("MEMBERCTL_SOCKET"),
            SOON,
        )
    };
    let plain = || mortal(&memberctl(), None);
    let one = match status {
        0 => (member.ctl(&["list"]), ""),
        1 => {
            let nobody =
                (member.ctl(&["list", "--all", "--name", "nobody"]), "no member has such a name");
            return vec![(alone.ctl(&["list"]), "not in a group: memberctl join"), nobody];
        }
        2 => (
            member.ctl(&["list", "--nonsense"]),
            "unexpected argument '--nonsense' found: try memberctl list --help",
        ),
        3 => (member.ctl(&["grep", "--journal", "x"]), "did not answer"),
        4 => (at(&directory.join("nobody"), &mut plain(), &["list"]), "systemctl start memberd"),
        5 => {
            // The program of this user may not open the socket, because the directory belongs to
            // others.
            let program = directory.join("memberctl");
            fs::copy(memberctl(), &program).unwrap();
            let mut nobody = mortal(Path::new("setpriv"), None);
            if nix::unistd::geteuid().is_root() {
                nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            } else {
                fs::set_permissions(&member.settings.socket, Permissions::from_mode(0o000))
                    .unwrap();
            }
            (
                at(&member.settings.socket, nobody.arg("--").arg(program), &["leave"]),
                "join group memberd",
            )
        }
        6 => {
            let socket = directory.join("next");
            let listener = UnixListener::bind(&socket).unwrap();
            let daemon = thread::spawn(move || {
                let mut stream = listener.accept().unwrap().0;
                let _: Hello = read_frame(&mut stream).unwrap();
                let hello =
                    Hello { protocol: PROTOCOL_VERSION + 1, program: "memberd 9.0.0".to_owned() };
                write_frame(&mut stream, &hello).unwrap();
            });
            let output = at(&socket, &mut plain(), &["list"]);
            daemon.join().unwrap();
            (output, "install one version")
        }
        124 => (
            member.ctl(&["wait", "--members", "9", "--timeout", "200ms"]),
            "after 200 ms: 2 members are up, not 9",
        ),
        _ => return Vec::new(),
    };
    vec![one]
}

#[test]
fn each_listed_status_is_had_and_comes_with_one_line() {
    let mut fleet = Fleet::start(2);
    fleet.add().start();
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let listed = listed();
    assert_eq!(listed.len(), 8, "{listed:?}");
    for status in listed {
        let ways = had(status, &fleet, directory.path());
        assert!(!ways.is_empty(), "who ends with {status}?");
        for (output, words) in ways {
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(status), "{complaint}");
            assert!(complaint.contains(words), "{status}: {complaint}");
            // A grep names all members that did not answer for one reason.
            let lines = usize::from(status != 0);
            assert_eq!(complaint.lines().count(), lines, "{status}: {complaint}");
        }
    }
}

#[test]
fn the_help_and_the_guide_list_the_same() {
    let guide = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/OPERATIONS.md"),
    )
    .unwrap();
    let help =
        ::memberctl::command_line().get_after_help().map(ToString::to_string).unwrap_or_default();
    for status in listed() {
        assert!(
            help.contains(&format!(" {status} ")) || help.contains(&format!("\n{status} ")),
            "{status}: {help}"
        );
        let row = format!("\n| {status} | ");
        assert!(guide.contains(&row), "{status} is not in the guide");
    }
}

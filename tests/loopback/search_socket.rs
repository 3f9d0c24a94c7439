//! The socket for users who may only search: who may open it, what it serves, and how far its
//! searches reach.

use memberd_control::socket::search;
use memberd_tests::process::{Running, run};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, binaries, left_out, wait_until};
use nix::sys::signal::Signal;
use nix::unistd::{getegid, geteuid};
use std::fs::{self, OpenOptions, Permissions, set_permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A user without rights of its own, and the group for searches.
const USER: &str = "65533";
const GROUP: u32 = 65_532;

/// Two machines that offer `app.log` and `secret.log`, of which vm2 is tagged as a web server. vm1
/// has a socket for searches with these lines of settings.
fn fleet(limits: &[&str]) -> Fleet {
    Fleet::start_with(2, |daemon| {
        for name in ["app.log", "secret.log"] {
            writeln!(daemon.offer(name), "needle in {name}\nother").unwrap();
            fs::write(daemon.directory().join(format!("{name}.1")), "needle of old\n").unwrap();
        }
        let is_first = daemon.name() == "vm1";
        daemon.settings.tags = vec![("role", if is_first { "db" } else { "web" })];
        if is_first {
            set_limits(daemon, limits);
        }
    })
}

fn set_limits(daemon: &mut Daemon, limits: &[&str]) {
    let group = if geteuid().is_root() { GROUP } else { getegid().as_raw() };
    daemon.settings.set_search(group, limits);
}

fn memberctl(socket: PathBuf, arguments: &[&str]) -> Command {
    let mut command = binaries::mortal(&binaries::memberctl(), None);
    command.arg("--socket").arg(socket).args(arguments).env("LC_ALL", "C.UTF-8");
    command
}

/// What `memberctl` says to a user of the socket, its errors behind its output, and its status.
fn searching(fleet: &Fleet, arguments: &[&str]) -> (String, Option<i32>) {
    words(&run(&mut memberctl(search(&fleet[1].settings.socket), arguments), SOON))
}

fn words(output: &Output) -> (String, Option<i32>) {
    let text = [&output.stdout[..], &output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.code())
}

/// The members and the names of files in which a grep found something, in order.
fn found(fleet: &Fleet, arguments: &[&str]) -> Vec<String> {
    let (text, _) = searching(fleet, &[&["grep", "-l", "needle"], arguments].concat());
    let file = |line: &str| {
        let (member, path) = line.split_once(':').unwrap_or((line, ""));
        format!("{member}:{}", path.rsplit('/').next().unwrap_or_default())
    };
    let mut found: Vec<String> = text.lines().map(file).collect();
    found.sort();
    found
}

/// All that is not for searching and looking is refused, and says where it is permitted.
#[test]
fn the_socket_serves_searches_and_looks_and_nothing_else() {
    let mut fleet = fleet(&[]);
    let socket = search(&fleet[1].settings.socket);
    let metadata = fs::metadata(&socket).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o660);
    assert!(!geteuid().is_root() || metadata.gid() == GROUP);
    let looks = [
        &["list"][..],
        &["status"],
        &["log"],
        &["metrics"],
        &["events", "--since", "1h", "--until", "now"],
        &["top", "--once"],
        &["wait", "--members", "2"],
        &["files", "app.log"],
        &["grep", "needle", "app.log"],
    ];
    for look in looks {
        let (said, status) = searching(&fleet, look);
        assert_eq!(status, Some(0), "{look:?}: {said}");
    }
    let changes = [
        &["join"][..],
        &["leave"],
        &["reload"],
        &["forget", "--failed"],
        &["forget", "vm2"],
        &["log", "debug"],
    ];
    for change in changes {
        let (said, status) = searching(&fleet, change);
        assert_eq!(status, Some(5), "{change:?}: {said}");
        assert!(said.contains("this socket is for searching and looking only (grep, "), "{said}");
    }
    // The journal is no file.
    let (said, status) = searching(&fleet, &["grep", "--journal", "x"]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("--journal: this socket is for searching files only"), "{said}");
    assert_eq!(fleet[1].control().alive().unwrap().len(), 2);
    // The daemon may notice a little later that the client before has gone.
    wait_until("only the client that asks is connected", SOON, || {
        let metrics = searching(&fleet, &["metrics"]).0;
        let one = metrics.contains("\nmemberd_connections{socket=\"control_search\"} 1\n");
        holds(one, || metrics)
    });

    fleet[1].signal(Signal::SIGTERM);
    fleet[1].wait_for_end(SOON);
    assert!(!socket.exists(), "the socket is removed at the end");
}

/// Their memberctl finds the socket by itself. Other users are kept out, and the log names it.
#[test]
fn users_of_the_group_search_and_others_do_not() {
    if !geteuid().is_root() {
        return left_out("clients of other users: only root can start them");
    }
    let fleet = fleet(&[]);
    let directory = fleet[1].directory();
    for directory in [directory, directory.parent().unwrap()] {
        set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    }
    let of = |groups: &str, arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", USER, "--regid", USER, groups, "--"]);
        command.arg(binaries::memberctl()).arg("--socket").arg(&fleet[1].settings.socket);
        command.args(arguments).env("LC_ALL", "C.UTF-8");
        words(&run(&mut command, SOON))
    };
    let group = format!("--groups={GROUP}");
    let (said, status) = of(&group, &["grep", "-h", "needle", "app.log"]);
    assert_eq!((said.as_str(), status), ("needle in app.log\nneedle in app.log\n", Some(0)));
    let (said, status) = of(&group, &["files", "app.log"]);
    assert!(status == Some(0) && said.contains("/app.log"), "{said}");
    let (said, status) = of(&group, &["list", "--format", "names"]);
    assert_eq!((said.as_str(), status), ("vm1\nvm2\n", Some(0)));
    for change in [&["leave"][..], &["reload"]] {
        let (said, status) = of(&group, change);
        assert!(status == Some(5) && said.contains("join group memberd "), "{said}");
    }
    let (said, status) = of("--clear-groups", &["grep", "needle", "app.log"]);
    assert!(status == Some(2) && said.contains("not permitted to open"), "{said}");

    let trail = fleet[1].settings.log_dir.join("searches.1.log");
    let asked = format!(" uid={USER} socket=control-search members=2 ");
    wait_until("the search is logged with its socket", SOON, || {
        let text = fs::read_to_string(&trail).unwrap_or_default();
        holds(text.matches(&asked).count() == 1, || text)
    });
}

/// Files beyond the limit are as if no member offered them, however they are asked for.
#[test]
fn searches_find_only_the_files_that_are_allowed() {
    let mut fleet = fleet(&["files = ['**/app.log']"]);
    let both = ["vm1:app.log", "vm2:app.log"];
    assert_eq!(found(&fleet, &[]), both);
    for options in [
        &["app.log", "secret.log"][..],
        &["--include=*", "*.log"],
        &["--exclude=none", "**"],
        &["-F"],
    ] {
        let found: Vec<String> = found(&fleet, options);
        let within = found.iter().filter(|file| !file.starts_with("memberctl:"));
        assert!(within.eq(both.iter()), "{options:?}: {found:?}");
    }
    assert_eq!(
        found(&fleet, &["--rotated"]),
        ["vm1:app.log", "vm1:app.log.1", "vm2:app.log", "vm2:app.log.1"]
    );
    let (merged, _) = searching(&fleet, &["grep", "-h", "--merge", "-n", "needle"]);
    assert!(!merged.contains("secret"), "{merged}");
    for file in ["secret.log", "**/secret.*"] {
        let (said, ended) = searching(&fleet, &["grep", "needle", file]);
        assert_eq!(ended, Some(2), "{said}");
        assert!(said.starts_with("memberctl: ") && said.contains("no member offers such a file"));
    }
    let (said, status) = searching(&fleet, &["grep", "needle", "--include=secret.log"]);
    assert_eq!((said.as_str(), status), ("", Some(1)));
    let (counted, _) = searching(&fleet, &["grep", "-c", "needle"]);
    let (without, _) = searching(&fleet, &["grep", "-L", "nothing"]);
    let (listed, _) = searching(&fleet, &["files", "--json"]);
    for text in [&counted, &without, &listed] {
        assert!(text.contains("app.log"), "{text}");
        assert!(!text.contains("secret") && !text.contains("machine."), "{text}");
    }
    assert_eq!(searching(&fleet, &["files", "secret.log"]).1, Some(2));
    // An allowed name that leads elsewhere is no way round.
    let app = fleet[2].directory().join("app.log");
    fs::remove_file(&app).unwrap();
    symlink(fleet[2].directory().join("secret.log"), &app).unwrap();
    let (said, status) = searching(&fleet, &["grep", "-h", "needle", "--on", "vm2"]);
    assert!(status == Some(2) && said.contains("symbolic link"), "{said}");
    assert!(!said.contains("needle"), "{said}");
    // The other socket has no limit, and a reload changes that of this one.
    let full = words(&fleet[1].ctl(&["grep", "-h", "needle", "--on", "vm1", "secret.log"]));
    assert_eq!(full, ("needle in secret.log\n".to_owned(), Some(0)));
    set_limits(&mut fleet[1], &["files = ['**/secret.log']"]);
    fleet[1].write_settings();
    let (said, _) = words(&fleet[1].ctl(&["reload"]));
    let changed = "search.files: [\"**/app.log\"] -> [\"**/secret.log\"]\nreloaded\n";
    assert_eq!(said, changed);
    assert_eq!(found(&fleet, &[]), ["vm1:secret.log", "vm2:secret.log"]);
}

#[test]
fn a_follow_has_the_limit_too() {
    let fleet = fleet(&["files = ['**/app.log']"]);
    let socket = search(&fleet[1].settings.socket);
    let output = fleet[1].directory().join("followed");
    let mut command = memberctl(socket, &["grep", "-h", "--follow", "new"]);
    let file = fs::File::create(&output).unwrap();
    command.stdin(Stdio::null()).stdout(file).stderr(Stdio::null());
    let mut follower = Running::start(&mut command);
    let mut number = 0;
    wait_until("new lines of both members are found", SOON, || {
        number += 1;
        for member in [1, 2] {
            for name in ["secret.log", "app.log"] {
                let path = fleet[member].directory().join(name);
                let mut file = OpenOptions::new().append(true).open(path).unwrap();
                writeln!(file, "new {number} in {name} of {member}").unwrap();
            }
        }
        let text = fs::read_to_string(&output).unwrap();
        assert!(!text.contains("secret"), "{text}");
        holds(text.contains("app.log of 1") && text.contains("app.log of 2"), || text)
    });
    follower.signal(Signal::SIGTERM);
    follower.wait(SOON);
}

/// Who names a member beyond the limit reads why it is not searched. The rest is left out.
#[test]
fn searches_reach_only_members_with_the_tags() {
    let fleet = fleet(&["tags = ['role=web']", "journal = true"]);
    assert_eq!(found(&fleet, &[]), ["vm2:app.log", "vm2:secret.log"]);
    assert_eq!(found(&fleet, &["--on", "vm*", "app.log"]), ["vm2:app.log"]);
    let limit = "this socket searches only members tagged role=web: ";
    for command in ["grep", "files"] {
        let (said, ended) = searching(&fleet, &[command, "--on", "vm1", "app.log"]);
        assert!(said.contains(&format!("{limit}--on vm1 is not for them")), "{said}");
        assert_eq!(ended, Some(2), "{said}");
        let (said, ended) = searching(&fleet, &[command, "--tag", "role=db", "app.log"]);
        assert!(ended == Some(2) && said.contains("no member to ask has such tags"), "{said}");
    }
    let (listed, _) = searching(&fleet, &["files", "--json"]);
    assert!(listed.contains("\"vm2\"") && !listed.contains("\"vm1\""), "{listed}");
    // Here the journal is allowed, but vm2 does not offer its own.
    let (said, status) = searching(&fleet, &["grep", "--journal", "x"]);
    assert!(status == Some(3) && said.contains("vm2: "), "{said}");
    assert!(said.contains("its settings do not offer its journal"), "{said}");
}

#[test]
fn a_group_that_is_not_there_is_named() {
    let mut fleet = Fleet::new(1);
    fleet[1].settings.set_search("no-such-group", &[]);
    fleet[1].launch();
    assert_eq!(fleet[1].wait_for_end(SOON).code(), Some(1));
    let said = fleet[1].stderr();
    assert!(said.contains("search.group: there is no group no-such-group: groupadd"), "{said}");
}

//! Checks the package and the role without a host, also with other people's checkers.

use crate::or_left_out;
use memberd_tests::hosts::outside::{self, text, try_run};
use memberd_tests::hosts::{Package, Release, hindrance, image};
use memberd_tests::tools;
use std::path::{Path, PathBuf};
use std::process::Command;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// `tests/run` has this run beside other fleets, because making an image takes a minute.
#[test]
fn each_release_has_a_base_image() {
    if or_left_out(hindrance().map_or(Ok(()), Err)).is_none() {
        return;
    }
    std::thread::scope(|scope| {
        for release in [Release::Bookworm, Release::Trixie] {
            scope.spawn(move || assert!(image::base(release).join("etc/os-release").exists()));
        }
    });
}

#[test]
fn lintian_has_neither_errors_nor_warnings() {
    let Some(package) = or_left_out(Package::built()) else { return };
    if tools::is_there("lintian", "lintian") {
        let mut lintian = Command::new("lintian");
        let output = try_run(
            lintian.args(["--fail-on", "error,warning", "--allow-root"]).arg(package.path()),
        );
        assert!(output.status.success(), "{}", text(&output).0);
    }
}

/// The package has every file that belongs to a daemon, and a manual page for each subcommand.
#[test]
fn the_package_has_every_file_that_belongs_to_a_daemon() {
    let Some(package) = or_left_out(Package::built()) else { return };
    let listed = outside::run(Command::new("dpkg-deb").arg("--contents").arg(package.path()));
    let has = |path: &str| {
        let found = listed.lines().any(|line| {
            line.split(" ./").nth(1).is_some_and(|rest| rest.split(" -> ").next() == Some(path))
        });
        assert!(found, "no {path} in the package:\n{listed}");
    };
    [
        "usr/sbin/memberd",
        "usr/bin/memberctl",
        "usr/lib/memberd/memberd-worker",
        "usr/lib/systemd/system/memberd.service",
        "usr/lib/systemd/system/memberd.socket",
        "usr/lib/systemd/system/memberd-read.socket",
        "usr/lib/systemd/system/memberd-search.socket",
        "usr/lib/systemd/system/memberd-worker.socket",
        "usr/lib/systemd/system/memberd-worker.service",
        "usr/lib/systemd/system/memberd-hooks@.service",
        "usr/lib/systemd/system/memberd-leader.service",
        "usr/lib/systemd/system/memberd-once@.service",
        "usr/lib/systemd/system/memberd-once@.timer",
        "usr/lib/sysusers.d/memberd.conf",
        "usr/lib/tmpfiles.d/memberd.conf",
        "etc/logrotate.d/memberd",
        "etc/memberd/memberd.toml",
        "usr/share/man/man8/memberd.8.gz",
        "usr/share/man/man1/memberctl.1.gz",
        "usr/share/man/man5/memberd.toml.5.gz",
        "usr/share/man/man7/memberctl-stats-language.7.gz",
        "usr/share/doc/memberd/changelog.gz",
        "usr/share/doc/memberd/examples/one-machine.service",
        "usr/share/doc/memberd/examples/stream.toml",
        "usr/share/doc/memberd/copyright",
    ]
    .into_iter()
    .for_each(has);
    for program in ["memberd", "memberctl"] {
        has(&format!("usr/share/bash-completion/completions/{program}"));
        has(&format!("usr/share/zsh/vendor-completions/_{program}"));
        has(&format!("usr/share/fish/vendor_completions.d/{program}.fish"));
    }
    for subcommand in
        memberctl::command_line().get_subcommands().filter(|subcommand| !subcommand.is_hide_set())
    {
        has(&format!("usr/share/man/man1/memberctl-{}.1.gz", subcommand.get_name()));
    }
    let settings =
        outside::run(Command::new("dpkg-deb").arg("--info").arg(package.path()).arg("conffiles"));
    assert_eq!(
        settings.split_whitespace().collect::<Vec<_>>(),
        ["/etc/memberd/memberd.toml", "/etc/logrotate.d/memberd"]
    );
}

/// The check uses ansible-lint's strictest profile.
#[test]
fn ansible_lint_finds_nothing_in_the_role_and_the_playbooks() {
    if !tools::is_there("ansible-lint", "ansible-lint") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    // ansible-lint works on a copy outside of any repository. It looks at the whole directory, and
    // what it writes is not left in the sources.
    let role = home.path().join("ansible");
    assert!(
        try_run(Command::new("cp").arg("-r").arg(workspace().join("packaging/ansible")).arg(&role))
            .status
            .success()
    );
    let mut lint = Command::new("ansible-lint");
    lint.args(["--offline", "--nocolor", "--strict", "--profile", "production"]).current_dir(&role);
    let output = try_run(
        lint.env("ANSIBLE_HOME", home.path().join("home"))
            .env("XDG_CACHE_HOME", home.path().join("cache")),
    );
    let (found, said) = text(&output);
    assert!(output.status.success(), "{found}{said}");
    assert!(
        (found.clone() + &said).contains("0 failure(s), 0 warning(s)"),
        "nothing was looked at: {found}{said}"
    );
}

#[test]
fn the_packaged_programs_do_not_tell_where_they_were_made() {
    let Some(package) = or_left_out(Package::built()) else { return };
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    assert!(
        try_run(Command::new("dpkg-deb").arg("--extract").arg(package.path()).arg(&tree))
            .status
            .success()
    );
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    let crates = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    for place in crates.into_iter().chain([workspace()]) {
        let mut grep = Command::new("grep");
        // A path with something below it.
        let output =
            try_run(grep.args(["-raoF", "--"]).arg(format!("{}/", place.display())).arg(&tree));
        assert_eq!(text(&output).0, "", "{} is in the package", place.display());
    }
}

//! How the package and the role are made, looked at without a host: what other people's checkers say of them, and that a package made again
//! is the same.

use crate::or_left_out;
use memberd_tests::hosts::Package;
use memberd_tests::hosts::outside::{text, try_run};
use memberd_tests::tools;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn lintian_has_neither_errors_nor_warnings() {
    let Some(package) = or_left_out(Package::built()) else { return };
    if tools::is_there("lintian", "lintian") {
        let mut lintian = Command::new("lintian");
        let output = try_run(lintian.args(["--fail-on", "error,warning", "--allow-root"]).arg(package.path()));
        assert!(output.status.success(), "{}", text(&output).0);
    }
}

/// Of all that Ansible's people ask for, the strictest profile.
#[test]
fn ansible_lint_has_nothing_to_say_of_the_role_and_the_playbooks() {
    if !tools::is_there("ansible-lint", "ansible-lint") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    // A copy outside of any repository: the whole directory is looked at, and what it writes is not left in the sources.
    let role = home.path().join("ansible");
    assert!(try_run(Command::new("cp").arg("-r").arg(workspace().join("packaging/ansible")).arg(&role)).status.success());
    let mut lint = Command::new("ansible-lint");
    lint.args(["--offline", "--nocolor", "--strict", "--profile", "production"]).current_dir(&role);
    let output = try_run(lint.env("ANSIBLE_HOME", home.path().join("home")).env("XDG_CACHE_HOME", home.path().join("cache")));
    let (found, said) = text(&output);
    assert!(output.status.success(), "{found}{said}");
    assert!(said.contains("0 failure(s), 0 warning(s)"), "{found}{said}");
}

/// At another time, under another umask, time zone and locale, into another directory. The programs in it are the same files: that compiling
/// them gives the same ones everywhere takes two release builds, `make reproducible`.
#[test]
fn a_package_put_together_again_is_the_same_to_the_byte() {
    let Some(package) = or_left_out(Package::built()) else { return };
    if !tools::is_there("cargo-deb", "cargo-deb, by cargo install") || !tools::is_there("dpkg-shlibdeps", "dpkg-dev") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut make = Command::new("sh");
    make.args(["-euc", "umask 077; exec make --silent package PACKAGE=\"$1\"", "sh"]).arg(directory.path());
    let output = try_run(make.current_dir(workspace()).env("TZ", "Pacific/Kiritimati").env("LC_ALL", "C"));
    assert!(output.status.success(), "{}", text(&output).1);
    let again = directory.path().join(package.path().file_name().unwrap());
    assert!(fs::read(package.path()).unwrap() == fs::read(&again).unwrap(), "{} is another now", package.path().display());
}

#[test]
fn the_packaged_programs_do_not_tell_where_they_were_made() {
    let Some(package) = or_left_out(Package::built()) else { return };
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    assert!(try_run(Command::new("dpkg-deb").arg("--extract").arg(package.path()).arg(&tree)).status.success());
    let homes = ["CARGO_HOME", "HOME"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    for place in homes.chain([workspace()]) {
        let mut grep = Command::new("grep");
        // A path with something below it.
        let output = try_run(grep.args(["-raoF", "--"]).arg(format!("{}/", place.display())).arg(&tree));
        assert_eq!(text(&output).0, "", "{} is in the package", place.display());
    }
}

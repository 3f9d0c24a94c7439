//! Finds the programs under test, which lie beside the test's own executable.

use crate::namespaces;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable that names a directory of other programs, such as those of an earlier version.
const PROGRAMS: &str = "MEMBERD_PROGRAMS";

/// `memberd`.
///
/// # Panics
/// When it was not built.
pub fn memberd() -> PathBuf {
    built("memberd")
}

/// `memberctl`.
///
/// # Panics
/// When it was not built.
pub fn memberctl() -> PathBuf {
    built("memberctl")
}

/// `memberd-worker`.
///
/// # Panics
/// When it was not built.
pub fn memberd_worker() -> PathBuf {
    built("memberd-worker")
}

/// The directory of other programs, if the environment names one.
pub fn given() -> Option<PathBuf> {
    std::env::var_os(PROGRAMS).map(PathBuf::from)
}

fn built(name: &str) -> PathBuf {
    if let Some(directory) = given() {
        return directory.join(name);
    }
    let test = std::env::current_exe().expect("this test has an executable");
    // target/debug/deps/loopback-0123456789abcdef
    let directory =
        test.parent().and_then(Path::parent).expect("the test lies in target/PROFILE/deps");
    let path = directory.join(name);
    assert!(
        path.is_file(),
        "{} is missing: cargo build --workspace --bins --examples",
        path.display()
    );
    path
}

/// The simulator, an example of `memberd-membership`.
///
/// # Panics
/// When it was not built.
pub fn simulate() -> PathBuf {
    built("examples/simulate")
}

/// The comparison of settings in the simulator, as an example program.
///
/// # Panics
/// When it was not built.
pub fn trade() -> PathBuf {
    built("examples/trade")
}

/// A command that the kernel ends when the test's thread ends, even if that is killed (`setpriv` of
/// util-linux, prctl(2) PR_SET_PDEATHSIG). It runs in a network namespace if one is named, and its
/// process id is the program's own. An interrupt ends it, even if the tests run in the background
/// of a shell. Such tests ignore interrupts, and so would all that they start (`env` of coreutils).
pub fn mortal(program: &Path, namespace: Option<&Path>) -> Command {
    let mut command = match namespace {
        Some(namespace) => {
            let mut command = namespaces::enter(namespace);
            command.arg("setpriv");
            command
        }
        None => Command::new("setpriv"),
    };
    command.args(["--pdeathsig", "KILL", "--", "env", "--default-signal=INT,QUIT"]).arg(program);
    command
}

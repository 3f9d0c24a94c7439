//! Reports tests that cannot run on this machine.

use std::io::{self, Write as _};

/// Reports that something is not tested, and why. With `CI=true` in the environment, where all
/// tests have to run, that is a failure.
///
/// # Panics
/// In CI.
pub fn left_out(why: &str) {
    assert!(!std::env::var("CI").is_ok_and(|value| value == "true"), "{why}");
    // The test harness swallows eprintln. Nothing can be done if standard error cannot be written.
    let _ = io::stderr().write_all(format!("\nNOT TESTED: {why}\n\n").as_bytes());
}

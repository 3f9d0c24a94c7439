//! Tests that cannot run here.

use std::io::{self, Write as _};

/// Says loudly that something is not tested, and why. Where all has to run, with `CI=true` in the
/// environment, that is a failure.
///
/// # Panics
/// In CI.
pub fn left_out(why: &str) {
    assert!(!std::env::var("CI").is_ok_and(|value| value == "true"), "{why}");
    // Not by eprintln, which the test harness swallows. There is no help if standard error cannot
    // be written.
    let _ = io::stderr().write_all(format!("\nNOT TESTED: {why}\n\n").as_bytes());
}

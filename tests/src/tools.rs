//! Looks for other people's programs that a test needs.

use crate::left_out;
use std::env;

/// Whether a program is installed. If not, that is reported, and the test may skip itself. With
/// `CI=true` in the environment it is a failure.
///
/// # Panics
/// When it is not there, and `CI=true` is set.
pub fn is_there(program: &str, package: &str) -> bool {
    let found = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .any(|directory| directory.join(program).is_file());
    if !found {
        left_out(&format!(
            "{program} is not installed, and this test is about it: apt-get install {package}"
        ));
    }
    found
}

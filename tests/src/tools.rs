//! Other people's programs that a test is about.

use crate::left_out;
use std::env;

/// Whether a program is there. A test that needs it may leave itself out if not, which is said;
/// where everything has to be there (`CI=true` is set), it fails instead.
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

//! memberd.

use std::process::ExitCode;

fn main() -> ExitCode {
    memberd::daemon::main()
}

//! The program memberctl.

use std::process::ExitCode;

fn main() -> ExitCode {
    memberctl::main()
}

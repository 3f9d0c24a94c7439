//! The program memberd: it starts the daemon, and chooses the memory allocator.

use std::process::ExitCode;

/// With the C library's allocator, a low-priority search thread could hold the lock of an arena
/// while the machine is busy. Heartbeats need that arena. This allocator has a cache for each
/// thread.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    memberd::daemon::main()
}

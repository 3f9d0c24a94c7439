//! memberd.

use std::process::ExitCode;

/// With the C library's allocator, a searching thread that gives way to everything else could hold
/// the lock of the arena that heartbeats need, for as long as the machine is busy. This one has
/// caches of each thread's own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    memberd::daemon::main()
}

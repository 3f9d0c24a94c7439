//! The priority of searching threads.

use rustix::process::setpriority_process;
use rustix::thread::gettid;

/// The lowest there is: see sched(7) on nice values.
const NICE: i32 = 19;

/// Makes the calling thread give way to all others, for good. On Linux a nice value is a thread's own. A refusal, by seccomp's
/// `EPERM`, is of no consequence but that it does not.
pub(crate) fn lower() {
    let _ = setpriority_process(Some(gettid()), NICE);
}

//! What takes long of a search, compiling its patterns included: on a thread of its own that gives
//! way to all others, since heartbeats do not wait.

use rustix::process::setpriority_process;
use rustix::thread::gettid;
use std::io;
use std::thread;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// The lowest priority there is: see sched(7) on nice values.
const NICE: i32 = 19;

/// Does work that blocks on a thread of its own, at the lowest priority, which the threads that it
/// starts have as well. Must be called within the runtime; the work is within it too.
///
/// # Errors
/// When the system gives no thread, or the work panics.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    let runtime = Handle::current();
    thread::Builder::new().name("search".to_owned()).spawn(move || {
        let _within = runtime.enter();
        give_way();
        // Whoever asked may have gone.
        let _ = done.send(work());
    })?;
    result.await.map_err(|_| io::Error::other("it broke off"))
}

/// Makes the calling thread give way to all others, for good. On Linux a nice value is a thread's
/// own, and its children's. A refusal, by seccomp's `EPERM`, is of no consequence but that it does
/// not.
fn give_way() {
    let _ = setpriority_process(Some(gettid()), NICE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The nice value of this thread. The name in parentheses may hold anything; it is the 17th
    /// field after that.
    fn nice() -> i32 {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn work_gives_way_with_all_that_it_starts_and_its_caller_does_not() {
        let own = nice();
        let seen = apart(|| (nice(), thread::spawn(nice).join().unwrap())).await.unwrap();
        assert_eq!((seen, nice()), ((NICE, NICE), own));
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error() {
        let error =
            apart(|| std::panic::resume_unwind(Box::new(()))).await.map(|()| "done").unwrap_err();
        assert_eq!(error.to_string(), "it broke off");
    }
}

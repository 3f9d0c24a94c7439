//! Runs blocking work on threads of its own, mostly of low priority, so that heartbeats are not
//! delayed. It owns no state.

use rustix::process::setpriority_process;
use rustix::thread::gettid;
use std::io;
use std::thread;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// The lowest priority: see sched(7) on nice values.
const NICE: i32 = 19;

/// Runs blocking work on a thread of its own, at the lowest priority. The threads that the work
/// starts inherit that priority. The caller and the work are within the same tokio runtime.
///
/// # Errors
/// When no thread can be created, or when the work panics.
pub async fn run_low_priority<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let work = move || {
        lower_priority();
        work()
    };
    run("search", work).await
}

/// The same at the daemon's own priority, on a thread of this name: for short work that somebody
/// waits for.
///
/// # Errors
/// When no thread can be created, or when the work panics.
pub(crate) async fn run<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    let runtime = Handle::current();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _within = runtime.enter();
        // The caller may have stopped waiting.
        let _ = done.send(work());
    })?;
    result.await.map_err(|_| io::Error::other("it broke off"))
}

/// Permanently gives the calling thread the lowest priority. On Linux a thread has its own nice
/// value, which its children inherit. When seccomp refuses this with `EPERM`, the thread keeps its
/// priority, and nothing else changes.
pub(crate) fn lower_priority() {
    let _ = setpriority_process(Some(gettid()), NICE);
}

/// The nice value of this thread. The name in parentheses may contain any character. The value is
/// the 17th field after it.
#[cfg(test)]
pub(crate) fn nice() -> i32 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().parse().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_and_its_threads_have_low_priority() {
        let own = nice();
        let seen =
            run_low_priority(|| (nice(), thread::spawn(nice).join().unwrap())).await.unwrap();
        assert_eq!((seen, nice()), ((NICE, NICE), own));
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error() {
        let error = run_low_priority(|| std::panic::resume_unwind(Box::new(())))
            .await
            .map(|()| "done")
            .unwrap_err();
        assert_eq!(error.to_string(), "it broke off");
    }
}

//! Runs a task on a thread of its own, with a runtime of its own, so that nothing else of the
//! daemon delays it. It owns no state.

use std::io;
use std::thread;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// Makes a task within its runtime, and runs it on a thread of this name. Timers and connections
/// belong to the runtime in which they are made. The threads of its blocking work are called
/// `NAME-io`.
///
/// What the task returns comes once all that belonged to the runtime is closed, but for blocking
/// work that hangs. Nothing comes if it panics.
///
/// # Errors
/// When the thread or the runtime cannot be created, and those of `make`.
pub(crate) fn start<T: Send + 'static, F: Future<Output: Send + 'static>>(
    name: &str,
    make: impl FnOnce() -> io::Result<T>,
    run: impl FnOnce(T) -> F + Send + 'static,
) -> io::Result<oneshot::Receiver<F::Output>> {
    let runtime =
        Builder::new_current_thread().enable_all().thread_name(format!("{name}-io")).build()?;
    let within = runtime.enter();
    let made = make();
    drop(within);
    let task = match made {
        Ok(task) => task,
        Err(error) => {
            // The caller may be within another runtime, where none may be dropped.
            runtime.shutdown_background();
            return Err(error);
        }
    };
    let (done, ended) = oneshot::channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let output = runtime.block_on(async move { run(task).await });
        runtime.shutdown_background();
        // Nobody need wait for it.
        let _ = done.send(output);
    })?;
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::net::TcpListener;
    use tokio::time::sleep;

    /// The port is free again when the output is there, though a task still has it.
    #[test]
    fn a_task_runs_on_its_thread_and_all_of_it_ends() {
        let make = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, TcpListener::from_std(listener)?))
        };
        let run = async |(at, listener): (std::net::SocketAddr, TcpListener)| {
            tokio::spawn(async move { listener.accept().await });
            sleep(Duration::from_millis(1)).await;
            (thread::current().name().map(str::to_owned), at)
        };
        let ended = start("test-task", make, run).unwrap();
        let (name, at) = ended.blocking_recv().unwrap();
        assert_eq!(name.as_deref(), Some("test-task"));
        std::net::TcpListener::bind(at).unwrap();
    }

    #[tokio::test]
    async fn a_task_that_cannot_be_made_is_an_error() {
        let make = || Err::<(), _>(io::Error::other("no timer"));
        let error = start("test-task", make, async |()| ()).unwrap_err();
        assert_eq!(error.to_string(), "no timer");
    }
}

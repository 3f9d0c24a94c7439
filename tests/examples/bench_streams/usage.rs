//! Measures what programs use: their time, their processor time, and their memory. [`Ran`] is what
//! a command used, with all that it started.

use memberd_tests::proc;
use memberd_tests::process::{self, Running};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeValLike as _;
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the memory of a command is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How long a command may take. Only a hang takes that long.
const LIMIT: Duration = Duration::from_secs(900);

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Until its end.
    pub(crate) seconds: f64,
    /// Until it wrote something for the first time.
    pub(crate) first_seconds: f64,
    /// The processor time of it and of all that it has waited for.
    pub(crate) processor_seconds: f64,
    /// The peaks of it and of what it started, added up.
    pub(crate) peak_mib: f64,
    /// What it printed.
    pub(crate) output: Vec<u8>,
}

/// Runs a command to its end. No other child of this process may end meanwhile.
pub(crate) fn run(command: &mut Command) -> Ran {
    let (before, begun) = (children_seconds(), Instant::now());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(command);
    let peaks = Peaks::watch(running.pid());
    let mut output = running.child().stdout.take().expect("a pipe");
    let errors = process::collect(running.child().stderr.take().expect("a pipe"));
    let mut first = vec![0; 1 << 16];
    let length = output.read(&mut first).expect("a pipe can be read");
    let first_seconds = begun.elapsed().as_secs_f64();
    first.truncate(length);
    output.read_to_end(&mut first).expect("a pipe can be read");
    let status = running.child().wait().expect("a child can be waited for");
    let seconds = begun.elapsed().as_secs_f64();
    let peak_mib = peaks.end();
    let errors = errors.join().expect("the collecting thread ends well");
    let errors = String::from_utf8_lossy(&errors);
    assert!(status.success(), "{command:?} ended with {status}: {errors}");
    let processor_seconds = children_seconds() - before;
    Ran { seconds, first_seconds, processor_seconds, peak_mib, output: first }
}

/// The processor time of all children that were waited for, and of theirs.
fn children_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel tells what children used");
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    microseconds as f64 / 1e6
}

/// The processor time of these processes since they started, in seconds.
pub(crate) fn processor_seconds(pids: &[Pid]) -> f64 {
    pids.iter().map(|pid| proc::processor_time(*pid).as_secs_f64()).sum()
}

/// The memory that these processes had at most, each for itself, in mebibytes.
pub(crate) fn peaks_mib(pids: &[Pid]) -> f64 {
    pids.iter().map(|pid| proc::peak_kib(*pid) as f64 / 1024.0).sum()
}

/// The memory that these processes have, in mebibytes.
pub(crate) fn resident_mib(pids: &[Pid]) -> f64 {
    pids.iter().map(|pid| proc::resident_kib(*pid) as f64 / 1024.0).sum()
}

/// A look at the memory of a process and of what it starts, again and again.
struct Peaks {
    ended: Sender<()>,
    looking: JoinHandle<BTreeMap<i32, u64>>,
}

impl Peaks {
    fn watch(pid: Pid) -> Self {
        let (ended, end) = mpsc::channel();
        let looking = thread::spawn(move || {
            let (mut peaks, begun) = (BTreeMap::new(), Instant::now());
            while end.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                look(pid.as_raw(), &mut peaks);
                if begun.elapsed() > LIMIT {
                    // Its end is reported as a failure.
                    let _ = kill(pid, Signal::SIGKILL);
                }
            }
            peaks
        });
        Peaks { ended, looking }
    }

    /// The sum of the peaks.
    fn end(self) -> f64 {
        drop(self.ended);
        let peaks = self.looking.join().expect("the looking thread ends well");
        peaks.values().map(|kib| *kib as f64 / 1024.0).sum()
    }
}

/// Notes the peak of a process and of those that its first thread started. What another program was
/// before it began is forgotten.
fn look(pid: i32, peaks: &mut BTreeMap<i32, u64>) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    if let Some(kib) = peak_in(&status) {
        peaks.insert(pid, kib);
    }
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    for child in children.unwrap_or_default().split_whitespace() {
        if let Ok(child) = child.parse() {
            look(child, peaks);
        }
    }
}

/// The peak in a `status` of proc(5), in KiB. A process that ends has none.
fn peak_in(status: &str) -> Option<u64> {
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().trim_end_matches(" kB").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_and_what_it_starts_is_measured() {
        let mut command = Command::new("sh");
        let busy = "i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; echo done";
        command.args(["-c", &format!("{{ {busy}; }} | cat; sleep 0.05")]);
        let ran = run(&mut command);
        assert_eq!(ran.output, b"done\n");
        assert!(ran.processor_seconds > 0.0, "{ran:?}");
        assert!(ran.first_seconds <= ran.seconds, "{ran:?}");
    }

    #[test]
    fn the_peak_is_read_from_the_status() {
        assert_eq!(peak_in("Name:\tsh\nVmHWM:\t    1234 kB\nVmRSS:\t 5 kB\n"), Some(1234));
        assert_eq!(peak_in("Name:\tsh\nState:\tZ (zombie)\n"), None);
    }
}

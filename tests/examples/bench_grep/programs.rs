//! Runs what is measured: the programs, and the engine in this process. It owns no state.

use crate::Case;
use memberd_search::{
    ExposedFile, ExposedFiles, FileFilter, GrepPrint, GrepSyntax, Output, Plan, Query, Stopped,
};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use std::fs;
use std::io::Read;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How many bytes of a program's output are read between two checks of its memory.
const LOOK_EVERY: usize = 1 << 20;

/// GNU grep in the C.UTF-8 locale.
pub(crate) fn grep(case: &Case, logs: &[PathBuf]) -> Command {
    let mut command = Command::new("grep");
    command.env("LC_ALL", "C.UTF-8").arg("-h").args(case.options).arg(case.pattern).args(logs);
    command
}

/// ripgrep on this many threads.
pub(crate) fn rg(case: &Case, logs: &[PathBuf], threads: usize) -> Command {
    let mut command = Command::new("rg");
    // -E has another meaning in ripgrep.
    let options = case.options.iter().filter(|option| **option != "-E");
    command
        .args(["--no-config", "--no-heading", "-N", "-I"])
        .arg(format!("-j{threads}"))
        .args(options)
        .arg(case.pattern)
        .args(logs);
    command
}

/// The time until a command has ended and its whole output was read.
pub(crate) fn run(command: &mut Command) -> Duration {
    watched(command).0
}

/// The same time, and the most memory that the command had while it printed, in KiB.
pub(crate) fn watched(command: &mut Command) -> (Duration, u64) {
    let started = Instant::now();
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("it starts");
    let mut buffer = vec![0; 64 * 1024];
    let mut out = child.stdout.take().expect("a pipe");
    let (mut since, mut peak) = (LOOK_EVERY, 0);
    loop {
        match out.read(&mut buffer).expect("output") {
            0 => break,
            read => since += read,
        }
        if since >= LOOK_EVERY {
            // A program that has ended in the meantime has no memory.
            (since, peak) = (0, peak_kib(child.id()).unwrap_or(peak));
        }
    }
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{command:?}: {status}");
    (started.elapsed(), peak)
}

/// The most resident memory that a process ever had, in KiB; `None` after its end.
fn peak_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    value.trim().trim_end_matches(" kB").parse().ok()
}

/// The time until the first bytes arrive.
pub(crate) fn until_first(command: &mut Command) -> Duration {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let read = child.stdout.take().expect("a pipe").read(&mut [0; 1024]).expect("output");
    let time = started.elapsed();
    assert!(read > 0);
    child.wait().expect("it ends");
    time
}

/// The processor time of all child processes that have ended.
pub(crate) fn processor_of_programs() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel knows");
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    Duration::from_micros(u64::try_from(microseconds).unwrap_or_default())
}

/// The time that the engine takes in this process. Its output is dropped.
pub(crate) fn engine(case: &Case, logs: &[PathBuf], threads: usize) -> Duration {
    let started = Instant::now();
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec![case.pattern.into()];
        query.pattern.syntax =
            if case.options.contains(&"-E") { GrepSyntax::Extended } else { GrepSyntax::Fixed };
        query.pattern.ignore_case = case.options.contains(&"-i");
        query.printing.what = if case.counts() { GrepPrint::Count } else { GrepPrint::Lines };
        query.printing.no_names = true;
    });
    let search = query.compile().expect("a pattern");
    let plan = Plan { threads: NonZero::new(threads).expect("a thread"), ..Plan::default() };
    let totals = search.run(&plan, "m", &exposed(logs), &mut Nowhere, &AtomicBool::new(false));
    assert!(totals.lines > 0 && totals.errors == 0, "{totals:?}");
    started.elapsed()
}

fn exposed(logs: &[PathBuf]) -> Vec<ExposedFile> {
    let globs: Vec<String> = logs.iter().map(|log| log.display().to_string()).collect();
    ExposedFiles::new(&globs).expect("globs").files(&FileFilter::default()).files
}

/// Drops all output.
struct Nowhere;

impl Output for Nowhere {
    fn lines(&mut self, _: Vec<u8>) -> Result<(), Stopped> {
        Ok(())
    }

    fn message(&mut self, _: String) -> Result<(), Stopped> {
        Ok(())
    }
}

/// The first line that a program prints about its version.
pub(crate) fn version(program: &str) -> String {
    let output =
        Command::new(program).arg("--version").output().expect("GNU grep and ripgrep in PATH");
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
}

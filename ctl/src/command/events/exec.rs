//! `events --exec`: a command for each change, one at a time.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use memberd_control::message::{EventRecord, MissedRecord};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::changes::Told;
use crate::exit::{Exit, Failure, complain};
use crate::format;

/// How many changes wait for the command at most.
const QUEUE: usize = 1_024;

/// How often a command that runs is looked at: at first, and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// The thread that runs the commands.
pub(super) struct Runner {
    /// Taken at the end, which ends the thread.
    queue: Option<SyncSender<Told>>,
    thread: Option<JoinHandle<()>>,
    /// How many changes did not fit into the queue since one last did.
    missed: u64,
}

impl Runner {
    /// Starts with nothing to do.
    pub(super) fn start(command: String, limit: Duration) -> Runner {
        let (queue, waiting) = sync_channel(QUEUE);
        let thread = std::thread::spawn(move || run_all(&command, limit, &waiting));
        Runner { queue: Some(queue), thread: Some(thread), missed: 0 }
    }

    /// Hands over a change. When too many wait, it is missed; the next that is not is preceded by
    /// how many were.
    pub(super) fn hand(&mut self, told: Told) -> Result<(), Failure> {
        let until = match &told {
            Told::Event(event) => event.time,
            Told::Missed(missed) => missed.until,
        };
        if self.missed > 0 {
            let gap = Told::Missed(MissedRecord { until, count: Some(self.missed) });
            if !self.offer(gap)? {
                self.missed += 1;
                return Ok(());
            }
            self.missed = 0;
        }
        if !self.offer(told)? {
            complain(&format!(
                "{QUEUE} changes wait for the command already: the next ones are missed"
            ));
            self.missed = 1;
        }
        Ok(())
    }

    /// Whether there was room for it.
    fn offer(&self, told: Told) -> Result<bool, Failure> {
        match self.queue.as_ref().map(|queue| queue.try_send(told)) {
            Some(Ok(())) => Ok(true),
            Some(Err(TrySendError::Full(_))) => Ok(false),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(Failure::new(
                Exit::Failed,
                "the commands cannot be run any more: run memberctl again",
            )),
        }
    }
}

impl Drop for Runner {
    /// What waits is still run.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run_all(command: &str, limit: Duration, waiting: &Receiver<Told>) {
    for told in waiting {
        if let Err(words) = run(command, limit, &told) {
            let about = match &told {
                Told::Event(event) => format!("{} {}", event.member.name, format::verb(event)),
                Told::Missed(_) => "a gap".to_owned(),
            };
            complain(&format!("the command for {about} {words}"));
        }
    }
}

fn run(command: &str, limit: Duration, told: &Told) -> Result<(), String> {
    let json = told.json().map_err(|failure| format!("was not run: {failure}"))?;
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).envs(environment(told)).stdin(Stdio::piped());
    // Its own process group, so that what it has started ends with it.
    let mut child =
        shell.process_group(0).spawn().map_err(|error| format!("was not run: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // Less than a pipe holds; a command need not read it.
        let _ = stdin.write_all(json.as_bytes());
    }
    wait(&mut child, limit)
}

fn wait(child: &mut Child, limit: Duration) -> Result<(), String> {
    let (begun, mut pause) = (Instant::now(), LOOK.0);
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("failed: {status}")),
            Ok(None) if begun.elapsed() >= limit => {
                if let Ok(id) = i32::try_from(child.id()) {
                    // An error means that it has ended just now.
                    let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
                }
                let _ = child.wait();
                return Err(format!(
                    "was killed after {} s: see --exec-timeout",
                    limit.as_secs_f32()
                ));
            }
            Ok(None) => std::thread::sleep(pause),
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
        pause = (pause * 2).min(LOOK.1);
    }
}

/// The change in variables, named as the journal's fields are.
fn environment(told: &Told) -> Vec<(String, String)> {
    let mut variables = match told {
        Told::Event(event) => of_event(event),
        Told::Missed(missed) => vec![
            ("EVENT", "gap".to_owned()),
            ("TIME", format::timestamp(missed.until)),
            ("MISSED", missed.count.map(|count| count.to_string()).unwrap_or_default()),
        ],
    }
    .into_iter()
    .map(|(name, value)| (format!("MEMBERD_{name}"), value))
    .collect::<Vec<_>>();
    if let Told::Event(event) = told {
        let tags = event.member.tags.iter();
        variables.extend(
            tags.map(|(key, value)| {
                (format!("MEMBERD_TAG_{}", word(key)), format::printable(value))
            }),
        );
    }
    variables
}

fn of_event(event: &EventRecord) -> Vec<(&'static str, String)> {
    let member = &event.member;
    let mut variables = vec![
        ("EVENT", format::verb(event).to_owned()),
        ("TIME", format::timestamp(event.time)),
        ("NAME", format::printable(&member.name)),
        ("ID", format::printable(&member.id)),
        ("ADDRESS", format::printable(&member.address)),
        ("PORT", member.port.to_string()),
        ("INCARNATION", member.incarnation.to_string()),
    ];
    if let Some(evidence) = &member.evidence {
        variables.push(("NOTICED_BY", format::printable(&evidence.accuser)));
        variables.push(("SILENT_MS", evidence.silent_for.to_string()));
    }
    variables
}

/// A tag's key as a part of a variable's name: capitals, and `_` for what has no place there.
fn word(key: &str) -> String {
    key.replace(|character: char| !character.is_ascii_alphanumeric(), "_").to_ascii_uppercase()
}

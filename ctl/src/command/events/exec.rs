//! `events --exec`: runs a command for each change, one at a time.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use memberd_control::message::{EventRecord, MissedRecord};

use crate::changes::Update;
use crate::exit::{Exit, Failure, print_message};
use crate::format;
use crate::process::Process;
use crate::view_events;

/// The most changes that wait for the command.
const QUEUE: usize = 1_024;

/// The thread that runs the commands.
pub(super) struct Runner {
    /// Dropping this at the end ends the thread.
    queue: Option<SyncSender<Update>>,
    thread: Option<JoinHandle<()>>,
    /// How many changes have not fitted into the queue since the last one that did.
    missed: u64,
}

impl Runner {
    /// Starts the thread.
    pub(super) fn start(command: String, limit: Duration) -> Runner {
        let (queue, waiting) = sync_channel(QUEUE);
        let thread = std::thread::spawn(move || run_all(&command, limit, &waiting));
        Runner { queue: Some(queue), thread: Some(thread), missed: 0 }
    }

    /// Hands over an update. If too many wait, it is dropped. The next one that fits is preceded by
    /// a gap with the number of those dropped.
    pub(super) fn enqueue(&mut self, update: Update) -> Result<(), Failure> {
        let until = update.time();
        if self.missed > 0 {
            let gap = Update::Missed(MissedRecord { until, count: Some(self.missed) });
            if !self.try_enqueue(gap)? {
                self.missed += 1;
                return Ok(());
            }
            self.missed = 0;
        }
        if !self.try_enqueue(update)? {
            print_message(&format!(
                "{QUEUE} changes wait for the command: the next ones are missed"
            ));
            self.missed = 1;
        }
        Ok(())
    }

    /// Whether the queue had room for it.
    fn try_enqueue(&self, update: Update) -> Result<bool, Failure> {
        match self.queue.as_ref().map(|queue| queue.try_send(update)) {
            Some(Ok(())) => Ok(true),
            Some(Err(TrySendError::Full(_))) => Ok(false),
            Some(Err(TrySendError::Disconnected(_))) | None => {
                Err(Failure::new(Exit::Failed, "cannot run any more commands: run memberctl again"))
            }
        }
    }
}

impl Drop for Runner {
    /// The command still runs for all updates that wait.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run_all(command: &str, limit: Duration, waiting: &Receiver<Update>) {
    for update in waiting {
        if let Err(problem) = run(command, limit, &update) {
            let about = match &update {
                Update::Event(event) => format!("{} {}", event.member.name, format::verb(event)),
                Update::View(event) => view_events::verb(event.change).to_owned(),
                Update::Missed(_) => "a gap".to_owned(),
            };
            print_message(&format!("the command for {about} {problem}"));
        }
    }
}

fn run(command: &str, limit: Duration, update: &Update) -> Result<(), String> {
    let json = update.json().map_err(|failure| format!("was not run: {failure}"))?;
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).envs(environment(update)).stdin(Stdio::piped());
    let mut process =
        Process::start(&mut shell).map_err(|error| format!("was not run: {error}"))?;
    if let Some(mut stdin) = process.take_stdin() {
        // The object is smaller than a pipe, so this does not wait. The command need not read it.
        let _ = stdin.write_all(json.as_bytes());
    }
    match process.wait_at_most(limit) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(format!("failed: {status}")),
        Ok(None) => Err(format!("was killed after {} s: see --exec-timeout", limit.as_secs_f32())),
        Err(error) => Err(format!("cannot be waited for: {error}")),
    }
}

/// The update as variables, which are named like the journal's fields.
fn environment(update: &Update) -> Vec<(String, String)> {
    let mut variables = match update {
        Update::Event(event) => of_event(event),
        Update::View(event) => view_events::variables(event),
        Update::Missed(missed) => vec![
            ("EVENT", "gap".to_owned()),
            ("TIME", format::timestamp(missed.until)),
            ("MISSED", missed.count.map(|count| count.to_string()).unwrap_or_default()),
        ],
    }
    .into_iter()
    .map(|(name, value)| (format!("MEMBERD_{name}"), value))
    .collect::<Vec<_>>();
    if let Update::Event(event) = update {
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

/// A tag's key as part of a variable's name: in capitals, with `_` for other characters.
fn word(key: &str) -> String {
    key.replace(|character: char| !character.is_ascii_alphanumeric(), "_").to_ascii_uppercase()
}

//! The grep of the screen: another memberctl, whose process ends with the pane.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::feed::Input;
use crate::connection::Daemon;
use crate::format;
use crate::process::Process;

/// The longest line that is kept, in bytes. The rest of a longer line is dropped.
const LONGEST_LINE: u64 = 4_096;

/// A running grep, which is killed when this is dropped.
pub(super) struct Search {
    number: u64,
    process: Arc<Mutex<Process>>,
}

impl Search {
    /// Starts a grep for what the user typed: a pattern, or options and a pattern.
    pub(super) fn start(
        daemon: &Daemon,
        line: &str,
        sender: SyncSender<Input>,
    ) -> Result<Search, String> {
        let program =
            std::env::current_exe().map_err(|error| format!("cannot find memberctl: {error}"))?;
        let mut command = Command::new(program);
        command.arg("--socket").arg(&daemon.socket).arg("grep").args(arguments(line));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::start(&mut command)
            .map_err(|error| format!("cannot start memberctl: {error}"))?;
        let number = u64::from(process.id());
        let pipes = process.take_output();
        let process = Arc::new(Mutex::new(process));
        let ended = Arc::clone(&process);
        thread::spawn(move || {
            let errors = pipes.1.map(|pipe| {
                let sender = sender.clone();
                thread::spawn(move || pass_on(pipe, number, &sender))
            });
            if let Some(pipe) = pipes.0 {
                pass_on(pipe, number, &sender);
            }
            if let Some(errors) = errors {
                let _ = errors.join();
            }
            let status = ended.lock().unwrap_or_else(PoisonError::into_inner).wait();
            let state = match status.map(|status| status.code()) {
                Ok(Some(0)) => "done",
                Ok(Some(1)) => "done: no line matched",
                Ok(Some(3)) => "done: not every member answered",
                _ => "ended with an error",
            };
            let _ = sender.send(Input::SearchEnded(number, state.to_owned()));
        });
        Ok(Search { number, process })
    }

    /// The number that its lines carry.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        // An error means that it has ended. Its thread waits for the process.
        let _ = self.process.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }
}

/// The words of the line if it begins with an option; else the whole line as one pattern.
fn arguments(line: &str) -> Vec<String> {
    let line = line.trim();
    if line.starts_with('-') {
        line.split_whitespace().map(str::to_owned).collect()
    } else {
        vec!["-e".to_owned(), line.to_owned()]
    }
}

fn pass_on(pipe: impl Read, number: u64, sender: &SyncSender<Input>) {
    let mut reader = BufReader::new(pipe);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if !line.ends_with(b"\n") && reader.skip_until(b'\n').is_err() {
            return;
        }
        let text = format::printable(String::from_utf8_lossy(&line).trim_end_matches('\n'));
        if sender.send(Input::GrepLine(number, text)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn a_typed_line_is_a_pattern_unless_it_begins_with_options() {
        assert_eq!(arguments(" timed out "), ["-e", "timed out"]);
        assert_eq!(arguments("-i -c error nginx*"), ["-i", "-c", "error", "nginx*"]);
    }

    #[test]
    fn the_rest_of_a_line_that_is_too_long_is_left_out() {
        let longest = usize::try_from(LONGEST_LINE).unwrap();
        let of = |length: usize| "x".repeat(length);
        let text = [
            of(longest - 1),
            of(longest),
            of(longest + 1),
            of(1 << 20),
            "next".to_owned(),
            of(longest + 1),
        ]
        .join("\n");
        let (sender, found) = sync_channel(1_000);
        pass_on(text.as_bytes(), 7, &sender);
        drop(sender);
        let lines = found.iter().map(|input| match input {
            Input::GrepLine(7, line) => line,
            other => panic!("{other:?}"),
        });
        let lines: Vec<String> = lines.collect();
        assert_eq!(
            lines,
            [
                of(longest - 1),
                of(longest),
                of(longest),
                of(longest),
                "next".to_owned(),
                of(longest)
            ]
        );
    }
}

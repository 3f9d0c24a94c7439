//! A program on a terminal of its own, which script(1) of util-linux provides.

use crate::binaries::mortal;
use crate::process::Running;
use crate::wait::{SOON, holds};
use crate::wait_until;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// The terminal: keys go in, and what is drawn comes out.
#[derive(Debug)]
pub struct Terminal {
    running: Running,
    keys: ChildStdin,
    screen: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Terminal {
    /// Runs a line of sh(1) on it, with these additions to the environment.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(line: &str, environment: &[(&str, &Path)]) -> Self {
        let mut command = mortal(Path::new("script"), None);
        command
            .args(["-qec", line, "/dev/null"])
            .env("TERM", "xterm")
            .envs(environment.iter().copied());
        let mut running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let keys = running.child().stdin.take().expect("a pipe was asked for");
        let mut drawn = running.child().stdout.take().expect("a pipe was asked for");
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = drawn.read(&mut piece) {
                let piece = piece.get(..count).unwrap_or_default().to_vec();
                if sender.send(piece).is_err() {
                    break;
                }
            }
        });
        Terminal { running, keys, screen, seen: Vec::new() }
    }

    /// Types.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Waits until all that has been drawn so far contains these words.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_until_shown(&mut self, words: &str) {
        wait_until(&format!("the terminal shows {words:?}"), SOON, || {
            let text = self.seen();
            holds(text.contains(words), || text)
        });
    }

    /// All that has been drawn so far.
    pub fn seen(&mut self) -> String {
        self.seen.extend(self.screen.try_iter().flatten());
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Waits until the program has ended.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait(&mut self) -> ExitStatus {
        self.running.wait(SOON)
    }
}

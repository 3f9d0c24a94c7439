//! What an administrator types on a host and reads there. The test prints it, and
//! `packaging/INSTALL.md` shows it.

use memberd_tests::hosts::Host;
use memberd_tests::section::Section;
use std::env;
use std::fmt::Write as _;
use std::path::Path;

/// Where the transcript is.
const SECTION: Section = Section("<!-- written by make transcript -->\n");

/// The page of the sources.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/INSTALL.md");

/// All of it so far.
#[derive(Debug, Default)]
pub(crate) struct Transcript(String);

impl Transcript {
    /// Types a line on a host and returns what it printed, to both outputs. Lines before the first
    /// that begins with `from` are left out of the transcript, which shows that.
    pub(crate) fn shown_from(&mut self, from: &str, host: &Host, line: &str) -> String {
        let printed = host.shell(&format!("cd; {line} 2>&1"));
        eprintln!("{}# {line}\n{}", host.name(), printed.trim_end());
        let _ = writeln!(self.0, "{}# {line}", host.name());
        let skipped = printed.lines().take_while(|line| !line.starts_with(from)).count();
        if skipped > 0 {
            self.0.push_str("[...]\n");
        }
        for line in printed.lines().skip(skipped) {
            let _ = writeln!(self.0, "{}", line.trim_end());
        }
        printed
    }

    /// As [`Transcript::shown_from`], with nothing left out.
    pub(crate) fn shown(&mut self, host: &Host, line: &str) -> String {
        self.shown_from("", host, line)
    }

    /// Says what is done elsewhere.
    pub(crate) fn note(&mut self, words: &str) {
        let _ = writeln!(self.0, "\n{words}\n");
    }

    /// Writes the transcript to the page that `TRANSCRIPT` names (`make transcript`). Without that
    /// variable, checks that the page shows the same typed lines: the output has times in it.
    pub(crate) fn into_page(self) {
        let path = env::var_os("TRANSCRIPT");
        if let Some(path) = path {
            SECTION.write(Path::new(&path), &format!("```\n{}```\n", self.0));
        } else {
            let shown = SECTION.read(Path::new(PAGE));
            assert_eq!(
                typed(&shown),
                typed(&self.0),
                "the page shows something else: make transcript writes it anew"
            );
        }
    }
}

/// The lines with a prompt.
fn typed(transcript: &str) -> Vec<&str> {
    transcript.lines().filter(|line| line.starts_with("vm") && line.contains("# ")).collect()
}

//! Runs GNU grep and this crate over the same files and compares what they print, byte for byte.

#![allow(unreachable_pub, dead_code, reason = "shared by several test programs, each with its own needs")]

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use memberd_search::{Narrow, Offer, Output, Print, Query, Stopped, Syntax};
use tempfile::TempDir;

/// What a run printed and returned.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub output: Vec<u8>,
    pub messages: Vec<String>,
    pub status: i32,
}

impl Outcome {
    /// What this has that `other` has not.
    fn beyond(&self, other: &Outcome) -> String {
        let lines: Vec<&[u8]> = other.output.split(|b| *b == b'\n').collect();
        let extra: Vec<String> = self
            .output
            .split(|b| *b == b'\n')
            .filter(|line| !lines.contains(line))
            .map(|line| line.escape_ascii().to_string())
            .take(5)
            .collect();
        format!("status {}, {} bytes, {:?}, only here: {extra:#?}", self.status, self.output.len(), self.messages)
    }
}

/// A directory with files to search.
pub struct Bench {
    directory: TempDir,
    offer: Offer,
    files: Vec<PathBuf>,
}

/// The name of the machine, for grep the link `m1:` that leads to the root, so that its file names are ours.
const MACHINE: &str = "m1";

impl Bench {
    pub fn new(files: &[(&str, &[u8])]) -> Bench {
        let directory = TempDir::new().unwrap();
        symlink("/", directory.path().join(format!("{MACHINE}:"))).unwrap();
        let mut paths = Vec::new();
        for (name, content) in files {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            paths.push(path);
        }
        paths.sort();
        let offer = Offer::new(&[directory.path().join("*").to_str().unwrap()]).unwrap();
        Bench { directory, offer, files: paths }
    }

    /// What GNU grep does; none when it is not done within 20 s, which for some patterns it never is.
    pub fn theirs(&self, query: &Query, locale: &str) -> Option<Outcome> {
        let mut command = Command::new("timeout");
        command
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", locale)
            .args(["20", "grep"])
            .args(arguments(query));
        if query.patterns.is_empty() {
            command.arg("-f").arg("/dev/null");
        }
        for pattern in &query.patterns {
            command.arg("-e").arg(pattern);
        }
        for path in &self.files {
            command.arg(format!("{MACHINE}:{}", path.display()));
        }
        let result = command.output().expect("timeout (GNU coreutils) is needed in PATH for these tests");
        let status = result.status.code().unwrap();
        assert!(status <= 124, "GNU grep is needed in PATH for these tests: {:?}", result.stderr.escape_ascii());
        if status == 124 {
            return None;
        }
        let messages = String::from_utf8_lossy(&result.stderr)
            .lines()
            .filter(|line| !line.starts_with("grep: warning:"))
            .map(|line| line.trim_start_matches("grep: ").to_owned())
            .collect();
        Some(Outcome { output: result.stdout, messages, status })
    }

    /// What this crate does.
    pub fn ours(&self, query: &Query) -> Outcome {
        let search = match query.compile() {
            Ok(search) => search,
            Err(error) => {
                return Outcome { output: Vec::new(), messages: vec![error.to_string()], status: 2 };
            }
        };
        let files = self.offer.files(&Narrow::default()).files;
        assert_eq!(files.len(), self.files.len());
        let mut gathered = Gathered::default();
        let totals = search.run(MACHINE, &files, &mut gathered, &AtomicBool::new(false));
        assert!(!totals.interrupted);
        let quiet_success = query.print == Print::Nothing && totals.lines > 0;
        let status = match (totals.errors, totals.lines) {
            (1.., _) if !quiet_success => 2,
            (_, 0) => 1,
            _ => 0,
        };
        Outcome { output: gathered.output, messages: gathered.messages, status }
    }

    /// The difference between the two, if there is any, and GNU grep came to an end.
    pub fn difference(&self, query: &Query, locale: &str) -> Option<String> {
        let theirs = self.theirs(query, locale)?;
        let ours = self.ours(query);
        (theirs != ours).then(|| {
            format!(
                "grep {:?} {:?} LC_ALL={locale}\n  grep: {}\n  ours: {}",
                arguments(query),
                query.patterns,
                theirs.beyond(&ours),
                ours.beyond(&theirs)
            )
        })
    }
}

/// The options of grep's command line that ask for `query`.
pub fn arguments(query: &Query) -> Vec<String> {
    let mut arguments = vec![];
    let mut flag = |on: bool, option: &str| {
        if on {
            arguments.push(option.to_owned());
        }
    };
    flag(query.syntax == Syntax::Basic, "-G");
    flag(query.syntax == Syntax::Extended, "-E");
    flag(query.syntax == Syntax::Fixed, "-F");
    flag(query.ignore_case, "-i");
    flag(query.invert, "-v");
    flag(query.words, "-w");
    flag(query.whole_lines, "-x");
    flag(query.print == Print::Matches, "-o");
    flag(query.print == Print::Count, "-c");
    flag(query.print == Print::FilesWithMatch, "-l");
    flag(query.print == Print::FilesWithoutMatch, "-L");
    flag(query.print == Print::Nothing, "-q");
    flag(query.line_numbers, "-n");
    flag(query.no_names, "-h");
    flag(!query.no_names, "-H");
    flag(query.no_messages, "-s");
    flag(query.color, "--color=always");
    if let Some(count) = query.max_count {
        arguments.push(format!("-m{count}"));
    }
    if query.before_context > 0 {
        arguments.push(format!("-B{}", query.before_context));
    }
    if query.after_context > 0 {
        arguments.push(format!("-A{}", query.after_context));
    }
    arguments
}

/// An output that keeps everything.
#[derive(Default)]
pub struct Gathered {
    pub output: Vec<u8>,
    pub messages: Vec<String>,
}

impl Output for Gathered {
    fn lines(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        assert_eq!(bytes.last(), Some(&b'\n'), "chunks end at line ends");
        self.output.extend_from_slice(bytes);
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.messages.push(format!("{MACHINE}:{text}"));
        Ok(())
    }
}

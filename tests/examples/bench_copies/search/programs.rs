//! Runs the programs that search, and compares what they find. It owns no state.

use memberd_search::{GrepSyntax, Query, Search};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How large the buffer is through which an output is read.
const READ_BYTES: usize = 1 << 18;

/// What a search found. It is the same for equal lines in any order, since programs search files
/// side by side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// How many lines.
    pub(crate) lines: u64,
    /// The sum of their hashes.
    sum: u64,
}

impl Found {
    /// Adds a line of the output: a line of the text, or how many there are in a file.
    fn add(&mut self, line: &[u8], is_count: bool) {
        if is_count {
            let count = str::from_utf8(line).ok().and_then(|line| line.trim().parse::<u64>().ok());
            self.lines += count.expect("a count");
            return;
        }
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        self.lines += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

/// The pattern of a search, and the options that all the programs understand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pattern {
    pub(crate) options: &'static [&'static str],
    pub(crate) pattern: &'static str,
}

impl Pattern {
    fn counts(self) -> bool {
        self.options.contains(&"-c")
    }

    /// The arguments of ripgrep, where -E has another meaning.
    pub(crate) fn of_ripgrep(self) -> Vec<&'static str> {
        let options = self.options.iter().filter(|option| **option != "-E");
        options.copied().chain(["-e", self.pattern]).collect()
    }

    /// The search that memberd makes of it.
    pub(crate) fn search(self) -> Search {
        let query = Query::default().with(|query| {
            query.pattern.patterns = vec![self.pattern.into()];
            query.pattern.syntax =
                if self.options.contains(&"-E") { GrepSyntax::Extended } else { GrepSyntax::Fixed };
            query.pattern.ignore_case = self.options.contains(&"-i");
            query.pattern.words = self.options.contains(&"-w");
        });
        query.compile().expect("a pattern")
    }

    /// The arguments of GNU grep, and ours.
    pub(crate) fn of_grep(self) -> Vec<&'static str> {
        self.options.iter().copied().chain(["-e", self.pattern]).collect()
    }
}

/// Runs a program that searches for a pattern, and reads its whole output. Returns what it found,
/// and how long that took.
///
/// # Panics
/// When it fails.
pub(crate) fn run(command: &mut Command, pattern: Pattern) -> (Found, Duration) {
    let started = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let messages = child.stderr.take().map(memberd_tests::process::collect);
    let mut output = BufReader::with_capacity(READ_BYTES, child.stdout.take().expect("a pipe"));
    let (mut found, mut line) = (Found::default(), Vec::new());
    while output.read_until(b'\n', &mut line).expect("output") > 0 {
        found.add(&line, pattern.counts());
        line.clear();
    }
    let status = child.wait().expect("it ends");
    let took = started.elapsed();
    let messages = messages.map(|reader| reader.join().expect("messages")).unwrap_or_default();
    let messages = String::from_utf8_lossy(&messages);
    // grep's status 1: no line. 2, without another message: the copy was sealed some seconds before
    // its source died, as the corpus is written; the lines are compared all the same.
    let short_copy = messages.lines().count() == 1 && messages.contains(": its logs as ");
    let ended_well =
        matches!(status.code(), Some(0 | 1)) || (status.code() == Some(2) && short_copy);
    assert!(ended_well, "{status}: {}", messages.trim_end());
    (found, took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lines_in_another_order_are_found_equal() {
        let of = |text: &str, options| {
            run(Command::new("printf").arg(text), Pattern { options, pattern: "" }).0
        };
        assert_eq!(of("2\\n0\\n3\\n", &["-c"]).lines, 5);
        let of = |text: &str| of(text, &[]);
        assert_eq!(of("one\\ntwo\\n"), of("two\\none\\n"));
        assert_ne!(of("one\\ntwo\\n"), of("one\\ntwo\\ntwo\\n"));
        assert_ne!(of("one\\n"), of("two\\n"));
    }
}

//! Compares text that is kept of a machine's logs, or that a search printed of them, with what the
//! machine wrote: whole lines, in order, no gap, no line twice.

use super::line::{LineId, Log};
use super::truth::Truth;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Consecutive lines of one generation of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// The file, as the search names it.
    pub(super) path: PathBuf,
    pub(super) log: Log,
    pub(super) generation: usize,
    /// The first line, and the one after the last.
    pub(super) first: u64,
    pub(super) end: u64,
}

/// Takes lines one after the other, and sees whether they are what was written.
#[derive(Debug)]
pub(super) struct Follow<'t> {
    truth: &'t Truth,
    runs: Vec<Run>,
    /// Where the next line of the last run lies in its file, in bytes.
    offset: u64,
    /// What the next line should be.
    expected: String,
}

impl<'t> Follow<'t> {
    pub(super) fn new(truth: &'t Truth) -> Self {
        Follow { truth, runs: Vec::new(), offset: 0, expected: String::new() }
    }

    /// Takes the next line, without its line end, and where it is said to lie in its file.
    ///
    /// # Errors
    /// When it is not what was written there, or does not follow the line before it.
    pub(super) fn take(&mut self, path: &Path, offset: u64, text: &[u8]) -> Result<(), String> {
        let machine = self.truth.machine();
        let said = || String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned();
        let line = LineId::claimed(machine, text).ok_or_else(|| {
            format!("{}:{offset}: no line of {machine}: {}", path.display(), said())
        })?;
        let fault = |words: &str| Err(format!("{}:{offset}: {words}: {}", path.display(), said()));
        let is_more = self.runs.last().is_some_and(|run| {
            run.path == path && (run.log, run.generation) == (line.log, line.generation)
        });
        if !is_more {
            self.begin(path, offset, line)?;
        }
        let Some(run) = self.runs.last_mut() else { return Ok(()) };
        if line.number != run.end {
            return fault(&format!("line {} should come here", run.end));
        }
        if offset != self.offset {
            return fault(&format!("it lies at byte {}", self.offset));
        }
        if line.number >= self.truth.lines(line.log, line.generation) {
            return fault("nobody has written it");
        }
        self.expected.clear();
        line.write(machine, &mut self.expected);
        if self.expected.as_bytes().strip_suffix(b"\n") != Some(text) {
            return fault("it was written differently");
        }
        self.offset += self.expected.len() as u64;
        run.end += 1;
        Ok(())
    }

    fn begin(&mut self, path: &Path, offset: u64, line: LineId) -> Result<(), String> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.starts_with(line.log.file()) {
            return Err(format!("{}: has a line of {}", path.display(), line.log.file()));
        }
        let same = |run: &&Run| (run.log, run.generation) == (line.log, line.generation);
        if let Some(earlier) = self.runs.iter().find(same) {
            return Err(format!("{}:{offset}: {line:?} again, after {earlier:?}", path.display()));
        }
        self.offset = self.truth.offset(line).ok_or_else(|| format!("no such line: {line:?}"))?;
        let LineId { log, generation, number } = line;
        let path = path.to_owned();
        self.runs.push(Run { path, log, generation, first: number, end: number });
        Ok(())
    }

    /// What came.
    pub(super) fn runs(self) -> Vec<Run> {
        self.runs
    }
}

/// What a search of one machine's logs printed.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) runs: Vec<Run>,
    /// What it printed of files that are not the storm's: `machine.i.log`.
    pub(super) others: BTreeMap<PathBuf, Vec<u8>>,
    /// Standard error.
    pub(super) said: String,
}

impl Answer {
    /// Reads the output of `memberctl grep -b` for every line of one machine.
    ///
    /// # Errors
    /// When it is not what the machine wrote.
    pub(super) fn read(truth: &Truth, stdout: &[u8], said: String) -> Result<Answer, String> {
        let mut follow = Follow::new(truth);
        let mut others: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
        if stdout.is_empty() {
            return Ok(Answer { runs: Vec::new(), others, said });
        }
        let text = stdout.strip_suffix(b"\n").ok_or("half a line is printed")?;
        for line in text.split(|byte| *byte == b'\n') {
            let (path, offset, text) = parts(truth.machine(), line).ok_or_else(|| {
                let begin = String::from_utf8_lossy(&line[..line.len().min(200)]);
                format!("this is no line of a search: {begin}")
            })?;
            if is_storm(path) {
                follow.take(path, offset, text)?;
                continue;
            }
            let other = others.entry(path.to_owned()).or_default();
            if other.len() as u64 != offset {
                return Err(format!("{}: byte {offset} after {}", path.display(), other.len()));
            }
            other.extend_from_slice(text);
            other.push(b'\n');
        }
        let answer = Answer { runs: follow.runs(), others, said };
        answer.others_are_prefixes()?;
        answer.beginnings_are_told()?;
        Ok(answer)
    }

    /// The other files are there to be compared with.
    fn others_are_prefixes(&self) -> Result<(), String> {
        for (path, text) in &self.others {
            let written =
                std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            if !written.starts_with(text) {
                return Err(format!("{}: {} bytes differ", path.display(), text.len()));
            }
        }
        Ok(())
    }

    /// Only the beginning may be missing, and that is told.
    fn beginnings_are_told(&self) -> Result<(), String> {
        for run in self.runs.iter().filter(|run| run.first > 0) {
            let of_file = format!("{}: its first ", run.path.display());
            let is_told = self.said.contains(&of_file) || self.said.contains("not kept any more");
            if !is_told {
                return Err(format!("nothing is said of the beginning of {run:?}: {}", self.said));
            }
        }
        Ok(())
    }

    /// A search with rotated files prints the generations of each log in their order.
    ///
    /// # Errors
    /// When it did not.
    pub(super) fn is_in_order(&self) -> Result<(), String> {
        let runs = self.runs.windows(2);
        let wrong = runs
            .into_iter()
            .find(|pair| pair[0].log == pair[1].log && pair[0].generation > pair[1].generation);
        wrong.map_or(Ok(()), |pair| Err(format!("out of order: {pair:?}")))
    }

    /// A search without rotated files prints one generation of each log, under the log's own path.
    ///
    /// # Errors
    /// When it did not.
    pub(super) fn is_live(&self) -> Result<(), String> {
        let mut logs = BTreeSet::new();
        for run in &self.runs {
            if !run.path.ends_with(run.log.file()) || !logs.insert(run.log) {
                return Err(format!("not the live file, or one of two: {run:?}"));
            }
        }
        Ok(())
    }

    /// How many lines there are.
    pub(super) fn lines(&self) -> u64 {
        self.runs.iter().map(|run| run.end - run.first).sum()
    }

    /// How long before this moment the first line of this log was written that is missing at its
    /// end.
    pub(super) fn lacks(&self, truth: &Truth, log: Log, until: Instant) -> Duration {
        let of_log = self.runs.iter().filter(|run| run.log == log);
        let last = of_log.max_by_key(|run| run.generation);
        let (generation, end) =
            last.map_or((truth.newest(log).0, 0), |run| (run.generation, run.end));
        let missing = truth.first_after(log, generation, end);
        missing.map_or(Duration::ZERO, |at| until.saturating_duration_since(at))
    }

    /// The generations before the last of a log whose end is missing, and by how many lines.
    pub(super) fn holes(&self, truth: &Truth) -> Vec<(Log, usize, u64)> {
        let mut holes = Vec::new();
        for run in &self.runs {
            let is_last = !self
                .runs
                .iter()
                .any(|other| other.log == run.log && other.generation > run.generation);
            let missing = truth.lines(run.log, run.generation).saturating_sub(run.end);
            if missing > 0 && !is_last {
                holes.push((run.log, run.generation, missing));
            }
        }
        holes
    }
}

/// Whether a file is one of those that machines write.
pub(super) fn is_storm(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    Log::ALL.iter().any(|log| name.starts_with(log.file()))
}

/// The path, offset and text of `vm3:/srv/shop.log:120:text`.
fn parts<'l>(machine: &str, line: &'l [u8]) -> Option<(&'l Path, u64, &'l [u8])> {
    let rest = line.strip_prefix(machine.as_bytes())?.strip_prefix(b":")?;
    let mut parts = rest.splitn(3, |byte| *byte == b':');
    let path = std::str::from_utf8(parts.next()?).ok()?;
    let offset = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    Some((Path::new(path), offset, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a search prints of these lines of a log.
    fn printed(truth: &Truth, path: &str, generation: usize, numbers: &[u64]) -> String {
        let lines = numbers.iter().map(|number| {
            let line = LineId { log: Log::Renamed, generation, number: *number };
            let (offset, mut text) = (truth.offset(line).unwrap(), String::new());
            line.write(truth.machine(), &mut text);
            format!("vm3:/d/{path}:{offset}:{text}")
        });
        lines.collect()
    }

    fn truth() -> Truth {
        let mut truth = Truth::new("vm3");
        let _ = truth.add(Log::Renamed, 5);
        truth.rotate(Log::Renamed);
        let _ = truth.add(Log::Renamed, 5);
        truth
    }

    fn read(stdout: &str, said: &str) -> Result<Answer, String> {
        Answer::read(&truth(), stdout.as_bytes(), said.to_owned())
    }

    #[test]
    fn prefixes_of_each_generation_are_right() {
        let truth = truth();
        let old = printed(&truth, "renamed.log.1", 0, &[0, 1, 2, 3, 4]);
        let new = printed(&truth, "renamed.log", 1, &[0, 1, 2]);
        let answer = read(&(old + &new), "").unwrap();
        assert_eq!((answer.runs.len(), answer.lines()), (2, 8));
        answer.is_in_order().unwrap();
        answer.is_live().unwrap_err();
        assert!(answer.holes(&truth).is_empty());
        assert!(answer.lacks(&truth, Log::Renamed, Instant::now()) > Duration::ZERO);
        let all = read(&printed(&truth, "renamed.log", 1, &[0, 1, 2, 3, 4]), "").unwrap();
        all.is_live().unwrap();
        assert_eq!(all.lacks(&truth, Log::Renamed, Instant::now()), Duration::ZERO);
        assert_eq!(read("", "").unwrap().lines(), 0);
    }

    #[test]
    fn what_is_not_a_prefix_is_found() {
        let truth = truth();
        let lines = |numbers: &[u64]| printed(&truth, "renamed.log", 0, numbers);
        let one = lines(&[0, 1]);
        for (stdout, words) in [
            (lines(&[0, 2]), "line 1 should come here"),
            (lines(&[0, 1, 1]), "line 2 should come here"),
            (lines(&[1, 0]), "line 2 should come here"),
            (lines(&[1, 2]), "nothing is said of the beginning"),
            (one.clone() + &printed(&truth, "renamed.log.1", 0, &[0]), "again, after"),
            (one.replace("vm3:", "vm4:"), "no line of a search"),
            (one.replace("storm vm3", "storm vm4"), "no line of vm3"),
            (one.replace(":0:", ":1:"), "it lies at byte 0"),
            (one.replace("renamed.log 0 0 ", "renamed.log 0 9 "), "no such line"),
            (one.trim_end().to_owned(), "half a line"),
            (one[..one.len() - 2].to_owned() + "\n", "written differently"),
            (one.replace("renamed.log:", "steady.log:"), "has a line of renamed.log"),
        ] {
            let error = read(&stdout, "").map(drop).unwrap_err();
            assert!(error.contains(words), "{words}: {error}");
        }
        read(&lines(&[1, 2]), "/d/renamed.log: its first 9 bytes are not kept: ...").unwrap();
        let swapped = printed(&truth, "renamed.log.1", 1, &[0]) + &one;
        read(&swapped, "").unwrap().is_in_order().unwrap_err();
    }
}

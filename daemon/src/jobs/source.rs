//! Reads what a job counts on this machine: looks at its files, and has the worker sum ranges of
//! them. [`LocalReader`] owns what is known of the files of one job.

use super::readers::{Reader, Turns};
use super::source_files::SourceFiles;
use super::sums::{LIMITS, by_partition, sums_of};
use crate::search::LocalSearcher;
use memberd_control::grep::GrepPattern;
use memberd_jobs::{FileKey, FoldAsk, FoldRange, Folded, JobSpec, Look, Name, StreamSums};
use memberd_membership::Tags;
use memberd_streams::Query;
use memberd_worker::{OpenRange, Question, RangeSums, fold_ranges};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tracing::{debug, info, warn};

/// The most files that are open at once to sum ranges of them. The ranges beyond are asked for
/// again.
const MAX_RANGES: usize = 64;

/// What this machine reads for jobs. It is cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Sources {
    name: Name,
    /// What it offers, and where its worker is.
    searcher: Arc<LocalSearcher>,
    /// Its tags when the daemon started.
    tags: Arc<Tags>,
    /// Whose ranges the worker sums now.
    turns: Turns,
}

impl Sources {
    /// Those of the machine of this name.
    pub(super) fn new(name: Name, searcher: Arc<LocalSearcher>, tags: Tags) -> Sources {
        Sources { name, searcher, tags: Arc::new(tags), turns: Turns::default() }
    }

    /// Whether lines can be found by the pattern of this query. It blocks.
    ///
    /// # Errors
    /// When they cannot: one line.
    pub(super) fn check_pattern(&self, query: &str) -> Result<(), String> {
        self.searcher.check_pattern(pattern(query))
    }

    /// Reads the files of one job.
    pub(super) fn reader(&self, spec: Arc<JobSpec>) -> LocalReader {
        let fits = |(key, value): &(String, String)| {
            self.tags.iter().any(|(own, is)| (own.as_str(), is.as_str()) == (key, value))
        };
        let takes_part = spec.tags.iter().all(fits);
        let files = takes_part.then(|| SourceFiles::new(Arc::clone(&self.searcher), &spec));
        let sums = sums_of(&spec);
        LocalReader {
            sources: self.clone(),
            question: question(&self.name, &spec),
            sums,
            files,
            spec,
            is_failing: false,
        }
    }
}

/// The lines that a query is about, in the words of grep.
fn pattern(query: &str) -> GrepPattern {
    let query = Query::parse(query);
    let pattern = query.as_ref().ok().and_then(Query::pattern).unwrap_or_default();
    GrepPattern { patterns: vec![pattern.into()], ..GrepPattern::default() }
}

/// What the worker is asked about each range, on one thread. Where files begin to count is in the
/// ranges.
fn question(member: &Name, spec: &JobSpec) -> Question {
    Question {
        member: member.to_string(),
        query: spec.query.clone(),
        pattern: pattern(&spec.query),
        groups: LIMITS.groups as u64,
        threads: 1,
        no_messages: true,
        ..Question::default()
    }
}

/// Reads the files of one job.
#[derive(Debug)]
pub(super) struct LocalReader {
    sources: Sources,
    spec: Arc<JobSpec>,
    question: Question,
    sums: Option<StreamSums>,
    /// None: this machine does not take part, and says so by having no files.
    files: Option<SourceFiles>,
    /// Whether it was told that the worker does not count.
    is_failing: bool,
}

impl Reader for LocalReader {
    fn look(&mut self, released: &BTreeMap<FileKey, u64>) -> Look {
        match &mut self.files {
            Some(files) => files.look(released),
            None => Look { began_ms: super::task::now().wall_ms, files: Vec::new() },
        }
    }

    fn fold(&mut self, ask: &FoldAsk) -> Vec<Option<Folded>> {
        // Before anything is opened: who waits keeps no files open.
        let turns = self.sources.turns.clone();
        let _turn = turns.take();
        let asked = ask.ranges.iter().take(MAX_RANGES);
        let opened: Vec<_> = asked.map(|range| self.open(range)).collect();
        let is_open: Vec<bool> = opened.iter().map(Option::is_some).collect();
        let opened: Vec<OpenRange> = opened.into_iter().flatten().collect();
        let mut sums = self.sum(&opened).into_iter().zip(&opened);
        let mut folded = Vec::new();
        for (range, is_open) in ask.ranges.iter().zip(is_open) {
            if !is_open {
                folded.push(None);
                continue;
            }
            // What is left out is asked for again.
            let Some((sums, opened)) = sums.next() else { break };
            let sums = sums.filter(|sums| self.is_still(range, opened, sums));
            folded.push(sums.and_then(|sums| self.divide(range, &sums)));
        }
        folded
    }
}

impl LocalReader {
    fn open(&mut self, range: &FoldRange) -> Option<OpenRange> {
        self.files.as_mut()?.open(range.file, range.from, range.to)
    }

    /// Whether what was read is what was asked for: a file may be truncated at any time.
    fn is_still(&self, range: &FoldRange, opened: &OpenRange, sums: &RangeSums) -> bool {
        let files = self.files.as_ref();
        files.is_some_and(|files| files.is_still(range.file, &opened.file, sums.to))
    }

    /// The sums of each range, or None.
    fn sum(&mut self, ranges: &[OpenRange]) -> Vec<Option<RangeSums>> {
        if ranges.is_empty() {
            return Vec::new();
        }
        let summed = match self.sources.searcher.worker() {
            None => Err("streams.enabled is false".to_owned()),
            Some(worker) => {
                let cancel = AtomicBool::new(false);
                let summed = fold_ranges(&worker, &self.question, ranges, &cancel);
                summed.map_err(|error| error.to_string())
            }
        };
        self.tell(summed.as_ref().err());
        match summed {
            Ok(sums) => sums.into_iter().map(|sums| self.told(sums)).collect(),
            Err(_) => vec![None; ranges.len()],
        }
    }

    /// Tells once that the worker does not count, and once that it does again.
    fn tell(&mut self, failed: Option<&String>) {
        let job = &self.spec.name;
        match (failed, std::mem::replace(&mut self.is_failing, failed.is_some())) {
            (Some(why), false) => warn!(job, why, "the worker does not count the lines of a job"),
            (None, true) => info!(job, "the worker counts the lines of a job again"),
            (Some(_), true) | (None, false) => {}
        }
    }

    fn told<E: std::fmt::Display>(&self, sums: Result<RangeSums, E>) -> Option<RangeSums> {
        sums.inspect_err(|why| debug!(job = self.spec.name, %why, "a range is not read")).ok()
    }

    fn divide(&self, range: &FoldRange, sums: &RangeSums) -> Option<Folded> {
        let parts =
            by_partition(self.sums.as_ref()?, &self.spec, &range.partitions, &sums.partials);
        let parts = parts.inspect_err(|error| debug!(job = self.spec.name, %error, "odd sums"));
        let RangeSums { to, newest_ms: newest, uncounted, .. } = *sums;
        Some(Folded { to, newest, uncounted, parts: parts.ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::limits::Limits;
    use memberd_jobs::{JobId, OnFailed, Partition};
    use memberd_search::ExposedFiles;
    use memberd_worker::{Settings, bind, serve};
    use std::path::Path;
    use tempfile::TempDir;

    fn reader(directory: &Path, tags: &[(&str, &str)]) -> LocalReader {
        let glob = directory.join("*.log").display().to_string();
        let offer = ExposedFiles::new(&[&glob]).unwrap();
        let searcher = LocalSearcher::new("vm1".to_owned(), offer, Limits::default());
        searcher.set_worker(Some(directory.join("socket")));
        let own = Tags::default();
        let sources = Sources::new(Name::new("vm1").unwrap(), Arc::new(searcher), own);
        let tag = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        sources.reader(Arc::new(JobSpec {
            name: "shop".to_owned(),
            query: "lost | logfmt | count by k every 10s".to_owned(),
            partitions: 4,
            every_ms: 10_000,
            over_ms: None,
            lateness_ms: 0,
            retain_ms: 0,
            commit_ms: 1_000,
            on_failed: OnFailed::Exclude,
            copies: 5,
            files: vec![glob],
            from: memberd_jobs::From::Beginning,
            tags: tags.iter().map(tag).collect(),
            sink: "/streams/shop.tsv".to_owned(),
            limits: memberd_jobs::JobLimits::default(),
        }))
    }

    /// Asks for all of the only file.
    fn fold(reader: &mut LocalReader) -> Vec<Option<Folded>> {
        let look = reader.look(&BTreeMap::new());
        let file = look.files[0];
        let partitions = (0..4).map(Partition).collect();
        let range = FoldRange { file: file.key, from: file.first, to: file.end, partitions };
        reader.fold(&FoldAsk { job: JobId(1), number: 1, ranges: vec![range] })
    }

    #[test]
    fn ranges_are_summed_by_the_worker_and_divided() {
        let directory = TempDir::new().unwrap();
        let line = |key: &str| format!("2026-11-30T12:00:01Z lost k={key}\n");
        let text = [line("a"), line("b"), line("a"), line("c").replace("lost", "found")].concat();
        std::fs::write(directory.path().join("x.log"), &text).unwrap();
        let mut reader = reader(directory.path(), &[]);
        assert_eq!(fold(&mut reader), [None], "nobody counts");
        assert!(reader.is_failing);
        let listener = bind(&directory.path().join("socket")).unwrap();
        let settings = Settings { users: vec![nix::unistd::getuid().as_raw()], idle: None };
        std::thread::spawn(move || serve(&listener, &settings));
        let folded = fold(&mut reader).pop().flatten().unwrap();
        assert!(!reader.is_failing);
        assert_eq!((folded.to, folded.uncounted), (text.len() as u64, 0));
        let lines = folded.parts.values().flatten().map(|part| part.lines);
        assert_eq!(lines.sum::<u64>(), 3, "{folded:?}");
    }

    /// A file for each range would be more than a process may have open.
    #[test]
    fn not_all_files_of_an_ask_are_open_at_once() {
        let directory = TempDir::new().unwrap();
        let text = "2026-11-30T12:00:01Z lost k=a\n";
        for number in 0..=MAX_RANGES {
            std::fs::write(directory.path().join(format!("{number}.log")), text).unwrap();
        }
        let mut reader = reader(directory.path(), &[]);
        let files = reader.look(&BTreeMap::new()).files;
        let range = |file: &memberd_jobs::SeenFile| {
            let partitions = [Partition(0)].into();
            FoldRange { file: file.key, from: 0, to: file.end, partitions }
        };
        let ranges: Vec<FoldRange> = files.iter().map(range).collect();
        assert_eq!(ranges.len(), MAX_RANGES + 1);
        // Nobody counts, but all that was opened is answered.
        let folded = reader.fold(&FoldAsk { job: JobId(1), number: 1, ranges });
        assert_eq!(folded, vec![None; MAX_RANGES]);
    }

    /// The worker refuses a third question, so the third job waits.
    #[test]
    fn many_jobs_are_counted_in_turn() {
        let directory = TempDir::new().unwrap();
        let text = "2026-11-30T12:00:01Z lost k=a\n".repeat(1_000);
        std::fs::write(directory.path().join("x.log"), text).unwrap();
        let listener = bind(&directory.path().join("socket")).unwrap();
        let settings = Settings { users: vec![nix::unistd::getuid().as_raw()], idle: None };
        std::thread::spawn(move || serve(&listener, &settings));
        let first = reader(directory.path(), &[]);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let mut job = first.sources.reader(Arc::clone(&first.spec));
                scope.spawn(move || {
                    for _ in 0..10 {
                        assert!(fold(&mut job)[0].is_some());
                    }
                });
            }
        });
    }

    #[test]
    fn a_member_with_other_tags_has_no_files() {
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("x.log"), "x\n").unwrap();
        let mut reader = reader(directory.path(), &[("role", "web")]);
        assert!(reader.look(&BTreeMap::new()).files.is_empty());
    }
}

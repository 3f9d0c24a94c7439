//! Runs a benchmark: its rows one after the other, for a limited time. [`Bench`] owns the results.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a measurement prints")]

use super::{Results, Run, RunOptions, Subject};
use crate::section::Section;
use clap::Parser;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A benchmark, by its options.
pub trait Benchmark: Parser {
    /// What its records are about.
    type Subject: Subject;

    /// The program's name: `bench_` and the word of its target in the Makefile.
    const NAME: &'static str;

    /// Its section of the page of benchmarks.
    const SECTION: Section;

    /// The options that every benchmark has.
    fn run_options(&self) -> &RunOptions<RowOf<Self>>;

    /// After how many minutes nothing more is begun; none without a limit.
    fn minutes(&self) -> Option<u64> {
        None
    }

    /// Checks that the wanted rows can be measured.
    ///
    /// # Errors
    /// The error says what to install.
    fn missing_tools(&self) -> Result<(), String>;

    /// Describes the run that begins now: its machine, its programs and its options.
    fn begin(&self) -> Run;

    /// Measures all wanted rows.
    fn measure(bench: &mut Bench<Self>);

    /// The text of its section of the page.
    fn section(results: &Results<Self::Subject>) -> String;

    /// What a run prints at its end.
    fn summary(results: &Results<Self::Subject>) -> String {
        Self::section(results)
    }

    /// Writes what the benchmark shows beside the page.
    fn write_more(&self, _results: &Results<Self::Subject>) {}
}

/// The rows of a benchmark.
pub type RowOf<B> = <<B as Benchmark>::Subject as Subject>::Row;

/// The options of a measurement, and the results so far.
#[derive(Debug)]
pub struct Bench<B: Benchmark> {
    /// The options.
    pub options: B,
    /// The results.
    pub results: Results<B::Subject>,
    /// The moment after which nothing is begun.
    ends: Option<Instant>,
}

/// Measures, or writes the page from the stored results, as the command line says.
pub fn main<B: Benchmark>() -> ExitCode {
    let options = B::parse();
    if options.run_options().render {
        write(&options, &read(&options));
        return ExitCode::SUCCESS;
    }
    if let Err(missing) = options.missing_tools() {
        eprintln!("{}: {missing}", B::NAME);
        return ExitCode::FAILURE;
    }
    let mut bench = Bench::new(options);
    B::measure(&mut bench);
    bench.results.finish();
    write(&bench.options, &bench.results);
    println!("{}", B::summary(&bench.results));
    if bench.results.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Checks that the page shows what the stored results say, and returns these. It is for the test of
/// a benchmark.
///
/// # Panics
/// When the page shows something else.
pub fn check_page<B: Benchmark>() -> (B, Results<B::Subject>) {
    let options = B::parse_from([B::NAME]);
    let results = read(&options);
    assert!(
        B::SECTION.read(&options.run_options().benchmarks) == B::section(&results),
        "run {} {}=--render",
        target::<B>(),
        B::NAME.trim_start_matches("bench_").to_uppercase()
    );
    (options, results)
}

impl<B: Benchmark> Bench<B> {
    fn new(options: B) -> Self {
        let limit = options.minutes().map(|minutes| Duration::from_secs(60 * minutes));
        let ends = limit.map(|limit| Instant::now() + limit);
        let of = options.run_options();
        let stored = if of.anew { None } else { Results::stored(&of.directory) };
        let results = stored.unwrap_or_default().with_run(options.begin(), |row| of.wants(row));
        Bench { results, ends, options }
    }

    /// Whether this row is to be measured.
    pub fn wants(&self, row: RowOf<B>) -> bool {
        self.options.run_options().wants(row)
    }

    /// Measures something, and returns what it returns. If it fails, or if no time is left, this is
    /// reported, and the rest goes on.
    pub fn attempt<T>(
        &mut self,
        of: &B::Subject,
        measure: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        if self.is_over() {
            let why = "there was no time left: set --minutes, or --rows in another run";
            self.fail(of, why);
            return None;
        }
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| measure(self)));
        if let Err(panic) = &outcome {
            self.fail(of, words(&**panic));
        }
        write(&self.options, &self.results);
        let result = if outcome.is_ok() { "measured" } else { "FAILED" };
        println!("{of}: {result} in {:.0} s{}", start.elapsed().as_secs_f64(), self.left());
        outcome.ok()
    }

    /// Reports that a row could not be measured.
    pub fn fail(&mut self, of: &B::Subject, why: &str) {
        eprintln!("{of}: {why}");
        self.results.fail(of, why);
    }

    /// So many rounds. The first one is always there, and no other begins after the time limit.
    pub fn rounds(&self, count: usize) -> impl Iterator<Item = usize> + use<B> {
        let ends = self.ends;
        (0..count).take_while(move |round| *round == 0 || !is_past(ends))
    }

    /// Whether the time limit is reached.
    fn is_over(&self) -> bool {
        is_past(self.ends)
    }

    fn left(&self) -> String {
        let left = |ends: Instant| ends.saturating_duration_since(Instant::now()).as_secs();
        self.ends.map(|ends| format!("; {} s left", left(ends))).unwrap_or_default()
    }
}

fn is_past(ends: Option<Instant>) -> bool {
    ends.is_some_and(|ends| Instant::now() >= ends)
}

/// Reads the stored results.
fn read<B: Benchmark>(options: &B) -> Results<B::Subject> {
    let stored = Results::stored(&options.run_options().directory);
    stored.unwrap_or_else(|| panic!("no raw results: run {}", target::<B>()))
}

/// Writes the raw results and what is shown of them.
fn write<B: Benchmark>(options: &B, results: &Results<B::Subject>) {
    let of = options.run_options();
    results.store(&of.directory);
    options.write_more(results);
    if of.is_for_the_benchmarks() {
        B::SECTION.write(&of.benchmarks, &B::section(results));
    }
}

/// How the benchmark is run.
fn target<B: Benchmark>() -> String {
    format!("make {}", B::NAME.replace('_', "-"))
}

/// The words of a panic, as [`catch_unwind`] returns it.
fn words(panic: &(dyn Any + Send)) -> &str {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default()
}

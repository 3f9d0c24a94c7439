//! Measures searches of a dead member's copies beside those of the same text as .gz and .zst files.
//! A [`Searched`] owns the text and the fleets.

mod cases;
mod corpus;
mod kept;
mod programs;

pub(crate) use cases::{CASES, Case};

use crate::Bench;
use crate::options::Row;
use crate::results::{Measure, Subject};
use corpus::Corpus;
use kept::{KeptSize, Writing};
use memberd_control::message::MemberStatus;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use programs::{Found, Pattern, run};
use std::path::Path;
use std::process::Command;

/// The member that is asked, the one that keeps copies and has the .gz files, and the dead one.
const ASKED: usize = 1;
const KEEPER: usize = 2;
const DEAD: usize = 3;

/// How often copies are searched in a round. They take less time than the others.
const SEARCHES: usize = 5;

/// The columns of the lines that are found, and of the part of the blocks that is read for them.
pub(crate) const LINES: &str = "lines";
pub(crate) const BLOCKS: &str = "blocks read";

/// The columns, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// This build, in the copies that a member keeps of a dead one.
    Copies,
    /// This build, in .gz files of that member.
    Gz,
    /// Another build, in the same .gz files.
    OlderGz,
    /// ripgrep, in the same .gz files.
    Ripgrep,
    /// zstdgrep, in .zst files of the same text.
    Zstdgrep,
}

impl Program {
    pub(crate) const ALL: [Program; 5] =
        [Program::Copies, Program::Gz, Program::OlderGz, Program::Ripgrep, Program::Zstdgrep];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Program::Copies => "copies",
            Program::Gz => ".gz",
            Program::OlderGz => ".gz, older build",
            Program::Ripgrep => ".gz, `rg -z`",
            Program::Zstdgrep => ".zst, `zstdgrep`",
        }
    }
}

/// The text and who searches it.
struct Searched {
    corpus: Corpus,
    fleet: Fleet,
    older: Option<Fleet>,
}

/// Writes the text, and measures the rows that are wanted.
pub(crate) fn measure(bench: &mut Bench) {
    let directory = tempfile::Builder::new().prefix("memberd-copies-").tempdir();
    let directory = directory.expect("a directory for the text");
    let (mut searched, wanted) = (None, bench.wants(Row::Search));
    bench.attempt(&Subject::new(Row::Size, Program::Copies.name()), |bench| {
        let fleet = Fleet::new(3);
        let corpus = write(bench, directory.path(), &fleet);
        searched = wanted.then(|| Searched::new(bench, directory.path(), corpus, fleet));
    });
    let Some(searched) = searched else { return };
    for case in &CASES {
        let of = Subject::new(Row::Search, case.what);
        bench.attempt(&of, |bench| searched.measure(bench, case));
    }
}

/// Writes the text, also as the copies of a member that another one keeps.
fn write(bench: &mut Bench, directory: &Path, fleet: &Fleet) -> Corpus {
    let size = bench.options.text();
    eprintln!("writing {} files of {} MB", size.files, size.file_bytes / 1_000_000);
    let mut writing = Writing::begin(&fleet[KEEPER].settings.state_dir, fleet[DEAD].name());
    let corpus = Corpus::write(directory, size, |piece| writing.take(&piece));
    note_sizes(bench, &corpus, writing.end());
    corpus
}

impl Searched {
    /// Starts the members, after the death of the one whose copies are there.
    fn new(bench: &Bench, directory: &Path, corpus: Corpus, mut fleet: Fleet) -> Self {
        lose(&mut fleet);
        let gz = directory.join("gz/*.log.gz").display().to_string();
        let keeper = &mut fleet[KEEPER];
        kept::let_keep(&mut keeper.settings);
        keeper.settings.files.push(gz.clone());
        start(keeper);
        fleet.wait_until_whole();
        let older = bench.options.baseline.as_ref().map(|programs| {
            Fleet::start_with(2, |daemon| {
                daemon.programs = Some(programs.clone());
                if daemon.name() == "vm2" {
                    daemon.settings.files.push(gz.clone());
                }
            })
        });
        corpus::warm(&corpus.gz);
        corpus::warm(&corpus.zst);
        Searched { corpus, fleet, older }
    }

    /// Measures a search by all programs in turn, so that a busy moment affects all of them.
    fn measure(&self, bench: &mut Bench, case: &Case) {
        let mut expected: Option<Found> = None;
        for _ in 0..bench.options.rounds {
            for program in Program::ALL {
                if program == Program::OlderGz && self.older.is_none() {
                    continue;
                }
                let times = if program == Program::Copies { SEARCHES } else { 1 };
                let samples: Vec<f64> = (0..times)
                    .map(|_| {
                        let (found, took) =
                            run(&mut self.command(program, case.pattern), case.pattern);
                        let expected = *expected.get_or_insert(found);
                        assert_eq!(found, expected, "{} finds other lines", program.name());
                        took.as_secs_f64()
                    })
                    .collect();
                let of = Subject::new(Row::Search, program.name());
                bench.results.add(&of, Measure::Seconds, case.what, &samples);
            }
        }
        let lines = expected.map_or(0, |found| found.lines);
        let keeper = &self.fleet[KEEPER].settings.state_dir;
        let search = case.pattern.search();
        let (read, all) = kept::may_match(keeper, self.fleet[DEAD].name(), search.needs());
        let counts = [(LINES, lines as f64), (BLOCKS, 100.0 * read as f64 / all.max(1) as f64)];
        for (column, count) in counts {
            let of = Subject::new(Row::Search, column);
            let measure = if column == LINES { Measure::Total } else { Measure::Percent };
            bench.results.add(&of, measure, case.what, &[count]);
        }
    }

    fn command(&self, program: Program, pattern: Pattern) -> Command {
        let ours = |fleet: &Fleet, on: &str| {
            let mut arguments = vec!["grep", "-h", "--on", on];
            arguments.extend(pattern.of_grep());
            // Not the logs of the members themselves.
            arguments.push("*-*.log*");
            fleet[ASKED].memberctl(&arguments)
        };
        match program {
            Program::Copies => ours(&self.fleet, "vm3"),
            Program::Gz => ours(&self.fleet, "vm2"),
            Program::OlderGz => ours(self.older.as_ref().expect("an older build"), "vm2"),
            Program::Ripgrep => {
                let mut command = Command::new("rg");
                command.args(["--no-config", "-z", "-N", "-I", "--no-heading"]);
                command.args(pattern.of_ripgrep()).args(&self.corpus.gz);
                command
            }
            Program::Zstdgrep => {
                let mut command = Command::new("zstdgrep");
                command.env("LC_ALL", "C.UTF-8").arg("-h").args(pattern.of_grep());
                command.args(&self.corpus.zst);
                command
            }
        }
    }
}

/// Lets the asked member and the dead one form a group, and ends the dead one.
fn lose(fleet: &mut Fleet) {
    for number in [ASKED, DEAD] {
        fleet[number].settings.logs = vec!["copies = 0".to_owned()];
        start(&mut fleet[number]);
    }
    fleet.wait_until_whole();
    let id = fleet.crash(&[DEAD]).remove(0).id;
    wait_until(&format!("{id} has failed"), SOON, || {
        let status = fleet[ASKED].control().status_of("vm3").map_err(|error| error.to_string())?;
        holds(matches!(status, Some((MemberStatus::Failed, _))), || format!("{status:?}"))
    });
}

fn start(daemon: &mut Daemon) {
    daemon.start();
    daemon.control().join().expect("it joins");
}

/// Stores how large the text and its compressed forms are.
fn note_sizes(bench: &mut Bench, corpus: &Corpus, kept: KeptSize) {
    let mut add = |column: &str, measure: Measure, what: &str, value: f64| {
        bench.results.add(&Subject::new(Row::Size, column), measure, what, &[value]);
    };
    let text = corpus.text_bytes as f64;
    let sizes = [
        ("text", text),
        (".gz", corpus::bytes(&corpus.gz) as f64),
        (".zst", corpus::bytes(&corpus.zst) as f64),
        ("copies", kept.disk_bytes as f64),
    ];
    for (column, bytes) in sizes {
        add(column, Measure::Megabytes, "size", bytes / 1e6);
    }
    let compressed = kept.frame_bytes.max(1) as f64;
    add("copies", Measure::Ratio, "index to compressed text", kept.index_bytes as f64 / compressed);
    add("copies", Measure::Ratio, "text to copies", text / kept.disk_bytes.max(1) as f64);
    add("copies", Measure::Total, "sealed blocks", kept.blocks as f64);
}

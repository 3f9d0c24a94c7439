//! Asks each program each question, in rounds, and compares the answers. It owns no state.

use crate::Bench;
use crate::answer::{Answer, Answers};
use crate::logs;
use crate::machine;
use crate::memberd;
use crate::question::Question;
use crate::results::{Measure, Subject};
use crate::spark::{self, Spark};
use crate::system::System;
use crate::usage::{self, Ran};
use memberd_tests::binaries;
use std::fs;
use std::path::{Path, PathBuf};

/// The names of the rows.
pub(crate) const TIME: &str = "time";
pub(crate) const PROCESSOR: &str = "processor time";
pub(crate) const MEMORY: &str = "memory, at most";
pub(crate) const WORKER: &str = "memory of the worker, at most";

/// The columns that are no program alone.
pub(crate) const ONE_MEMBER: &str = "memberd, one member";
pub(crate) const GREP: &str = "memberctl grep -c";

/// How often Spark answers a question in one process. The last time is its time when warm.
const REPEATS: usize = 3;

/// The column of a Spark that runs for one question, or for many.
pub(crate) fn column(system: System, is_warm: bool) -> String {
    format!("{}, {}", system.name(), if is_warm { "warm" } else { "cold" })
}

/// What the rounds have in common.
struct Asking {
    directory: PathBuf,
    logs: Vec<PathBuf>,
    answers: Answers,
    questions: Vec<Question>,
}

/// Measures all wanted questions.
pub(crate) fn measure(bench: &mut Bench) {
    let wanted = |question: &Question| bench.wants(question.row());
    let questions: Vec<Question> = Question::ALL.into_iter().filter(wanted).collect();
    if questions.is_empty() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let directory = directory.path();
    let (data, answers) = (directory.join("logs"), directory.join("answers"));
    for place in [&data, &answers] {
        fs::create_dir(place).expect("a directory");
    }
    let logs = logs::write(&data, bench.options.log_bytes());
    let (directory, answers) = (directory.to_owned(), Answers::default());
    let mut asking = Asking { directory, logs, answers, questions };
    for round in 1..=bench.options.rounds {
        println!("round {round}");
        for system in bench.options.systems.clone() {
            asking.ask(bench, system);
        }
    }
}

impl Asking {
    fn ask(&mut self, bench: &mut Bench, system: System) {
        let of = Subject::new(self.questions[0].row(), system.name());
        bench.attempt(&of, |bench| match system {
            System::Memberd => self.ask_memberd(bench),
            System::Spark43 | System::Spark35 => self.ask_spark(bench, system),
            System::Mawk => self.ask_each(bench, system, |question, asking| {
                let mut shell = binaries::mortal(Path::new("sh"), None);
                shell.arg("-c").arg(question.awk(&logs::names().join(" ")));
                usage::run(shell.current_dir(asking.data()))
            }),
            System::Duckdb => self.ask_each(bench, system, |question, asking| {
                let mut script = spark::script("duck.py", &machine::duckdb());
                script.arg(machine::cores()).arg(question.name());
                usage::run(script.current_dir(asking.data()))
            }),
            System::Agrind => self.ask_each(bench, system, |question, asking| {
                let mut shell = binaries::mortal(Path::new("sh"), None);
                let line = "cat vm* | exec \"$0\" \"$@\"";
                shell.args(["-c", line]).arg(machine::agrind()).arg(question.agrind());
                shell.arg("--output").arg(question.agrind_columns());
                usage::run(shell.current_dir(asking.data()))
            }),
        });
    }

    fn data(&self) -> PathBuf {
        self.directory.join("logs")
    }

    /// Each question by a process of its own.
    fn ask_each(
        &mut self,
        bench: &mut Bench,
        system: System,
        run: impl Fn(Question, &Asking) -> Ran,
    ) {
        for question in self.questions.clone() {
            let ran = run(question, self);
            let answer = Answer::read(&ran.output);
            if system == System::Agrind {
                self.answers.check_without_machines(question, system.name(), &answer);
            } else {
                self.answers.check(question, system.name(), answer);
            }
            add(bench, question, system.name(), &ran);
        }
    }

    /// Ten members with a log each, and then one with ten logs.
    fn ask_memberd(&mut self, bench: &mut Bench) {
        let fleet = memberd::ten(&self.logs);
        for question in self.questions.clone() {
            let ran = memberd::ask(&fleet, question, "member");
            let answer = Answer::read(&ran.output);
            if question == Question::Errors {
                let counted = memberd::grep(&fleet);
                let lines = String::from_utf8_lossy(&counted.output);
                let lines =
                    lines.lines().filter_map(|line| line.rsplit(':').next()?.parse::<u64>().ok());
                assert_eq!(lines.sum::<u64>(), answer.sum(), "grep counts other lines");
                add(bench, question, GREP, &counted);
            }
            self.answers.check(question, System::Memberd.name(), answer);
            add(bench, question, System::Memberd.name(), &ran);
        }
        drop(fleet);
        let fleet = memberd::one(&self.logs);
        for question in self.questions.clone() {
            let ran = memberd::ask(&fleet, question, "file");
            self.answers.check(question, ONE_MEMBER, Answer::read(&ran.output));
            add(bench, question, ONE_MEMBER, &ran);
            let worker = usage::peaks_mib(&[fleet[1].worker_pid()]);
            let of = Subject::new(question.row(), ONE_MEMBER);
            bench.results.add(&of, Measure::Mebibytes, WORKER, &[worker]);
        }
    }

    /// Each question in a process of its own, and then all of them in one.
    fn ask_spark(&mut self, bench: &mut Bench, system: System) {
        let name = system.spark().expect("one that is Spark");
        let spark = Spark::find(name).expect("Spark was installed before");
        for question in self.questions.clone() {
            let mut ran = self.run_spark(&spark, system, &[question]);
            // What follows its answer is its end, which few wait for.
            ran.seconds = ran.first_seconds;
            add(bench, question, &column(system, false), &ran);
        }
        let questions = self.questions.clone();
        let all = questions.iter().flat_map(|question| [*question; REPEATS]);
        let ran = self.run_spark(&spark, system, &all.collect::<Vec<_>>());
        let lines = String::from_utf8_lossy(&ran.output).into_owned();
        let last = lines.lines().skip(REPEATS - 1).step_by(REPEATS);
        for (question, line) in questions.into_iter().zip(last) {
            let [_, seconds, processor_seconds] = numbers(line);
            let (output, peak_mib) = (Vec::new(), ran.peak_mib);
            let first_seconds = seconds;
            let ran = Ran { seconds, first_seconds, processor_seconds, peak_mib, output };
            add(bench, question, &column(system, true), &ran);
        }
    }

    /// Asks questions in one process, and checks all answers.
    fn run_spark(&mut self, spark: &Spark, system: System, questions: &[Question]) -> Ran {
        let answers = self.directory.join("answers");
        let mut script = spark.script("batch.py", &self.directory);
        script.arg(self.data()).arg(&answers).arg(machine::cores());
        let ran = usage::run(script.args(questions.iter().map(|question| question.name())));
        for (number, question) in questions.iter().enumerate() {
            let answer = fs::read(answers.join(number.to_string())).expect("an answer");
            self.answers.check(*question, system.name(), Answer::read(&answer));
        }
        ran
    }
}

/// The three numbers of a line.
fn numbers(line: &str) -> [f64; 3] {
    let numbers: Vec<f64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("the script says {line:?}"))
}

/// Adds what a program used for a question.
fn add(bench: &mut Bench, question: Question, column: &str, ran: &Ran) {
    let of = Subject::new(question.row(), column);
    let samples = [
        (Measure::Seconds, TIME, ran.seconds),
        (Measure::Seconds, PROCESSOR, ran.processor_seconds),
        (Measure::Mebibytes, MEMORY, ran.peak_mib),
    ];
    for (measure, what, sample) in samples {
        bench.results.add(&of, measure, what, &[sample]);
    }
}

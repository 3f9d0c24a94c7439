//! Measures how much memory a daemon takes for many costly greps at once, beside another version of
//! it if one is given. It owns a fleet on this machine for each version.
//!
//! `cargo build --release --bins && cargo run --release -p memberd-tests --example search_memory --
//! --greps 16 --baseline DIRECTORY`

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a measurement prints, and stops at an error"
)]

use clap::Parser;
use memberd_tests::costly::{self, Ended, KINDS, PRESSED};
use memberd_tests::{Fleet, proc};
use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The members: one is searched, and the others ask it.
const MEMBERS: u8 = 5;

#[derive(Debug, Parser)]
struct Options {
    /// How many greps of each kind run at once.
    #[arg(long, default_value_t = 16)]
    greps: usize,
    /// The directory of another memberd and memberctl, to compare with.
    #[arg(long)]
    baseline: Option<PathBuf>,
    /// Measure these kinds alone: parts of their names.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Measure one version, and print plain numbers.
    #[arg(long, hide = true)]
    plain: bool,
}

fn main() {
    let options = Options::parse();
    if options.plain {
        return measure(&options);
    }
    let own = run(None);
    let baseline = options.baseline.map(|directory| run(Some(directory)));
    println!("| {} greps at once | peak | answered, refused | before | ratio |", options.greps);
    println!("|---|---|---|---|---|");
    for (at, [name, peak, ended]) in own.iter().enumerate() {
        let before = baseline.as_ref().and_then(|rows| rows.get(at));
        let (before, ratio) = match before {
            Some([_, before, others]) => {
                let kib = |text: &str| text.parse::<f64>().expect("a number");
                let ratio = kib(peak) / kib(before);
                (format!("{}, {others}", mebibytes(before)), format!("{ratio:.2}"))
            }
            None => (String::new(), String::new()),
        };
        println!("| {name} | {} | {ended} | {before} | {ratio} |", mebibytes(peak));
    }
}

fn mebibytes(kib: &str) -> String {
    format!("{} MiB", kib.parse::<u64>().expect("a number") / 1024)
}

/// Measures one version in a process of its own. The rows have a name, the peak in KiB, and how the
/// greps ended.
fn run(programs: Option<PathBuf>) -> Vec<[String; 3]> {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(env::args_os().skip(1)).arg("--plain").stderr(Stdio::inherit());
    if let Some(programs) = programs {
        command.env("MEMBERD_PROGRAMS", programs);
    }
    let output = command.stdin(Stdio::null()).output().expect("this program runs");
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines()
        .map(|line| {
            let mut fields = line.split('\t').map(str::to_owned);
            std::array::from_fn(|_| fields.next().expect("a field"))
        })
        .collect()
}

fn measure(options: &Options) {
    let fleet = Fleet::start_with(MEMBERS, |daemon| {
        if daemon.name() == "vm1" {
            costly::offer(daemon);
        }
    });
    let pid = fleet[PRESSED].pid();
    let is_wanted = |name: &str| {
        options.only.is_empty() || options.only.iter().any(|part| name.contains(part.as_str()))
    };
    for kind in KINDS.iter().filter(|kind| is_wanted(kind.name)) {
        proc::forget_peak(pid);
        let Ended { answered, refused, wrong } = costly::press(&fleet, kind, options.greps);
        for words in &wrong {
            eprintln!("{}: {}", kind.name, words.chars().take(400).collect::<String>());
        }
        println!("{}\t{}\t{answered}, {refused}", kind.name, proc::peak_kib(pid));
    }
}

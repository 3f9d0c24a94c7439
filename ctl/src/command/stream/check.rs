//! `memberctl stream check`: says what is wrong with the file of a job.

use std::path::{Path, PathBuf};

use clap::ValueHint;
use jiff::Zoned;
use memberd_streams::DurableWindows;

use super::job_file::{self, Job, Problem};
use super::json;
use crate::exit::{Failure, print_message};
use crate::format;
use crate::output::Output;

/// Checks the file of a job.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It needs no daemon. Standard error has a line for each problem, with the line of the file and the \
key, and marks the place in a query. Regular expressions and globs are read by start: check takes \
any.

--json prints one object with schema, file, good, problems and job. A problem has line (null for a \
key that is missing), key, message and perhaps query, two lines. The job is null unless it is \
good; times in it are in milliseconds.

Exit status: 0 the job is good, 1 it is not, or the file cannot be read.")]
pub(crate) struct Check {
    /// The file
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Checks it.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let text = job_file::text(&self.file)?;
        let parsed = job_file::parse(&text, &Zoned::now());
        let file = self.file.display().to_string();
        if self.json {
            Output::new().object(&json::Checked::of(&file, parsed.as_ref()))?;
            return parsed.map(drop).map_err(|_| Failure::Reported);
        }
        let Job { spec, windows } = parsed.map_err(|problems| told(&self.file, &problems))?;
        Output::new().line(&format!(
            "the job {} in {} is good: {}, rows go to {}",
            spec.name,
            format::printable(&file),
            said(windows),
            format::printable(&spec.sink),
        ))
    }
}

/// `every 10 s`, or `every 10 s over 1 min`.
fn said(windows: DurableWindows) -> String {
    let DurableWindows { every_ms, over_ms } = windows;
    let duration = |ms: i64| format::duration(u64::try_from(ms).unwrap_or_default());
    if over_ms == every_ms {
        format!("every {}", duration(every_ms))
    } else {
        format!("every {} over {}", duration(every_ms), duration(over_ms))
    }
}

/// A job's file that is good. Otherwise what is wrong with it is told.
pub(super) fn good(file: &Path) -> Result<Job, Failure> {
    let text = job_file::text(file)?;
    job_file::parse(&text, &Zoned::now()).map_err(|problems| told(file, &problems))
}

fn told(file: &Path, problems: &[Problem]) -> Failure {
    let file = file.display().to_string();
    for problem in problems {
        print_message(&problem.line(&file));
        problem.shown().for_each(|line| eprintln!("{line}"));
    }
    Failure::Reported
}

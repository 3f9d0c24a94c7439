//! Fleets of memberd over the logs. It owns no state.

use crate::logs::LOGS;
use crate::question::Question;
use crate::usage::{self, Ran};
use memberd_tests::{Daemon, Fleet, proc};
use nix::unistd::Pid;
use std::fs;
use std::path::PathBuf;

/// The directory of logs, below that of a daemon.
const PLACE: &str = "srv";

/// Ten members, each with a log, and a worker.
pub(crate) fn ten(logs: &[PathBuf]) -> Fleet {
    let count = u8::try_from(LOGS).expect("a few logs");
    let mut logs = logs.iter();
    Fleet::start_with_workers(count, |daemon| {
        let log = logs.next().expect("a log for each member");
        offer(daemon, std::slice::from_ref(log));
    })
}

/// One member with all logs, and a worker.
pub(crate) fn one(logs: &[PathBuf]) -> Fleet {
    Fleet::start_with_workers(1, |daemon| offer(daemon, logs))
}

/// Offers logs. They are the same files, under further names.
fn offer(daemon: &mut Daemon, logs: &[PathBuf]) {
    daemon.settings.logs.push("copies = 0".to_owned());
    let place = daemon.directory().join(PLACE);
    fs::create_dir(&place).expect("a directory for the logs");
    for log in logs {
        let name = log.file_name().expect("a log has a name");
        fs::hard_link(log, place.join(name)).expect("logs and members are on one disk");
    }
    daemon.settings.files.push(place.join("*").display().to_string());
}

/// The processes of a fleet: daemons that run, and their workers.
pub(crate) fn pids(fleet: &Fleet) -> Vec<Pid> {
    fleet.running().flat_map(|daemon| [daemon.pid(), daemon.worker_pid()]).collect()
}

/// Asks a question. What the members use for it counts as well.
pub(crate) fn ask(fleet: &Fleet, question: Question, machine: &str) -> Ran {
    let query = question.memberd(machine);
    run(fleet, &["stats", &query, "vm*"])
}

/// Counts the lines of the first question with grep.
pub(crate) fn grep(fleet: &Fleet) -> Ran {
    run(fleet, &["grep", "-c", Question::PATTERN, "vm*"])
}

fn run(fleet: &Fleet, arguments: &[&str]) -> Ran {
    let pids = pids(fleet);
    pids.iter().for_each(|pid| proc::forget_peak(*pid));
    let before = usage::processor_seconds(&pids);
    let mut ran = usage::run(fleet[1].memberctl(arguments).env("TZ", "UTC"));
    ran.processor_seconds += usage::processor_seconds(&pids) - before;
    ran.peak_mib += usage::peaks_mib(&pids);
    ran
}

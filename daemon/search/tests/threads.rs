//! The threads of a search: their number and their priority.

#![cfg(test)]

use std::fs;
use std::num::NonZero;
use std::sync::atomic::AtomicBool;

use memberd_search::{ExposedFile, ExposedFiles, FileFilter, Output, Plan, Query, Stopped};
use tempfile::TempDir;

/// Calls a function at the first lines, while the threads wait for their turn.
struct AtFirst<F>(Option<F>);

impl<F: FnOnce()> Output for AtFirst<F> {
    fn lines(&mut self, _: Vec<u8>) -> Result<(), Stopped> {
        self.0.take().map_or(Ok(()), |look| {
            look();
            Ok(())
        })
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        panic!("{text}");
    }
}

fn large() -> (TempDir, Vec<ExposedFile>) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.log");
    fs::write(&path, "a line to be found\n".repeat(500_000)).unwrap();
    let files =
        ExposedFiles::new(&[path.to_str().unwrap()]).unwrap().files(&FileFilter::default()).files;
    (directory, files)
}

/// The nice value in a file like /proc/self/stat. The name in parentheses may hold anything; it is
/// the 17th field after that.
fn nice(stat: &str) -> i64 {
    stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().parse().unwrap()
}

/// The nice values of this process's threads of that name.
fn nice_values(name: &str) -> Vec<i64> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let stats = tasks.filter_map(|task| fs::read_to_string(task.join("stat")).ok());
    stats.filter(|stat| stat.contains(&format!("({name})"))).map(|stat| nice(&stat)).collect()
}

fn run(plan: &Plan, look: impl FnOnce()) {
    let (_directory, files) = large();
    let search = Query::default()
        .with(|query| query.pattern.patterns = vec!["line".into()])
        .compile()
        .unwrap();
    let totals = search.run(plan, "m1", &files, &mut AtFirst(Some(look)), &AtomicBool::new(false));
    assert_eq!(totals.lines, 500_000);
}

#[test]
fn as_many_threads_run_as_asked_at_the_callers_priority() {
    let own = nice(&fs::read_to_string("/proc/thread-self/stat").unwrap());
    let plan = Plan { threads: NonZero::new(3).unwrap(), ..Plan::default() };
    // The threads start one another, and wait when their queues are full.
    run(&plan, || while nice_values("search") != [own; 3] {});
}

//! Spark's structured streaming over files, as a stream. [`SparkStream`] owns its processes, and
//! what was read of its part files, as `cat` reads them.

use crate::machine;
use crate::spark::Spark;
use crate::stream::{Rows, Stream};
use memberd_tests::process::Running;
use memberd_tests::wait::SOON;
use memberd_tests::wait_until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;

/// What Spark does with lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each becomes a row.
    Rows,
    /// They are counted by their text.
    Counts,
}

/// A stream of Spark that runs, or was killed.
pub(crate) struct SparkStream {
    spark: Spark,
    kind: Kind,
    trigger: &'static str,
    directory: TempDir,
    driver: Option<Driver>,
    /// How many files were moved in.
    files: usize,
    /// How much was read of each part file, in bytes.
    parts: BTreeMap<PathBuf, usize>,
    rows: Rows,
}

/// Python, and the Java that it has started.
struct Driver {
    python: Running,
    java: Pid,
}

impl SparkStream {
    /// Starts a stream from an empty folder to another. Its trigger is a time, or `default`.
    pub(crate) fn start(spark: Spark, kind: Kind, trigger: &'static str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for name in ["new", "in", "out"] {
            fs::create_dir(directory.path().join(name)).expect("a directory");
        }
        let (parts, rows) = (BTreeMap::new(), Rows::new());
        let mut stream =
            SparkStream { spark, kind, trigger, directory, driver: None, files: 0, parts, rows };
        stream.start_driver();
        stream
    }

    /// Starts the driver, on the checkpoint that is there, if one is.
    pub(crate) fn start_driver(&mut self) {
        let kind = match self.kind {
            Kind::Rows => "rows",
            Kind::Counts => "counts",
        };
        let mut script = self.spark.script("stream.py", self.directory.path());
        script.args([kind, self.trigger]).arg(machine::cores());
        script.stdin(Stdio::null()).stdout(Stdio::null());
        script.stderr(fs::File::create(self.place("errors")).expect("a file for errors"));
        let mut python = Running::start(&mut script);
        let java = wait_until("Python has started Java", SOON, || {
            assert!(python.ended().is_none(), "{}", self.errors());
            java_of(python.pid()).ok_or_else(|| self.errors())
        });
        self.driver = Some(Driver { python, java });
    }

    /// The processes.
    pub(crate) fn pids(&self) -> Vec<Pid> {
        self.driver.iter().flat_map(|driver| [driver.python.pid(), driver.java]).collect()
    }

    /// Kills the driver.
    pub(crate) fn kill(&mut self) {
        let driver = self.driver.take().expect("a driver that runs");
        // An error means that it has ended.
        let _ = kill(driver.java, Signal::SIGKILL);
    }

    fn place(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.place("errors")).unwrap_or_default()
    }

    /// Takes in the lines of a part file that were not there at the last look.
    fn read_part(&mut self, part: PathBuf) {
        let before = self.parts.get(&part).copied().unwrap_or_default();
        let is_longer = fs::metadata(&part).is_ok_and(|part| part.len() > before as u64);
        if !is_longer {
            return;
        }
        let bytes = fs::read(&part).expect("a part file that can be read");
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(before, |end| end + 1);
        for line in String::from_utf8_lossy(&bytes[before..end]).lines() {
            let key = line.split('\t').next().unwrap_or_default();
            *self.rows.entry(key.to_owned()).or_default() += 1;
        }
        self.parts.insert(part, end);
    }
}

impl Drop for SparkStream {
    fn drop(&mut self) {
        if self.driver.is_some() {
            self.kill();
        }
    }
}

impl Stream for SparkStream {
    fn write(&mut self, keys: &[String]) {
        let name = format!("{:06}.log", self.files);
        self.files += 1;
        let new = self.place("new").join(&name);
        let lines: String = keys.iter().map(|key| format!("{key}\n")).collect();
        fs::write(&new, lines).expect("room on the disk");
        fs::rename(new, self.place("in").join(name)).expect("a place for the log");
    }

    fn read(&mut self) {
        for part in parts(&self.place("out")) {
            self.read_part(part);
        }
    }

    fn rows(&self) -> &Rows {
        &self.rows
    }
}

/// The part files in a folder. Others are Spark's own.
fn parts(folder: &Path) -> Vec<PathBuf> {
    let is_part = |path: &PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with("part-"))
    };
    let entries = fs::read_dir(folder).expect("the folder is there");
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_part).collect()
}

/// The Java that Python has started, once it is Java. A shell becomes it.
fn java_of(python: Pid) -> Option<Pid> {
    let children = fs::read_to_string(format!("/proc/{python}/task/{python}/children")).ok()?;
    let mut children = children.split_whitespace().filter_map(|child| child.parse().ok());
    let is_java =
        |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|it| it == "java\n");
    children.find(is_java).map(Pid::from_raw)
}

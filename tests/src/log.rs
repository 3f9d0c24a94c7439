//! Reads a daemon's `machine.i.log`.

use std::fs;
use std::path::{Path, PathBuf};

/// The change that a line reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// `member joined`
    Joined,
    /// `member failed`
    Failed,
    /// `member left`
    Left,
}

/// One `member ...` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What happened.
    pub change: Change,
    /// `name=`
    pub name: String,
    /// `id=`
    pub id: String,
    /// `noticed_by=`
    pub noticed_by: Option<String>,
}

impl Line {
    /// What a line says of a member, if it says anything of one. Such a line looks like this:
    /// `2026-11-21T01:20:33.123Z INFO member failed name=vm3 id=vm3@192.0.2.13:8946/1763688033123`.
    ///
    /// # Panics
    /// When a line of a member is not of the documented form.
    pub fn parse(line: &str) -> Option<Self> {
        let (head, rest) = line.split_once(" INFO member ")?;
        assert!(is_time(head), "not a time in RFC 3339 with milliseconds, in UTC: {line}");
        let mut words = rest.split(' ');
        let change = match words.next()? {
            "joined" => Change::Joined,
            "failed" => Change::Failed,
            "left" => Change::Left,
            // It stays in the list meanwhile.
            "suspected" | "cleared" => return None,
            other => panic!("a member has {other}: {line}"),
        };
        let mut field =
            |key: &str| words.next().and_then(|word| word.strip_prefix(key)).map(str::to_owned);
        let (name, id) = (field("name="), field("id="));
        let noticed_by =
            rest.split(' ').find_map(|word| word.strip_prefix("noticed_by=")).map(str::to_owned);
        match (name, id) {
            (Some(name), Some(id)) => Some(Line { change, name, id, noticed_by }),
            _ => panic!("name= and id= do not follow the change: {line}"),
        }
    }
}

/// A log file.
#[derive(Debug, Clone)]
pub struct Log {
    path: PathBuf,
}

impl Log {
    /// The file at this path.
    pub fn new(path: PathBuf) -> Self {
        Log { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All of it; nothing when it is not there yet.
    pub fn text(&self) -> String {
        fs::read(&self.path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The membership changes in it.
    ///
    /// # Panics
    /// When one of these lines is not of the documented form.
    pub fn changes(&self) -> Vec<Line> {
        self.text().lines().filter_map(Line::parse).collect()
    }

    /// The ids of the members that it says failed.
    pub fn failed(&self) -> Vec<String> {
        self.changes()
            .into_iter()
            .filter(|line| line.change == Change::Failed)
            .map(|line| line.id)
            .collect()
    }
}

fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|character| if character.is_ascii_digit() { '0' } else { character })
        .collect();
    shape.starts_with("0000-00-00T00:00:00.000") && shape.ends_with('Z')
}

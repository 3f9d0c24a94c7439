//! The names of files: those that are seen, those that are durable, and the changes between.

use super::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

#[derive(Debug, Default)]
pub(super) struct Names {
    seen: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    directories: BTreeSet<String>,
    durable_directories: BTreeSet<String>,
    /// Directories in which others were made or removed, unsynced.
    changed: BTreeSet<String>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
pub(super) enum Change {
    Add { path: String, inode: u64 },
    Rename { from: String, to: String },
    Remove { path: String },
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(parent, _)| parent)
}

impl Change {
    fn touches(&self, directory: &str) -> bool {
        match self {
            Change::Add { path, .. } | Change::Remove { path } => parent(path) == directory,
            Change::Rename { from, to } => parent(from) == directory || parent(to) == directory,
        }
    }

    /// Whether it made a name that another change needs.
    fn makes(&self, name: &str) -> bool {
        match self {
            Change::Add { path, .. } => path == name,
            Change::Rename { to, .. } => to == name,
            Change::Remove { .. } => false,
        }
    }

    fn apply(&self, names: &mut BTreeMap<String, u64>) -> io::Result<()> {
        match self {
            Change::Add { path, inode } => {
                names.insert(path.clone(), *inode);
            }
            Change::Rename { from, to } => {
                let inode = names.remove(from).ok_or(io::ErrorKind::NotFound)?;
                names.insert(to.clone(), inode);
            }
            Change::Remove { path } => {
                names.remove(path).ok_or(io::ErrorKind::NotFound)?;
            }
        }
        Ok(())
    }
}

impl Names {
    pub(super) fn inode(&self, path: &str) -> Option<u64> {
        self.seen.get(path).copied()
    }

    /// All inodes that have a name, or may have one after a crash.
    pub(super) fn inodes(&self) -> BTreeSet<u64> {
        let added = self.pending.iter().filter_map(|change| match change {
            Change::Add { inode, .. } => Some(*inode),
            _ => None,
        });
        self.seen.values().chain(self.durable.values()).copied().chain(added).collect()
    }

    /// The inodes that have a name now.
    pub(super) fn seen(&self) -> impl Iterator<Item = u64> + '_ {
        self.seen.values().copied()
    }

    pub(super) fn files(&self) -> Vec<String> {
        self.seen.keys().cloned().collect()
    }

    fn check_directory(&self, path: &str) -> io::Result<()> {
        let is_there = path == "." || self.directories.contains(path);
        if is_there { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    pub(super) fn create_directory(&mut self, path: &str) -> io::Result<()> {
        self.check_directory(parent(path))?;
        self.directories.insert(path.to_owned());
        self.changed.insert(parent(path).to_owned());
        Ok(())
    }

    pub(super) fn remove_directory(&mut self, path: &str) -> io::Result<()> {
        self.check_directory(path)?;
        self.directories.remove(path);
        self.changed.insert(parent(path).to_owned());
        Ok(())
    }

    pub(super) fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.check_directory(path)?;
        let all = self.seen.keys().chain(&self.directories);
        let inside = all.filter(|name| parent(name) == path);
        let last = |name: &String| name.rsplit('/').next().unwrap_or(name).to_owned();
        Ok(inside.map(last).collect())
    }

    pub(super) fn change(&mut self, change: Change) -> io::Result<()> {
        if let Change::Add { path, .. } | Change::Rename { to: path, .. } = &change {
            self.check_directory(parent(path))?;
        }
        change.apply(&mut self.seen)?;
        self.pending.push(change);
        Ok(())
    }

    /// Makes the changes in a directory durable, and those of which they are made.
    pub(super) fn sync(&mut self, directory: &str) -> io::Result<()> {
        self.check_directory(directory)?;
        let mut needed = vec![false; self.pending.len()];
        for index in (0..self.pending.len()).rev() {
            needed[index] |= self.pending[index].touches(directory);
            if let (true, Change::Rename { from, .. }) = (needed[index], &self.pending[index]) {
                let from = from.clone();
                let made = self.pending[..index].iter().rposition(|change| change.makes(&from));
                if let Some(made) = made {
                    needed[made] = true;
                }
            }
        }
        let mut left = Vec::new();
        for (change, needed) in std::mem::take(&mut self.pending).into_iter().zip(needed) {
            if needed {
                let _ = change.apply(&mut self.durable);
            } else {
                left.push(change);
            }
        }
        self.pending = left;
        if self.changed.remove(directory) {
            self.sync_directories(directory);
        }
        Ok(())
    }

    fn sync_directories(&mut self, directory: &str) {
        let inside = self.directories.iter().filter(|name| parent(name) == directory).cloned();
        self.durable_directories.retain(|name| parent(name) != directory);
        self.durable_directories.extend(inside);
    }

    /// Any subset of what was not synced has happened.
    pub(super) fn crash(&mut self, random: &mut Random) {
        for change in std::mem::take(&mut self.pending) {
            if random.below(2) == 0 {
                // What it was made of may be lost.
                let _ = change.apply(&mut self.durable);
            }
        }
        for directory in self.directories.union(&self.durable_directories.clone()) {
            match random.below(2) {
                0 => self.durable_directories.insert(directory.clone()),
                _ => true,
            };
        }
        let directories = &self.durable_directories;
        let is_there = |path: &str| path == "." || directories.contains(path);
        self.durable.retain(|path, _| is_there(parent(path)));
        self.seen.clone_from(&self.durable);
        self.directories.clone_from(&self.durable_directories);
        self.changed.clear();
    }
}

//! The invariants, and the history of each file.

use super::catalog::PublishHow;
use super::disk::Sealed;
use super::machine::indices;
use super::{World, index, name};
use memberd_files::{
    Content, ExtentId, FilePath, Name, Publish, SetAnswer, SetChange, WriterError,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

type Version = Option<Arc<Vec<u8>>>;

/// What each file was, and since when.
#[derive(Default)]
pub struct History {
    files: BTreeMap<FilePath, Vec<(Duration, Version)>>,
    pub reads: u64,
    pub writes: u64,
}

impl History {
    pub fn change(&mut self, path: &FilePath, now: Duration, version: Version) {
        self.files.entry(path.clone()).or_default().push((now, version));
    }

    pub fn newest(&self, path: &FilePath) -> Version {
        self.files.get(path).and_then(|versions| versions.last()?.1.clone())
    }

    /// All that a reader may see who began and ended then.
    pub fn between(&self, path: &FilePath, from: Duration, to: Duration) -> Vec<Version> {
        let Some(versions) = self.files.get(path) else { return vec![None] };
        let before = versions.iter().rev().find(|(at, _)| *at <= from);
        let mut seen = vec![before.and_then(|(_, version)| version.clone())];
        let during = versions.iter().filter(|(at, _)| *at > from && *at <= to);
        seen.extend(during.map(|(_, version)| version.clone()));
        seen
    }
}

impl World {
    /// The catalog has published something: it must lie on enough disks.
    pub fn published(&mut self, publish: &Publish) {
        self.history.writes += 1;
        let operation = self.operations.get_mut(&publish.operation).unwrap();
        operation.is_applied = true;
        let path = operation.path.clone();
        let old = self.history.newest(&path);
        let content = match (operation.how, old) {
            (PublishHow::Append, Some(old)) => {
                Arc::new([&old[..], &operation.content[..]].concat())
            }
            _ => operation.content.clone(),
        };
        // The scripted catalog appends extents to extents alone: see what it has now.
        let is_joined = match &self.catalog.files[&path].content {
            Content::Extents(all) => {
                all.iter().map(|one| one.length).sum::<u64>() == content.len() as u64
            }
            Content::Inline(bytes) => *bytes == *content,
            Content::Both { .. } => false,
        };
        if is_joined {
            self.history.change(&path, self.now, Some(content));
        }
        if let Content::Extents(extents) = &publish.content {
            let wanted = self.settings.copies.min(self.view.members.len());
            for one in extents {
                let members: BTreeSet<usize> = indices(&one.set.members).into_iter().collect();
                let has = members.iter().filter(|i| self.sealed.contains(&(**i, one.id))).count();
                if has < wanted {
                    self.broken(format!("{path} was published with {has} copies of {wanted}"));
                    return;
                }
            }
        }
    }

    /// The catalog has recorded other holders: each must have had the extent on its disk.
    pub fn recorded(&mut self, change: &SetChange, answer: &SetAnswer) {
        let SetAnswer::Is(set) = answer else { return };
        let extent = change.extent;
        let never = |member: &&Name| !self.sealed.contains(&(index(member), extent));
        if let Some(member) = set.members.iter().find(never).cloned() {
            self.broken(format!("{member} is recorded and never had it: {extent:?}"));
        }
    }

    /// An extent of a file must have an intact copy.
    pub fn check_kept(&mut self, extent: ExtentId, why: &str) {
        if self.catalog.extent(extent).is_some() && self.intact(extent).is_empty() {
            self.broken(format!("{extent:?} has no copy any more: {why}"));
        }
    }

    pub fn intact(&self, extent: ExtentId) -> Vec<usize> {
        let intact = |i: &usize| {
            let disk = &self.machines[*i].disk;
            !disk.is_dead && disk.sealed.get(&extent).is_some_and(Sealed::is_intact)
        };
        (0..self.machines.len()).filter(intact).collect()
    }

    /// What is not whole: extents with other copies than their sets say, or too few.
    pub fn not_whole(&self) -> Vec<String> {
        let mut found = Vec::new();
        for extent in self.catalog.extents.keys() {
            let one = self.catalog.extent(*extent).expect("the catalog is in order");
            let wanted = self.settings.copies.min(self.view.members.len());
            let intact = self.intact(*extent);
            let whole = one
                .set
                .members
                .iter()
                .filter(|member| self.view.members.contains_key(*member))
                .filter(|member| intact.contains(&index(member)))
                .count();
            let equal = intact
                .iter()
                .all(|i| self.machines[*i].disk.sealed[extent].hashes.root() == one.root);
            if whole < wanted || whole != one.set.members.len() || !equal {
                let set = &one.set;
                found.push(format!("{extent:?}: {set:?}, intact on {intact:?}, equal: {equal}"));
            }
        }
        found
    }

    /// What lies on disks and belongs to no file, or not there.
    pub fn garbage(&self) -> usize {
        let of = |i: usize| {
            let sealed = self.machines[i].disk.sealed.keys();
            let wrong = |extent: &&ExtentId| {
                self.catalog.extent(**extent).is_none_or(|one| !one.set.members.contains(&name(i)))
            };
            sealed.filter(wrong).count() + self.machines[i].disk.spool.len()
        };
        (0..self.machines.len()).map(of).sum()
    }

    /// Who heard that nothing was written must be right.
    pub fn check_refused(&mut self) {
        let wrong = self.operations.values().find(|one| {
            one.is_applied
                && matches!(one.result, Some(Err(WriterError::TooFew(_) | WriterError::TooSlow)))
        });
        if let Some(one) = wrong {
            let path = one.path.clone();
            self.broken(format!("a write of {path} was refused and happened"));
        }
    }
}

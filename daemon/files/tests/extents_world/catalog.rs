//! A scripted catalog: one that is always there, in order, and does each operation once.

use memberd_files::{
    Content, Epoch, ExtentId, ExtentRef, ExtentUse, FileContent, FilePath, Generation, HolderSet,
    OperationId, Publish, PublishAnswer, Refusal, SetAnswer, SetChange,
};
use std::collections::BTreeMap;

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishHow {
    Create,
    Replace,
    Append,
}

#[derive(Clone, Default)]
pub struct Catalog {
    pub files: BTreeMap<FilePath, FileContent>,
    operations: BTreeMap<OperationId, PublishAnswer>,
    /// Where each extent belongs.
    pub extents: BTreeMap<ExtentId, FilePath>,
}

impl Catalog {
    /// A publish, and whether it changed anything now.
    pub fn publish(
        &mut self,
        epoch: Epoch,
        publish: &Publish,
        (path, how): (&FilePath, PublishHow),
    ) -> (PublishAnswer, bool) {
        if let Some(answer) = self.operations.get(&publish.operation) {
            return (*answer, false);
        }
        if publish.epoch < epoch {
            return (PublishAnswer::OldEpoch(epoch), false);
        }
        let old = self.files.get(path);
        if old.is_some() && how == PublishHow::Create {
            let answer = PublishAnswer::Refused(Refusal::Exists);
            self.operations.insert(publish.operation, answer);
            return (answer, false);
        }
        let generation = Generation(old.map_or(0, |old| old.generation.0) + 1);
        let content = match (how, old) {
            (PublishHow::Append, Some(old)) => joined(&old.content, &publish.content),
            _ => publish.content.clone(),
        };
        let replaced = self.files.get(path).filter(|_| how != PublishHow::Append);
        for one in replaced.iter().flat_map(|old| old.content.extents()) {
            self.extents.remove(&one.id);
        }
        self.extents.extend(content.extents().iter().map(|one| (one.id, path.clone())));
        self.files.insert(path.clone(), FileContent { generation, content });
        let answer = PublishAnswer::Done(generation);
        self.operations.insert(publish.operation, answer);
        (answer, true)
    }

    pub fn delete(&mut self, path: &FilePath) -> bool {
        let Some(old) = self.files.remove(path) else { return false };
        old.content.extents().iter().for_each(|one| drop(self.extents.remove(&one.id)));
        true
    }

    pub fn extent(&self, extent: ExtentId) -> Option<&ExtentRef> {
        let file = self.files.get(self.extents.get(&extent)?)?;
        file.content.extents().iter().find(|one| one.id == extent)
    }

    pub fn set(&mut self, change: &SetChange) -> SetAnswer {
        let path = self.extents.get(&change.extent);
        let Some(file) = path.and_then(|path| self.files.get_mut(path)) else {
            return SetAnswer::Unknown;
        };
        let Content::Extents(extents) = &mut file.content else { return SetAnswer::Unknown };
        let Some(one) = extents.iter_mut().find(|one| one.id == change.extent) else {
            return SetAnswer::Unknown;
        };
        if one.set.version == change.version {
            one.set = HolderSet { version: change.version + 1, members: change.members.clone() };
        }
        SetAnswer::Is(one.set.clone())
    }

    pub fn in_use(&self, extents: &[ExtentId]) -> Vec<(ExtentId, ExtentUse)> {
        let one = |extent: &ExtentId| {
            let held = self.extent(*extent).map(|one| ExtentUse::Held(one.set.clone()));
            (*extent, held.unwrap_or(ExtentUse::Unknown))
        };
        extents.iter().map(one).collect()
    }
}

fn joined(old: &Content, new: &Content) -> Content {
    match (old, new) {
        (Content::Extents(old), Content::Extents(new)) => {
            Content::Extents(old.iter().chain(new).cloned().collect())
        }
        (Content::Inline(old), new) if old.is_empty() => new.clone(),
        (old, Content::Inline(new)) if new.is_empty() => old.clone(),
        // The world appends extents alone.
        (old, _) => old.clone(),
    }
}

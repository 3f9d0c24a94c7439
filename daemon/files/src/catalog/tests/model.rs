//! A model of a catalog, simple to the point of waste: all paths in one map, all bytes as bytes.
//! Drawn mutations lead to the same in both.

use super::{Share, append, extent, path, put};
use crate::catalog::{
    Catalog, Done, Mutation, PutIf, Query, Refusal, RenameHow, StatusKind, Totals, Truncate,
    Version,
};
use crate::content::Content;
use crate::ids::{ExtentId, Token};
use crate::path::FilePath;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
struct ModelFile {
    inline: Vec<u8>,
    extents: Vec<(u128, u64)>,
    generation: u64,
    token: u64,
}

impl ModelFile {
    fn length(&self) -> u64 {
        self.inline.len() as u64 + self.extents.iter().map(|(_, length)| length).sum::<u64>()
    }

    /// Nothing if extents would come behind bytes of the catalog.
    fn join(&mut self, other: &ModelFile) -> Option<()> {
        let is_between = !self.inline.is_empty() && !other.extents.is_empty();
        self.inline.extend(&other.inline);
        self.extents.extend(&other.extents);
        (!is_between && self.inline.len() <= Content::MAX_INLINE).then_some(())
    }
}

/// Each path below the share: a file, or nothing for a directory.
type Model = BTreeMap<Vec<String>, Option<ModelFile>>;

#[derive(Debug, Clone)]
enum Step {
    Put { path: usize, absent: bool, parents: bool, content: Piece, token: u64 },
    Append { path: usize, at: Option<u64>, content: Piece, token: u64 },
    Fence { path: usize, token: u64 },
    Cut { path: usize, length: u64 },
    Concat { target: usize, sources: Vec<usize> },
    Rename { from: usize, to: usize, how: RenameHow },
    Delete { path: usize, recursive: bool },
    Make { path: usize },
}

#[derive(Debug, Clone)]
enum Piece {
    Inline(usize),
    Extents(usize),
}

const PATHS: [&str; 10] = [
    "/s/a", "/s/b", "/s/c", "/s/a/a", "/s/a/b", "/s/b/a", "/s/a/a/a", "/s/a/a/b", "/s/b/c/d", "/s",
];

fn steps() -> impl Strategy<Value = Step> {
    let at = 0..PATHS.len();
    let piece = || {
        let sizes = prop_oneof![Just(0_usize), 1..9_usize, Just(9_000)];
        prop_oneof![sizes.prop_map(Piece::Inline), (0..3_usize).prop_map(Piece::Extents)]
    };
    let how =
        prop_oneof![Just(RenameHow::Plain), Just(RenameHow::Exclusive), Just(RenameHow::Overwrite)];
    prop_oneof![
        6 => (at.clone(), any::<bool>(), any::<bool>(), piece(), 0..3_u64).prop_map(
            |(path, absent, parents, content, token)| Step::Put {
                path, absent, parents, content, token
            }
        ),
        4 => (at.clone(), prop::option::of(0..9_u64), piece(), 0..3_u64)
            .prop_map(|(path, at, content, token)| Step::Append { path, at, content, token }),
        1 => (at.clone(), 0..3_u64).prop_map(|(path, token)| Step::Fence { path, token }),
        1 => (at.clone(), 0..12_u64).prop_map(|(path, length)| Step::Cut { path, length }),
        1 => (at.clone(), prop::collection::vec(at.clone(), 1..3))
            .prop_map(|(target, sources)| Step::Concat { target, sources }),
        4 => (at.clone(), at.clone(), how)
            .prop_map(|(from, to, how)| Step::Rename { from, to, how }),
        2 => (at.clone(), any::<bool>())
            .prop_map(|(path, recursive)| Step::Delete { path, recursive }),
        2 => at.prop_map(|path| Step::Make { path }),
    ]
}

/// Both, and the next extent's number.
struct Pair {
    share: Share,
    model: Model,
    extents: u128,
}

fn key(path: &FilePath) -> Vec<String> {
    path.names().iter().map(ToString::to_string).collect()
}

fn at(index: usize) -> Vec<String> {
    key(&path(PATHS[index]))
}

fn is_directory(model: &Model, path: &[String]) -> bool {
    path.is_empty() || model.get(path) == Some(&None)
}

fn below(model: &Model, path: &[String]) -> Vec<Vec<String>> {
    model.keys().filter(|key| key.len() > path.len() && key.starts_with(path)).cloned().collect()
}

impl Pair {
    fn piece(&mut self, piece: &Piece) -> (Content, ModelFile) {
        let mut file =
            ModelFile { inline: Vec::new(), extents: Vec::new(), generation: 1, token: 0 };
        let content = match piece {
            Piece::Inline(size) => {
                file.inline = vec![7; *size];
                Content::Inline(file.inline.clone())
            }
            Piece::Extents(count) => {
                for _ in 0..*count {
                    self.extents += 1;
                    file.extents.push((self.extents, 5));
                }
                Content::Extents(file.extents.iter().map(|(id, size)| extent(*id, *size)).collect())
            }
        };
        (content, file)
    }

    /// What the step does, and what it does to the model: nothing if it must fail.
    fn step(&mut self, step: &Step) -> (Mutation, Option<Model>) {
        let mut after = self.model.clone();
        let (mutation, happened) = match step {
            Step::Put { path: index, absent, parents, content, token } => {
                let (content, file) = self.piece(content);
                let condition = if *absent { PutIf::Absent } else { PutIf::Any };
                let put = put(PATHS[*index], content);
                let put = super::Put { condition, token: Token(*token), parents: *parents, ..put };
                let file = ModelFile { token: *token, ..file };
                let happened = model_put(&mut after, &at(*index), (*absent, *parents), file);
                (Mutation::Put(put), happened)
            }
            Step::Append { path: index, at: length, content, token } => {
                let (content, file) = self.piece(content);
                let one = append(PATHS[*index], content);
                let one = super::Append { length: *length, token: Token(*token), ..one };
                let happened = model_append(&mut after, &at(*index), *length, *token, &file);
                (Mutation::Append(one), happened)
            }
            Step::Fence { path: index, token } => {
                let file = after.get_mut(&at(*index)).and_then(Option::as_mut);
                let happened = file.filter(|file| file.token <= *token).map(|file| {
                    file.token = *token;
                });
                (Mutation::Fence { path: path(PATHS[*index]), token: Token(*token) }, happened)
            }
            Step::Cut { path: index, length } => self.cut(&mut after, *index, *length),
            Step::Concat { target, sources } => {
                let happened = model_concat(&mut after, *target, sources);
                let target = path(PATHS[*target]);
                let sources = sources.iter().map(|index| path(PATHS[*index])).collect();
                (Mutation::Concat { target, sources, token: Token(2) }, happened)
            }
            Step::Rename { from, to, how } => {
                let happened = model_rename(&mut after, &at(*from), &at(*to), *how);
                let (from, to) = (path(PATHS[*from]), path(PATHS[*to]));
                (Mutation::Rename { from, to, how: *how }, happened)
            }
            Step::Delete { path: index, recursive } => {
                let gone = below(&after, &at(*index));
                let is_there = after.remove(&at(*index)).is_some();
                let happened = (is_there && (gone.is_empty() || *recursive)).then_some(());
                gone.iter().for_each(|path| drop(after.remove(path)));
                let path = path(PATHS[*index]);
                (Mutation::Delete { path, recursive: *recursive, only: None }, happened)
            }
            Step::Make { path: index } => {
                let happened = model_make(&mut after, &at(*index));
                (Mutation::MakeDirectory { path: path(PATHS[*index]), mode: 0o755 }, happened)
            }
        };
        (mutation, happened.map(|()| after))
    }

    /// Cuts at a byte, with the right extent for it.
    fn cut(&mut self, after: &mut Model, index: usize, length: u64) -> (Mutation, Option<()>) {
        let status = self.share.catalog.status(&path(PATHS[index])).ok();
        let only = status.and_then(|status| match status.kind {
            StatusKind::File { generation, .. } => {
                Some(Version { inode: status.inode, generation })
            }
            StatusKind::Directory { .. } => None,
        });
        let (path, token) = (path(PATHS[index]), Token(2));
        let mut cut = Truncate { path, only, length, token, last: None, age_s: 0 };
        let file = after.get_mut(&at(index)).and_then(Option::as_mut);
        let happened = file.filter(|file| length <= file.length()).map(|file| {
            let mut left = length;
            let before: u64 = file.extents.iter().map(|(_, size)| size).sum();
            file.inline.truncate(usize::try_from(length.saturating_sub(before)).unwrap());
            file.generation += 1;
            for (id, size) in std::mem::take(&mut file.extents) {
                let part = size.min(left);
                left -= part;
                if part == size {
                    file.extents.push((id, size));
                } else if part > 0 {
                    self.extents += 1;
                    cut.last = Some(extent(self.extents, part));
                    file.extents.push((self.extents, part));
                }
            }
        });
        (Mutation::Truncate(cut), happened)
    }

    fn expect_equal(&self) {
        let catalog = &self.share.catalog;
        let mut sums = Totals::default();
        for (names, node) in &self.model {
            let path = path(&format!("/s/{}", names.join("/")));
            let status = catalog.status(&path).unwrap();
            assert_eq!(catalog.path_of(status.inode), Ok(path.clone()));
            match (node, status.kind) {
                (None, StatusKind::Directory { entries }) => {
                    sums.directories += 1;
                    let direct = below(&self.model, names);
                    let direct = direct.iter().filter(|one| one.len() == names.len() + 1).count();
                    assert_eq!(entries, direct as u64);
                }
                (Some(file), StatusKind::File { length, generation, token, .. }) => {
                    assert_eq!(length, file.length(), "{path}");
                    assert_eq!((generation.0, token.0), (file.generation, file.token), "{path}");
                    self.expect_content(&path, file);
                    sums.files += 1;
                    sums.bytes += length;
                    sums.copied_bytes += 3 * length;
                    sums.inline_bytes += file.inline.len() as u64;
                }
                (node, kind) => panic!("{path}: {node:?} is not {kind:?}"),
            }
        }
        assert_eq!(catalog.totals(), sums);
        let ids: Vec<ExtentId> = (1..=self.extents).map(ExtentId).collect();
        let used = catalog.in_use(&ids).iter().filter(|one| one.is_some()).count();
        let files = self.model.values().flatten();
        assert_eq!(used, files.map(|file| file.extents.len()).sum::<usize>());
    }

    fn expect_content(&self, path: &FilePath, file: &ModelFile) {
        let (extents, bytes) = self.share.catalog.contents(path, 0).unwrap().content.into_parts();
        let ids = extents.iter().map(|one| (one.id.0, one.length));
        assert_eq!((ids.collect(), bytes), (file.extents.clone(), file.inline.clone()));
    }
}

fn parents_are_there(model: &Model, path: &[String]) -> bool {
    let parents = (1..path.len()).map(|end| &path[..end]);
    parents.into_iter().all(|parent| is_directory(model, parent))
}

fn model_make(model: &mut Model, path: &[String]) -> Option<()> {
    for end in 1..=path.len() {
        let node = model.entry(path[..end].to_vec()).or_insert(None);
        node.is_none().then_some(())?;
    }
    Some(())
}

fn model_put(
    model: &mut Model,
    path: &[String],
    (absent, parents): (bool, bool),
    file: ModelFile,
) -> Option<()> {
    let (_, above) = path.split_last()?;
    match model.get_mut(path) {
        Some(None) => None,
        Some(Some(before)) => {
            let ModelFile { generation, token, .. } = *before;
            let may = !absent && file.token >= token;
            *before = ModelFile { generation: generation + 1, token, ..file };
            may.then_some(())
        }
        None if parents => {
            model_make(model, above)?;
            model.insert(path.to_vec(), Some(file));
            Some(())
        }
        None => {
            let may = parents_are_there(model, path);
            model.insert(path.to_vec(), Some(file));
            may.then_some(())
        }
    }
}

fn model_append(
    model: &mut Model,
    path: &[String],
    length: Option<u64>,
    token: u64,
    more: &ModelFile,
) -> Option<()> {
    let file = model.get_mut(path)?.as_mut()?;
    let may = token >= file.token && length.is_none_or(|length| length == file.length());
    file.generation += 1;
    file.join(more)?;
    may.then_some(())
}

fn model_concat(model: &mut Model, target: usize, sources: &[usize]) -> Option<()> {
    let mut file = model.get(&at(target))?.clone()?;
    for (place, source) in sources.iter().enumerate() {
        if *source == target || sources[..place].contains(source) {
            return None;
        }
        file.join(&model.get(&at(*source))?.clone()?)?;
        model.remove(&at(*source));
    }
    file.generation += 1;
    model.insert(at(target), Some(file));
    Some(())
}

fn model_rename(model: &mut Model, from: &[String], to: &[String], how: RenameHow) -> Option<()> {
    let node = model.get(from)?.clone();
    let mut to = to.to_vec();
    if how == RenameHow::Plain && is_directory(model, &to) {
        to.push(from.last()?.clone());
    }
    if to == from {
        return (how == RenameHow::Plain && node.is_some()).then_some(());
    }
    if to.is_empty() || to.starts_with(from) || !parents_are_there(model, &to) {
        return None;
    }
    if let Some(there) = model.get(&to) {
        let empty = below(model, &to).is_empty();
        (how == RenameHow::Overwrite && there.is_some() == node.is_some() && empty).then_some(())?;
    }
    for key in std::iter::once(from.to_vec()).chain(below(model, from)) {
        let moved = [&to, &key[from.len()..]].concat();
        let node = model.remove(&key)?;
        model.insert(moved, node);
    }
    Some(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// The catalog does what the model does, and a refused mutation changes nothing.
    #[test]
    fn drawn_mutations_do_what_the_model_does(steps in prop::collection::vec(steps(), 1..40)) {
        let mut pair = Pair { share: Share::new(), model: Model::new(), extents: 0 };
        for step in &steps {
            let (mutation, after) = pair.step(step);
            let before = pair.share.catalog.clone();
            let result: Result<Done, Refusal> = pair.share.act(mutation);
            prop_assert_eq!(result.is_ok(), after.is_some(), "{:?}: {:?}", step, result);
            match after {
                Some(after) => pair.model = after,
                None => expect_unchanged(&before, &pair.share.catalog),
            }
            pair.expect_equal();
        }
        pair.share.expect_consistent();
        let usage = pair.share.catalog.ask(&Query::Usage);
        prop_assert!(matches!(usage, crate::catalog::Found::Usage(_)));
    }
}

/// All but the log's end and the remembered operation is as it was.
fn expect_unchanged(before: &Catalog, after: &Catalog) {
    let masked = Catalog {
        applied: after.applied,
        time_ms: after.time_ms,
        operations: after.operations.clone(),
        ..before.clone()
    };
    assert!(masked == *after, "a refused mutation changed something");
}

//! A file system in memory, for tests and for the example. It owns all files, and can be told to
//! fail.
#![allow(
    dead_code,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test; each user needs a part"
)]

use bytes::Bytes;
use memberd_webhdfs::{
    Block, Change, Checksummer, Create, Defaults, FileChecksum, FileError, FileSystem, HdfsPath,
    Holder, Kind, Later, Page, Reader, RenameMode, Space, Span, Status, Summary, Writer,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bytes of a block: small, so that files of some MiB have several.
pub(crate) const BLOCK_BYTES: u64 = 1 << 20;

const COPIES: u16 = 3;
const CAPACITY: u64 = 10 << 30;
const PIECE: usize = 256 << 10;

/// The file system.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    tree: Arc<Mutex<Tree>>,
}

#[derive(Debug, Default)]
struct Tree {
    nodes: BTreeMap<String, Node>,
    next_id: u64,
    faults: Faults,
}

/// What goes wrong from now on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    /// Reading fails after this many bytes.
    pub(crate) read_ends_after: Option<usize>,
    /// A commit takes so long.
    pub(crate) commit_takes: Duration,
    /// Each write of a piece fails so.
    pub(crate) write_fails: Option<FileError>,
    /// A rename or delete takes so long, after it is done.
    pub(crate) rename_takes: Duration,
}

#[derive(Debug, Clone)]
struct Node {
    status: Status,
    content: Vec<u8>,
}

impl Memory {
    /// With these shares.
    pub(crate) fn new(shares: &[&str]) -> Memory {
        let memory = Memory::default();
        let mut tree = memory.lock();
        for share in ["/"].into_iter().chain(shares.iter().copied()) {
            let path = if share == "/" { "/".to_owned() } else { format!("/{share}") };
            let node = tree.directory("memberd");
            tree.nodes.insert(path, node);
        }
        drop(tree);
        memory
    }

    /// Makes things go wrong.
    pub(crate) fn fail(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// All paths with their lengths.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.lock().nodes.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now<'a, T: Send + 'a>(
        &self,
        work: impl FnOnce(&mut Tree) -> Result<T, FileError>,
    ) -> Later<'a, T> {
        let result = work(&mut self.lock());
        Box::pin(async move { result })
    }

    fn slowly<'a, T: Send + 'a>(
        &self,
        work: impl FnOnce(&mut Tree) -> Result<T, FileError>,
    ) -> Later<'a, T> {
        let (result, takes) = {
            let mut tree = self.lock();
            (work(&mut tree), tree.faults.rename_takes)
        };
        Box::pin(async move {
            tokio::time::sleep(takes).await;
            result
        })
    }
}

impl FileSystem for Memory {
    fn status<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, Status> {
        self.now(|tree| Ok(tree.get(path)?.status.clone()))
    }

    fn list<'a>(
        &'a self,
        path: &'a HdfsPath,
        after: Option<&'a str>,
        limit: usize,
    ) -> Later<'a, Page> {
        self.now(|tree| {
            let status = tree.get(path)?.status.clone();
            if status.kind == Kind::File {
                return Ok(Page { entries: vec![(String::new(), status)], remaining: 0 });
            }
            let later =
                tree.children(path).filter(|name| after.is_none_or(|after| name.as_str() > after));
            let mut names: Vec<String> = later.collect();
            let remaining = names.len().saturating_sub(limit) as u64;
            names.truncate(limit);
            let named = |name: String| {
                let status = tree.nodes[&below(path, &name)].status.clone();
                (name, status)
            };
            Ok(Page { entries: names.into_iter().map(named).collect(), remaining })
        })
    }

    fn open<'a>(&'a self, path: &'a HdfsPath, span: Span) -> Later<'a, Box<dyn Reader>> {
        self.now(|tree| {
            let content = &tree.file(path)?.content;
            let range = span.within(content.len() as u64)?;
            let bytes = Bytes::copy_from_slice(&content[range.start as usize..range.end as usize]);
            let fails_after = tree.faults.read_ends_after;
            Ok(Box::new(MemoryReader { length: bytes.len() as u64, bytes, fails_after })
                as Box<dyn Reader>)
        })
    }

    fn create<'a>(&'a self, path: &'a HdfsPath, how: Create) -> Later<'a, Box<dyn Writer>> {
        self.now(|tree| {
            tree.may_create(path, &how)?;
            Ok(self.writer(path, Commit::Create(how)))
        })
    }

    fn append<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, Box<dyn Writer>> {
        self.now(|tree| {
            tree.file(path)?;
            Ok(self.writer(path, Commit::Append))
        })
    }

    fn rename<'a>(
        &'a self,
        from: &'a HdfsPath,
        to: &'a HdfsPath,
        mode: RenameMode,
    ) -> Later<'a, bool> {
        self.slowly(|tree| {
            if mode != RenameMode::Plain {
                return tree.rename(from, to, mode).map(|()| true);
            }
            let into = tree.nodes.get(to.as_str()).map(|node| node.status.kind);
            let to = match (into, from.name()) {
                (Some(Kind::Directory), Some(name)) => HdfsPath::parse(&below(to, name))?,
                _ => to.clone(),
            };
            Ok(tree.rename(from, &to, mode).is_ok())
        })
    }

    fn delete<'a>(&'a self, path: &'a HdfsPath, recursive: bool) -> Later<'a, bool> {
        self.slowly(|tree| {
            if tree.get(path).is_err() {
                return Ok(false);
            }
            if !recursive && tree.children(path).next().is_some() {
                return Err(FileError::NotEmpty(path.to_string()));
            }
            if path.parent().is_none_or(|above| above.is_root()) {
                return Err(FileError::Denied("a share is not deleted here".to_owned()));
            }
            tree.nodes.retain(|name, _| !is_within(name, path));
            Ok(true)
        })
    }

    fn make_directories<'a>(&'a self, path: &'a HdfsPath, user: &'a str) -> Later<'a, ()> {
        self.now(|tree| tree.make_directories(path, user))
    }

    fn concat<'a>(&'a self, path: &'a HdfsPath, sources: &'a [HdfsPath]) -> Later<'a, ()> {
        self.now(|tree| {
            let mut content = tree.file(path)?.content.clone();
            for source in sources {
                content.extend_from_slice(&tree.file(source)?.content);
            }
            for source in sources {
                tree.nodes.remove(source.as_str());
            }
            tree.set_content(path, content)
        })
    }

    fn truncate<'a>(&'a self, path: &'a HdfsPath, length: u64) -> Later<'a, ()> {
        self.now(|tree| {
            let mut content = tree.file(path)?.content.clone();
            if length > content.len() as u64 {
                return Err(FileError::Invalid("longer than the file".to_owned()));
            }
            content.truncate(length as usize);
            tree.set_content(path, content)
        })
    }

    fn change<'a>(&'a self, path: &'a HdfsPath, change: &'a Change) -> Later<'a, ()> {
        self.now(|tree| {
            tree.get(path)?;
            let status = &mut tree.nodes.get_mut(path.as_str()).expect("it is there").status;
            match change {
                Change::Permission(bits) => status.permission = *bits,
                Change::Owner { owner, group } => {
                    status.owner = owner.clone().unwrap_or_else(|| status.owner.clone());
                    status.group = group.clone().unwrap_or_else(|| status.group.clone());
                }
                Change::Times { modified, accessed } => {
                    status.modified = modified.unwrap_or(status.modified);
                    status.accessed = accessed.unwrap_or(status.accessed);
                }
                Change::Copies(copies) => status.copies = *copies,
            }
            Ok(())
        })
    }

    fn summary<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, Summary> {
        self.now(|tree| {
            tree.get(path)?;
            let mut sum = Summary::default();
            for (_, node) in tree.nodes.iter().filter(|(name, _)| is_within(name, path)) {
                match node.status.kind {
                    Kind::Directory => sum.directories += 1,
                    Kind::File => {
                        sum.files += 1;
                        sum.length += node.status.length;
                        sum.stored += node.status.length * u64::from(node.status.copies);
                    }
                }
            }
            Ok(sum)
        })
    }

    fn checksum<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, FileChecksum> {
        self.now(|tree| {
            let mut summer = Checksummer::new(BLOCK_BYTES);
            summer.update(&tree.file(path)?.content);
            Ok(summer.finish())
        })
    }

    fn blocks<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, Vec<Block>> {
        self.now(|tree| {
            let status = &tree.file(path)?.status;
            let (length, id) = (status.length, status.id);
            let holder = Holder { host: "localhost".to_owned(), address: [127, 0, 0, 1].into() };
            let block = |number: u64| {
                let offset = number * BLOCK_BYTES;
                let length = (length - offset).min(BLOCK_BYTES);
                Block { offset, length, id: id << 20 | number, holders: vec![holder.clone()] }
            };
            Ok((0..length.div_ceil(BLOCK_BYTES)).map(block).collect())
        })
    }

    fn space(&self) -> Later<'_, Space> {
        self.now(|tree| {
            let used = tree.nodes.values().map(|node| node.status.length).sum();
            Ok(Space { capacity: CAPACITY, used, remaining: CAPACITY.saturating_sub(used) })
        })
    }

    fn defaults(&self) -> Defaults {
        Defaults { block_bytes: BLOCK_BYTES, copies: COPIES }
    }
}

impl Memory {
    fn writer(&self, path: &HdfsPath, commit: Commit) -> Box<dyn Writer> {
        let (memory, path) = (self.clone(), path.clone());
        Box::new(MemoryWriter { memory, path, commit, bytes: Vec::new() })
    }
}

struct MemoryReader {
    length: u64,
    bytes: Bytes,
    fails_after: Option<usize>,
}

impl Reader for MemoryReader {
    fn length(&self) -> u64 {
        self.length
    }

    fn next(&mut self) -> Later<'_, Option<Bytes>> {
        let size = PIECE.min(self.bytes.len()).min(self.fails_after.unwrap_or(PIECE));
        let piece = self.bytes.split_to(size);
        let result = match (piece.is_empty(), self.fails_after) {
            (true, Some(_)) => Err(FileError::Io("no copy can be read".to_owned())),
            (true, None) => Ok(None),
            (false, fails_after) => {
                self.fails_after = fails_after.map(|bytes| bytes - size);
                Ok(Some(piece))
            }
        };
        Box::pin(async move { result })
    }
}

enum Commit {
    Create(Create),
    Append,
}

struct MemoryWriter {
    memory: Memory,
    path: HdfsPath,
    commit: Commit,
    bytes: Vec<u8>,
}

impl Writer for MemoryWriter {
    fn write(&mut self, piece: Bytes) -> Later<'_, ()> {
        self.bytes.extend_from_slice(&piece);
        let fails = self.memory.lock().faults.write_fails.clone();
        Box::pin(async move { fails.map_or(Ok(()), Err) })
    }

    fn commit(self: Box<Self>) -> Later<'static, ()> {
        Box::pin(async move {
            let takes = self.memory.lock().faults.commit_takes;
            tokio::time::sleep(takes).await;
            let MemoryWriter { memory, path, commit, bytes } = *self;
            let mut tree = memory.lock();
            match commit {
                Commit::Create(how) => tree.create(&path, &how, bytes),
                Commit::Append => {
                    let mut content = tree.file(&path)?.content.clone();
                    content.extend_from_slice(&bytes);
                    tree.set_content(&path, content)
                }
            }
        })
    }
}

impl Tree {
    fn get(&self, path: &HdfsPath) -> Result<&Node, FileError> {
        let found = self.nodes.get(path.as_str());
        found.ok_or_else(|| FileError::NotFound(path.to_string()))
    }

    fn file(&self, path: &HdfsPath) -> Result<&Node, FileError> {
        let node = self.get(path)?;
        match node.status.kind {
            Kind::File => Ok(node),
            Kind::Directory => Err(FileError::NotFound(format!("{path} is a directory"))),
        }
    }

    fn children(&self, path: &HdfsPath) -> impl Iterator<Item = String> {
        let prefix = if path.is_root() { "/".to_owned() } else { format!("{path}/") };
        let names: Vec<String> = (self.nodes.range(prefix.clone()..))
            .take_while(|(name, _)| name.starts_with(&prefix))
            .filter_map(|(name, _)| name.strip_prefix(&prefix))
            .filter(|name| !name.is_empty() && !name.contains('/'))
            .map(str::to_owned)
            .collect();
        names.into_iter()
    }

    fn may_create(&self, path: &HdfsPath, how: &Create) -> Result<(), FileError> {
        let Some(parent) = path.parent().filter(|parent| !parent.is_root()) else {
            return Err(FileError::Denied("a file lies in a share".to_owned()));
        };
        match self.nodes.get(path.as_str()).map(|node| node.status.kind) {
            Some(Kind::Directory) => return Err(FileError::Exists(path.to_string())),
            Some(Kind::File) if !how.overwrite => return Err(FileError::Exists(path.to_string())),
            Some(Kind::File) => return Ok(()),
            None => {}
        }
        self.has_directory(&parent, how.make_parents)
    }

    /// Whether a directory exists or could be made.
    fn has_directory(&self, path: &HdfsPath, or_can_make: bool) -> Result<(), FileError> {
        match self.nodes.get(path.as_str()).map(|node| node.status.kind) {
            Some(Kind::Directory) => Ok(()),
            Some(Kind::File) => Err(FileError::ParentNotDirectory(path.to_string())),
            None if or_can_make => match path.parent().filter(|above| !above.is_root()) {
                Some(above) => self.has_directory(&above, true),
                None => Err(FileError::Denied(format!("there is no share {path}"))),
            },
            None => Err(FileError::NotFound(path.to_string())),
        }
    }

    fn create(&mut self, path: &HdfsPath, how: &Create, content: Vec<u8>) -> Result<(), FileError> {
        self.may_create(path, how)?;
        if let Some(parent) = path.parent() {
            self.make_directories(&parent, &how.user)?;
        }
        let mut node = self.directory(&how.user);
        node.status.kind = Kind::File;
        node.status.permission = 0o644;
        self.nodes.insert(path.to_string(), node);
        self.set_content(path, content)
    }

    fn make_directories(&mut self, path: &HdfsPath, user: &str) -> Result<(), FileError> {
        if self.nodes.get(path.as_str()).is_some_and(|node| node.status.kind == Kind::File) {
            return Err(FileError::Exists(path.to_string()));
        }
        self.has_directory(path, true)?;
        let mut above = Some(path.clone());
        while let Some(directory) = above {
            if !self.nodes.contains_key(directory.as_str()) {
                let node = self.directory(user);
                self.nodes.insert(directory.to_string(), node);
            }
            above = directory.parent();
        }
        Ok(())
    }

    fn rename(
        &mut self,
        from: &HdfsPath,
        to: &HdfsPath,
        mode: RenameMode,
    ) -> Result<(), FileError> {
        self.get(from)?;
        if let Ok(there) = self.get(to) {
            let is_file = there.status.kind == Kind::File;
            if mode != RenameMode::Overwrite || (!is_file && self.children(to).next().is_some()) {
                return Err(FileError::Exists(to.to_string()));
            }
        }
        if from.share() != to.share() || from.parent().is_none_or(|above| above.is_root()) {
            return Err(FileError::Denied("not from share to share".to_owned()));
        }
        if to.is_within(from) {
            return Err(FileError::Io("not below itself".to_owned()));
        }
        self.has_directory(&to.parent().unwrap_or_else(HdfsPath::root), false)?;
        let moved: Vec<String> =
            self.nodes.keys().filter(|name| is_within(name, from)).cloned().collect();
        for name in moved {
            let node = self.nodes.remove(&name).expect("it is there");
            self.nodes.insert(format!("{to}{}", &name[from.as_str().len()..]), node);
        }
        Ok(())
    }

    fn set_content(&mut self, path: &HdfsPath, content: Vec<u8>) -> Result<(), FileError> {
        self.file(path)?;
        let node = self.nodes.get_mut(path.as_str()).expect("it is there");
        node.status.length = content.len() as u64;
        node.status.modified = milliseconds();
        node.content = content;
        Ok(())
    }

    fn directory(&mut self, user: &str) -> Node {
        self.next_id += 1;
        let status = Status {
            kind: Kind::Directory,
            length: 0,
            modified: milliseconds(),
            accessed: milliseconds(),
            block_bytes: BLOCK_BYTES,
            copies: COPIES,
            owner: user.to_owned(),
            group: "memberd".to_owned(),
            permission: 0o755,
            id: self.next_id,
            children: 0,
        };
        Node { status, content: Vec::new() }
    }
}

fn below(path: &HdfsPath, name: &str) -> String {
    if path.is_root() { format!("/{name}") } else { format!("{path}/{name}") }
}

fn is_within(name: &str, path: &HdfsPath) -> bool {
    path.is_root()
        || name
            .strip_prefix(path.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn milliseconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

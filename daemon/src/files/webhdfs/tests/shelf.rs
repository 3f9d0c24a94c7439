//! Real catalogs, with extents in memory: [`Shelf`]. It owns all of it, and can be told to fail.

use crate::files::FilesError;
use crate::files::webhdfs::source::{ReadingSource, Source, WritingSource};
use memberd_files::store::StoreStatus;
use memberd_files::{
    Append, Appended, Catalog, ClientError, Content, Contents, Done, Entry, Epoch, ExtentId,
    ExtentRef, FilePath, Found, HolderSet, Mutation, Name, OperationId, Piece, Position, Put,
    Query, Refusal, ShareKeepers, ShareName, Token, Version, WriteTo,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

/// Bytes of an extent: few, so that files have several.
pub(super) const EXTENT_BYTES: usize = 100_000;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 30_000;

#[derive(Clone)]
pub(super) struct Shelf(Arc<Mutex<Inner>>);

struct Inner {
    shares: BTreeMap<ShareName, Catalog>,
    extents: BTreeMap<ExtentId, Vec<u8>>,
    drawn: u128,
    /// How the next calls fail.
    failures: VecDeque<FilesError>,
    /// How many questions were answered by what may be old.
    stale: usize,
}

impl Shelf {
    pub(super) fn new(shares: &[&str]) -> Shelf {
        let share = |name: &&str| {
            let name = ShareName::new(name).unwrap();
            (name.clone(), Catalog::new(name))
        };
        Shelf(Arc::new(Mutex::new(Inner {
            shares: shares.iter().map(share).collect(),
            extents: BTreeMap::new(),
            drawn: 0,
            failures: VecDeque::new(),
            stale: 0,
        })))
    }

    /// The next calls fail so, one after another.
    pub(super) fn fail(&self, failures: impl IntoIterator<Item = ClientError>) {
        self.lock().failures = failures.into_iter().map(FilesError::Client).collect();
    }

    pub(super) fn stale(&self) -> usize {
        self.lock().stale
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

pub(super) fn keepers() -> Vec<Name> {
    ["vm1", "vm2", "vm3"].map(|name| Name::new(name).unwrap()).to_vec()
}

impl Inner {
    fn may_fail(&mut self) -> Result<(), FilesError> {
        self.failures.pop_front().map_or(Ok(()), Err)
    }

    fn draw(&mut self) -> u128 {
        self.drawn += 1;
        self.drawn << 64
    }

    fn ask(&self, share: &ShareName, query: &Query) -> Result<Found, FilesError> {
        let catalog = self.shares.get(share);
        Ok(catalog.ok_or_else(|| ClientError::NoShare(share.clone()))?.ask(query))
    }

    fn change(&mut self, share: &ShareName, mutation: Mutation) -> Result<Done, FilesError> {
        assert!(mutation.fits(), "{mutation:?}");
        let operation = OperationId(self.draw());
        let none = || ClientError::NoShare(share.clone());
        let catalog = self.shares.get_mut(share).ok_or_else(none)?;
        let Position { ballot, index } = catalog.applied();
        let position = Position { ballot, index: index + 1 };
        let wall_ms = 1_000_000 + index;
        let entry = Entry { position, time_ms: index, wall_ms, operation, mutation };
        Ok(catalog.apply(&entry).result().map_err(ClientError::Refused)?)
    }

    fn extents(&mut self, bytes: &[u8]) -> Vec<ExtentRef> {
        let mut extent = |bytes: &[u8]| {
            let id = ExtentId(self.draw());
            self.extents.insert(id, bytes.to_vec());
            ExtentRef {
                id,
                length: bytes.len() as u64,
                root: [0; 32],
                set: HolderSet::new(keepers()),
            }
        };
        bytes.chunks(EXTENT_BYTES).map(&mut extent).collect()
    }

    fn content(&mut self, bytes: &[u8]) -> Content {
        if bytes.len() <= Content::MAX_INLINE {
            return Content::Inline(bytes.to_vec());
        }
        Content::Extents(self.extents(bytes))
    }

    fn contents(&self, path: &FilePath) -> Result<Contents, FilesError> {
        match self.ask(path.share(), &Query::Contents { path: path.clone(), from: 0 })? {
            Found::Contents(contents) => Ok(*contents),
            Found::Refused(refusal) => Err(ClientError::Refused(refusal).into()),
            other => panic!("{other:?}"),
        }
    }

    fn bytes(&self, path: &FilePath) -> Result<Vec<u8>, FilesError> {
        let (extents, bytes) = self.contents(path)?.content.into_parts();
        let parts = extents.iter().flat_map(|extent| self.extents[&extent.id].clone());
        Ok(parts.chain(bytes).collect())
    }

    fn write(&mut self, path: &FilePath, to: WriteTo, bytes: &[u8]) -> Result<Done, FilesError> {
        let content = self.content(bytes);
        let token = Token::default();
        let mutation = match to {
            WriteTo::Put { condition, copies, mode, parents } => {
                let path = path.clone();
                Mutation::Put(Put {
                    path,
                    condition,
                    token,
                    content,
                    copies,
                    mode,
                    parents,
                    age_s: 0,
                })
            }
            WriteTo::Append { only, length } => {
                let what = Appended::Content(content);
                let path = path.clone();
                Mutation::Append(Append { path, only, length, token, what, age_s: 0 })
            }
        };
        let needs = FilesError::Client(ClientError::Refused(Refusal::NeedsExtent));
        match self.change(path.share(), mutation) {
            Err(error) if error == needs => self.append_extents(path, bytes),
            done => done,
        }
    }

    /// An append for which the catalog has no room.
    fn append_extents(&mut self, path: &FilePath, bytes: &[u8]) -> Result<Done, FilesError> {
        let old = self.contents(path)?;
        let memberd_files::StatusKind::File { generation, .. } = old.status.kind else { panic!() };
        let what = match old.content {
            Content::Extents(_) => Appended::Content(Content::Extents(self.extents(bytes))),
            old => Appended::Whole(self.extents(&[old.inline(), bytes].concat())),
        };
        let only = Some(Version { inode: old.status.inode, generation });
        let token = Token::default();
        let append = Append { path: path.clone(), only, length: None, token, what, age_s: 0 };
        self.change(path.share(), Mutation::Append(append))
    }
}

impl Source for Shelf {
    type Reading = ShelfReading;
    type Writing = ShelfWriting;

    async fn ask(
        &self,
        share: ShareName,
        query: Query,
        stale: bool,
    ) -> Result<(Found, bool), FilesError> {
        let mut inner = self.lock();
        if stale {
            inner.stale += 1;
        } else {
            inner.may_fail()?;
        }
        Ok((inner.ask(&share, &query)?, !stale))
    }

    async fn change(&self, share: ShareName, mutation: Mutation) -> Result<Done, FilesError> {
        let mut inner = self.lock();
        inner.may_fail()?;
        inner.change(&share, mutation)
    }

    async fn write(&self, path: FilePath, to: WriteTo) -> Result<ShelfWriting, FilesError> {
        self.lock().may_fail()?;
        Ok(ShelfWriting { shelf: self.clone(), path, to, bytes: Vec::new() })
    }

    async fn read(
        &self,
        path: FilePath,
        offset: u64,
        limit: Option<u64>,
    ) -> Result<ShelfReading, FilesError> {
        let mut inner = self.lock();
        inner.may_fail()?;
        let bytes = inner.bytes(&path)?;
        let start = usize::try_from(offset).unwrap().min(bytes.len());
        let end = limit.map_or(bytes.len(), |it| start + usize::try_from(it).unwrap());
        let bytes = bytes[start..end.min(bytes.len())].to_vec();
        Ok(ShelfReading { bytes, at: 0 })
    }

    fn shares(&self) -> Vec<(ShareName, ShareKeepers)> {
        let (added, since, keepers) = (Epoch(1), Epoch(1), keepers());
        let kept = ShareKeepers { added, since, keepers, ..ShareKeepers::default() };
        self.lock().shares.keys().map(|name| (name.clone(), kept.clone())).collect()
    }

    async fn store(&self) -> Result<Option<StoreStatus>, FilesError> {
        Ok(None)
    }
}

pub(super) struct ShelfReading {
    bytes: Vec<u8>,
    at: usize,
}

impl ReadingSource for ShelfReading {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn next(&mut self) -> Result<Option<Piece>, FilesError> {
        let end = self.bytes.len().min(self.at + PIECE_BYTES);
        let piece = &self.bytes[self.at..end];
        self.at = end;
        Ok((!piece.is_empty()).then(|| piece.into()))
    }
}

pub(super) struct ShelfWriting {
    shelf: Shelf,
    path: FilePath,
    to: WriteTo,
    bytes: Vec<u8>,
}

impl WritingSource for ShelfWriting {
    async fn push(&mut self, bytes: &[u8]) -> Result<(), FilesError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self) -> Result<Done, FilesError> {
        self.shelf.lock().write(&self.path, self.to, &self.bytes)
    }
}

//! Where the blocks of a file lie. [`Members`] knows the addresses of those that are up.

use super::adapter::Files;
use super::catalog::unexpected;
use super::convert;
use super::source::Source;
use crate::files::members::{Peers, Standing};
use memberd_files::{Contents, ExtentRef, FilePath, Found, Name, Query};
use memberd_webhdfs::{Block, FileError, Holder};
use std::sync::Arc;
use tokio::sync::watch;

/// The members that are up, and where.
#[derive(Debug, Clone)]
pub(super) struct Members(watch::Receiver<Peers>);

impl Members {
    /// Those of this list.
    pub(super) fn new(peers: watch::Receiver<Peers>) -> Members {
        Members(peers)
    }

    /// Those of them that are up.
    fn holders(&self, names: &[Name]) -> Vec<Holder> {
        let peers = Arc::clone(&self.0.borrow());
        let holder = |name: &Name| {
            let peer = peers.get(name).filter(|peer| peer.standing == Standing::Up)?;
            Some(Holder { host: name.to_string(), address: peer.address.ip() })
        };
        names.iter().filter_map(holder).collect()
    }
}

impl<S: Source> Files<S> {
    /// The blocks of a file: its extents, and one of what its keepers have behind them.
    pub(super) async fn blocks_of(&self, path: &FilePath) -> Result<Vec<Block>, FileError> {
        let mut blocks: Vec<Block> = Vec::new();
        loop {
            let from = blocks.last().map_or(0, |block| block.offset + block.length);
            let contents = self.contents(path, from).await?;
            let (extents, bytes) = contents.content.into_parts();
            let mut offset = contents.starts;
            for extent in &extents {
                blocks.push(self.block(offset, extent));
                offset += extent.length;
            }
            if contents.is_all || extents.is_empty() {
                let end = self.inline(path, contents.status.inode.0, (offset, bytes.len() as u64));
                blocks.extend(end);
                return Ok(blocks);
            }
        }
    }

    async fn contents(&self, path: &FilePath, from: u64) -> Result<Contents, FileError> {
        let found = self.ask(path, Query::Contents { path: path.clone(), from }).await;
        match found.map_err(|error| convert::error(path, error))? {
            Found::Contents(contents) => Ok(*contents),
            other => Err(unexpected(path, &other)),
        }
    }

    fn block(&self, offset: u64, extent: &ExtentRef) -> Block {
        // The upper half of 128 random bits is as good a number.
        let id = u64::try_from(extent.id.0 >> 64).unwrap_or_default();
        let holders = self.members.holders(&extent.set.members);
        Block { offset, length: extent.length, id, holders }
    }

    /// What lies in the catalog: so many bytes from this place on. No bytes are no block.
    fn inline(&self, path: &FilePath, id: u64, (offset, length): (u64, u64)) -> Option<Block> {
        let shares = self.source.shares();
        let share = shares.iter().find(|(name, _)| name == path.share());
        let keepers = share.map(|(_, share)| share.keepers.as_slice()).unwrap_or_default();
        let holders = self.members.holders(keepers);
        (length > 0).then_some(Block { offset, length, id: id << 1, holders })
    }
}

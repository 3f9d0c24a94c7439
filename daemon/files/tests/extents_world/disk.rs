//! A simulated disk: what is not sealed is lost at a crash, and it may be full, dead or rotten.

use memberd_files::{
    ExtentDone, ExtentFault, ExtentHasher, ExtentHashes, ExtentId, ExtentJob, HolderSet, Piece,
    ShareName, StoredExtent,
};
use std::collections::BTreeMap;

#[derive(Clone)]
pub struct Sealed {
    pub share: ShareName,
    pub bytes: Vec<u8>,
    pub hashes: ExtentHashes,
    pub set: Option<HolderSet>,
}

impl Sealed {
    pub fn is_intact(&self) -> bool {
        self.hashes.verify(0, &self.bytes).is_ok()
    }
}

#[derive(Clone, Default)]
pub struct Disk {
    pub spool: BTreeMap<ExtentId, Vec<u8>>,
    pub sealed: BTreeMap<ExtentId, Sealed>,
    pub is_full: bool,
    pub is_dead: bool,
    /// The bytes that pieces brought.
    pub written: u64,
}

impl Disk {
    pub fn stored(&self) -> Vec<StoredExtent> {
        let one = |(extent, sealed): (&ExtentId, &Sealed)| StoredExtent {
            extent: *extent,
            share: sealed.share.clone(),
            length: sealed.hashes.length(),
            root: sealed.hashes.root(),
            set: sealed.set.clone(),
        };
        self.sealed.iter().map(one).collect()
    }

    /// Does a job. What it changes is durable, except the spool.
    pub fn run(&mut self, job: ExtentJob) -> Result<ExtentDone, ExtentFault> {
        if self.is_dead {
            return Err(ExtentFault::Failed);
        }
        match job {
            ExtentJob::Piece { extent, offset, bytes } => {
                if self.is_full {
                    return Err(ExtentFault::Full);
                }
                let spool = self.spool.entry(extent).or_default();
                if spool.len() as u64 != offset {
                    return Err(ExtentFault::Misplaced(spool.len() as u64));
                }
                spool.extend_from_slice(&bytes);
                self.written += bytes.len() as u64;
                Ok(ExtentDone::Done)
            }
            ExtentJob::DropPieces { extent } => {
                self.spool.remove(&extent);
                Ok(ExtentDone::Done)
            }
            ExtentJob::Seal { extent, share, expect } => self.seal(extent, share, expect),
            ExtentJob::Set { extent, set } => {
                if let Some(sealed) = self.sealed.get_mut(&extent) {
                    sealed.set = Some(set);
                }
                Ok(ExtentDone::Done)
            }
            ExtentJob::Drop { extent } => {
                self.sealed.remove(&extent);
                Ok(ExtentDone::Done)
            }
            ExtentJob::Read { extent, offset, bytes } => self.read(extent, offset, bytes),
            ExtentJob::ReadPieces { extent, offset, bytes } => {
                let sealed = self.sealed.get(&extent).map(|sealed| &sealed.bytes);
                let all = self.spool.get(&extent).or(sealed).ok_or(ExtentFault::Unknown)?;
                Ok(ExtentDone::Bytes(part(all, offset, bytes)))
            }
        }
    }

    fn seal(
        &mut self,
        extent: ExtentId,
        share: ShareName,
        expect: Option<(u64, [u8; 32])>,
    ) -> Result<ExtentDone, ExtentFault> {
        if self.is_full {
            // Delayed allocation: the lack of room comes out at the sync.
            return Err(ExtentFault::Full);
        }
        let bytes = self.spool.remove(&extent).ok_or(ExtentFault::Unknown)?;
        let mut hasher = ExtentHasher::new();
        hasher.update(&bytes);
        let hashes = hasher.finish();
        let (length, root) = (hashes.length(), hashes.root());
        if expect.is_some_and(|expect| expect != (length, root)) {
            return Err(ExtentFault::Mismatch);
        }
        self.sealed.insert(extent, Sealed { share, bytes, hashes, set: None });
        Ok(ExtentDone::Sealed { length, root })
    }

    fn read(&self, extent: ExtentId, offset: u64, bytes: u32) -> Result<ExtentDone, ExtentFault> {
        let sealed = self.sealed.get(&extent).ok_or(ExtentFault::Unknown)?;
        let around = sealed.hashes.around(offset, u64::from(bytes));
        let range = around.start as usize..around.end as usize;
        sealed.hashes.verify(around.start, &sealed.bytes[range]).map_err(|_| ExtentFault::Bad)?;
        Ok(ExtentDone::Bytes(part(&sealed.bytes, offset, bytes)))
    }
}

fn part(all: &[u8], offset: u64, bytes: u32) -> Piece {
    let from = (offset as usize).min(all.len());
    let to = (from + bytes as usize).min(all.len());
    all[from..to].into()
}

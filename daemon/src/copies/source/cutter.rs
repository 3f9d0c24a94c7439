//! Cuts and compresses texts, once for all keepers. It owns the texts that were cut last.

use super::files::{FileKey, Files};
use super::shipped::Cut;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Instant;
use zstd::bulk::Compressor;

/// Level 3 is slower, and no smaller for logs.
const LEVEL: i32 = 1;

/// How many compressed bytes are kept for the other keeper.
const KEPT_BYTES: usize = 2 << 20;

/// How many texts.
const KEPT_CUTS: usize = 1024;

/// Cuts texts.
pub(super) struct Cutter {
    compressor: Compressor<'static>,
    text: Vec<u8>,
    /// The newest last.
    cuts: VecDeque<Arc<Cut>>,
    cut_bytes: usize,
    /// How many bytes of text were cut since the start.
    pub(super) text_bytes: u64,
}

impl Cutter {
    /// Nothing is cut yet.
    ///
    /// # Errors
    /// When zstd gets no memory.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Cutter {
            compressor: Compressor::new(LEVEL)?,
            text: Vec::new(),
            cuts: VecDeque::new(),
            cut_bytes: 0,
            text_bytes: 0,
        })
    }

    /// The block of a file at `offset`, if there is one.
    ///
    /// # Errors
    /// When it cannot be compressed.
    pub(super) fn cut(
        &mut self,
        files: &mut Files,
        (key, offset): (FileKey, u64),
        now: Instant,
        now_ms: u64,
    ) -> io::Result<Option<Arc<Cut>>> {
        let is_it = |cut: &&Arc<Cut>| cut.key == key && cut.offset == offset;
        if let Some(cut) = self.cuts.iter().find(is_it) {
            return Ok(Some(Arc::clone(cut)));
        }
        files.read(key, offset, now, &mut self.text);
        if self.text.is_empty() {
            return Ok(None);
        }
        let cut = Arc::new(Cut {
            key,
            offset,
            text_bytes: u32::try_from(self.text.len()).map_err(io::Error::other)?,
            hash: *blake3::hash(&self.text).as_bytes(),
            frame: self.compressor.compress(&self.text)?,
            read_ms: now_ms,
        });
        self.text_bytes += self.text.len() as u64;
        self.cut_bytes += cut.frame.len();
        self.cuts.push_back(Arc::clone(&cut));
        while self.cut_bytes > KEPT_BYTES || self.cuts.len() > KEPT_CUTS {
            let Some(oldest) = self.cuts.pop_front() else { break };
            self.cut_bytes -= oldest.frame.len();
        }
        Ok(Some(cut))
    }

    /// All is sent: the memory is given back.
    pub(super) fn rest(&mut self) {
        (self.text, self.cuts, self.cut_bytes) = (Vec::new(), VecDeque::new(), 0);
    }
}

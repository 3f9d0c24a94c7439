//! Reads the text of blocks, and verifies it. It owns the buffers.

use super::{KeptBlock, KeptError};
use crate::segment::{digest, is_same};
use crate::store::Inflater;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Reads blocks, and reuses its buffers: at most 1.2 MiB.
#[derive(Debug)]
pub struct BlockReader {
    inflater: Inflater,
    frame: Vec<u8>,
}

impl BlockReader {
    /// Takes the memory.
    ///
    /// # Errors
    /// When zstd gets no memory.
    pub fn new() -> io::Result<BlockReader> {
        Ok(BlockReader { inflater: Inflater::new()?, frame: Vec::new() })
    }

    /// Replaces `text` by the text of `block`.
    ///
    /// # Errors
    /// When it is damaged or unreadable: `text` is empty then.
    pub fn read(&mut self, block: &KeptBlock, text: &mut Vec<u8>) -> Result<(), KeptError> {
        text.clear();
        let offset = block.offset;
        self.frame.resize(block.frame_bytes as usize, 0);
        match block.file.read_exact_at(&mut self.frame, block.place) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(KeptError::Damaged { offset });
            }
            Err(error) => return Err(KeptError::Unreadable { offset, error }),
        }
        // The text was verified when the frame was written.
        if !is_same(&digest::<16>(&self.frame), &block.frame_hash) {
            return Err(KeptError::Damaged { offset });
        }
        let inflated = self.inflater.inflate(&self.frame, block.frame_text_bytes, text);
        inflated.map_err(|_| KeptError::Damaged { offset })?;
        text.truncate(block.text_bytes as usize);
        Ok(())
    }
}

//! Verifies blocks, and decompresses them. It owns the buffers.

use super::Refused;
use crate::block::{Block, MAX_BLOCK_BYTES};
use crate::segment::open_block::{TextFacts, count_lines, may_be_block};
use std::fmt;
use std::io;
use zstd::bulk::Decompressor;

/// Decompresses frames of at most [`MAX_BLOCK_BYTES`].
pub(crate) struct Inflater(Decompressor<'static>);

impl fmt::Debug for Inflater {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("Inflater")
    }
}

impl Inflater {
    pub(crate) fn new() -> io::Result<Inflater> {
        Decompressor::new().map(Inflater)
    }

    /// Replaces `text` by the text of a frame, which must have `text_bytes`.
    ///
    /// # Errors
    /// When it has not, or is no frame. `text` is empty then.
    pub(crate) fn inflate(
        &mut self,
        frame: &[u8],
        text_bytes: u32,
        text: &mut Vec<u8>,
    ) -> io::Result<()> {
        text.clear();
        let text_bytes = (text_bytes as usize).min(MAX_BLOCK_BYTES);
        // The capacity bounds what comes out, whatever the frame says.
        text.reserve(text_bytes);
        let inflated = self.0.decompress_to_buffer(frame, text);
        match inflated {
            Ok(bytes) if bytes == text_bytes => Ok(()),
            Ok(_) => {
                text.clear();
                Err(io::ErrorKind::InvalidData.into())
            }
            Err(error) => {
                text.clear();
                Err(error)
            }
        }
    }
}

/// Verifies blocks that come from sources. It takes at most 1.2 MiB.
#[derive(Debug)]
pub(super) struct Checker {
    inflater: Inflater,
    text: Vec<u8>,
}

/// What is known of a text that was verified.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checked {
    pub(super) lines: u32,
    pub(super) text: TextFacts,
}

impl Checker {
    pub(super) fn new() -> io::Result<Checker> {
        Ok(Checker { inflater: Inflater::new()?, text: Vec::new() })
    }

    /// Verifies that the frame of a block has the text that its head tells.
    pub(super) fn check(&mut self, block: &Block) -> Result<Checked, Refused> {
        let Block { head, frame } = block;
        if !may_be_block(head, frame.len()) {
            return Err(Refused::Invalid);
        }
        let inflated = self.inflater.inflate(frame, head.text_bytes, &mut self.text);
        let is_text = inflated.is_ok() && *blake3::hash(&self.text).as_bytes() == head.hash;
        if !is_text {
            return Err(Refused::Invalid);
        }
        Ok(Checked { lines: count_lines(&self.text), text: TextFacts::of(&self.text) })
    }
}

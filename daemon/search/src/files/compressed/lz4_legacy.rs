//! Decompresses a legacy frame of lz4: blocks of up to 8 MiB of text, without an end mark and
//! without checksums (lz4 frame format, "Legacy frame").

use std::io::{self, Read as _};

use super::input::Input;

/// The text of a block, in bytes. Only that of a frame's last block is shorter.
const BLOCK_BYTES: usize = 8 * 1024 * 1024;

/// The longest block when it is compressed. A larger length is the magic number of what follows.
const MAX_COMPRESSED: usize = BLOCK_BYTES + BLOCK_BYTES / 255 + 16;

/// How long the magic number is, and the length of a block.
const FIELD_BYTES: usize = 4;

/// A legacy frame that is being decompressed.
pub(super) struct Lz4LegacyDecoder {
    input: Input,
    compressed: Vec<u8>,
    block: Vec<u8>,
    /// The part of the block that was not handed on.
    left: std::ops::Range<usize>,
}

impl Lz4LegacyDecoder {
    /// What it needs, in bytes: a block and its text.
    pub(super) const MEMORY: u64 = (BLOCK_BYTES + MAX_COMPRESSED) as u64;

    /// A decoder of the frame at which `input` stands.
    pub(super) fn new(mut input: Input) -> io::Result<Lz4LegacyDecoder> {
        input.skip(FIELD_BYTES as u64)?;
        let (compressed, block) = (Vec::new(), Vec::new());
        Ok(Lz4LegacyDecoder { input, compressed, block, left: 0..0 })
    }

    /// Reads more of the frame's text; nothing at its end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left.is_empty() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let text = self.block.get(self.left.clone()).unwrap_or_default();
        let bytes = text.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..bytes), text.get(..bytes)) {
            to.copy_from_slice(from);
        }
        self.left.start += bytes;
        Ok(bytes)
    }

    /// Decompresses the next block. False when the frame has no more.
    fn next_block(&mut self) -> io::Result<bool> {
        let mut field = [0; FIELD_BYTES];
        let Some(length) = self.input.peek(&mut field)?.first_chunk() else { return Ok(false) };
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 || length > MAX_COMPRESSED {
            return Ok(false);
        }
        self.input.skip(FIELD_BYTES as u64)?;
        self.compressed.resize(length, 0);
        self.input.read_exact(&mut self.compressed)?;
        self.block.resize(BLOCK_BYTES, 0);
        let text = lz4_flex::block::decompress_into(&self.compressed, &mut self.block)
            .map_err(io::Error::other)?;
        self.left = 0..text;
        Ok(true)
    }

    /// The rest of the file, behind the frame.
    pub(super) fn into_input(self) -> Input {
        self.input
    }
}

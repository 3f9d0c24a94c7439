//! The checksum of a file as HDFS computes it: the MD5 of its blocks' MD5s, each over the CRC32Cs
//! of 512 bytes. It is no protection; clients compare copies by it.

use md5::{Digest, Md5};

/// Bytes that one CRC32C is of.
const CHUNK: usize = 512;

/// The smallest size of the buffer over which Hadoop computes the last MD5. The buffer doubles, and
/// its unused zeros count too (`DataOutputBuffer`).
const SMALLEST_BUFFER: usize = 32;

/// The checksum of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChecksum {
    /// Such as `MD5-of-0MD5-of-512CRC32C`.
    pub algorithm: String,
    /// 28 bytes: bytes of a CRC, CRCs of a block (0 if there is one block), and the MD5.
    pub bytes: [u8; FileChecksum::BYTES],
}

impl FileChecksum {
    /// How many bytes it has.
    pub const BYTES: usize = 28;

    /// The checksum of a file with these blocks, each of `block_bytes` but the last.
    #[must_use]
    pub fn of_blocks(block_bytes: u64, blocks: &[[u8; 16]]) -> FileChecksum {
        let size = (blocks.len() * 16).next_power_of_two().max(SMALLEST_BUFFER);
        let mut buffer = blocks.concat();
        buffer.resize(size, 0);
        let md5: [u8; 16] = Md5::digest(&buffer).into();
        // HDFS says so of an empty file, for the sake of older clients.
        let (chunk, kind) = if blocks.is_empty() { (0, "CRC32") } else { (512_u32, "CRC32C") };
        let chunks = if blocks.len() > 1 { block_bytes.div_ceil(CHUNK as u64) } else { 0 };
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&chunk.to_be_bytes());
        bytes[4..12].copy_from_slice(&chunks.to_be_bytes());
        bytes[12..].copy_from_slice(&md5);
        FileChecksum { algorithm: format!("MD5-of-{chunks}MD5-of-{chunk}{kind}"), bytes }
    }
}

/// Computes the checksum of a file while its bytes pass.
#[derive(Debug, Clone)]
pub struct Checksummer {
    block_bytes: u64,
    /// MD5s of whole blocks.
    blocks: Vec<[u8; 16]>,
    /// Over the CRCs of the block that is not whole yet.
    block: Md5,
    /// Bytes of that block.
    length: u64,
    /// The CRC of the chunk that is not whole yet, and its bytes.
    chunk: (u32, usize),
}

impl Checksummer {
    /// For blocks of this many bytes, a multiple of 512.
    #[must_use]
    pub fn new(block_bytes: u64) -> Checksummer {
        let block = Md5::new();
        Checksummer { block_bytes, blocks: Vec::new(), block, length: 0, chunk: (0, 0) }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (crc, have) = self.chunk;
            let (part, rest) = bytes.split_at(bytes.len().min(CHUNK - have));
            self.chunk = (crc32c::crc32c_append(crc, part), have + part.len());
            self.length += part.len() as u64;
            if self.chunk.1 == CHUNK {
                self.end_chunk();
            }
            if self.length >= self.block_bytes {
                self.end_block();
            }
            bytes = rest;
        }
    }

    /// The MD5s of the blocks.
    #[must_use]
    pub fn finish_blocks(mut self) -> Vec<[u8; 16]> {
        if self.length > 0 {
            self.end_block();
        }
        self.blocks
    }

    /// The checksum of all bytes.
    #[must_use]
    pub fn finish(self) -> FileChecksum {
        let block_bytes = self.block_bytes;
        FileChecksum::of_blocks(block_bytes, &self.finish_blocks())
    }

    fn end_chunk(&mut self) {
        let (crc, have) = std::mem::take(&mut self.chunk);
        if have > 0 {
            self.block.update(crc.to_be_bytes());
        }
    }

    fn end_block(&mut self) {
        self.end_chunk();
        self.blocks.push(self.block.finalize_reset().into());
        self.length = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn md5(bytes: &[u8]) -> [u8; 16] {
        Md5::digest(bytes).into()
    }

    fn of(block_bytes: u64, bytes: &[u8], step: usize) -> FileChecksum {
        let mut summer = Checksummer::new(block_bytes);
        bytes.chunks(step).for_each(|piece| summer.update(piece));
        summer.finish()
    }

    /// The checksum of each empty file in HDFS is known to many.
    #[test]
    fn an_empty_file_has_the_known_checksum() {
        let empty = of(1_024, b"", 1);
        assert_eq!(empty.algorithm, "MD5-of-0MD5-of-0CRC32");
        let hex: String = empty.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "00000000000000000000000070bc8f4b72a86921468bf8e8441dce51");
    }

    /// One block is the MD5 of its MD5 and 16 zeros: HDFS 2.7.3 says the same.
    #[test]
    fn one_block_is_padded_with_zeros() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1_000).collect();
        let crcs = [crc32c::crc32c(&bytes[..512]), crc32c::crc32c(&bytes[512..])];
        let block = md5(&crcs.map(u32::to_be_bytes).concat());
        let sum = of(1_024, &bytes, 7);
        assert_eq!(sum.algorithm, "MD5-of-0MD5-of-512CRC32C");
        assert_eq!(sum.bytes[..12], [0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(sum.bytes[12..], md5(&[block, [0; 16]].concat()));
    }

    /// Two blocks fill the buffer of 32 bytes, and three need one of 64.
    #[test]
    fn the_buffer_of_blocks_doubles() {
        let block = md5(&crc32c::crc32c(&[1; 512]).to_be_bytes());
        for (blocks, zeros) in [(2, 0), (3, 16), (4, 0), (5, 48)] {
            let sum = of(512, &vec![1; 512 * blocks], 100);
            assert_eq!(sum.algorithm, "MD5-of-1MD5-of-512CRC32C");
            assert_eq!(sum.bytes[12..], md5(&[block.repeat(blocks), vec![0; zeros]].concat()));
        }
    }
}

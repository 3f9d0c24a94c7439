//! Decompresses one member of a file, whatever its format.

use std::io::{self, Read as _};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lz4_flex::frame::FrameDecoder;

use super::head::{Compression, HEAD_BYTES};
use super::input::Input;
use super::lz4_legacy::Lz4LegacyDecoder;
use super::lzma::LzmaDecoder;
use super::{DecompressError, FREE_WINDOW, WindowClaim, claim_window, zstd_window};

/// A member that is being decompressed. It uses exactly the bytes of the member.
pub(super) enum Decoder {
    Gzip(Box<GzDecoder<Input>>),
    Zstd(zstd::Decoder<'static, Input>),
    Bzip2(BzDecoder<Input>),
    Lz4(Box<FrameDecoder<Input>>),
    Lz4Legacy(Lz4LegacyDecoder),
    /// xz, lzip and lzma.
    Lzma(Box<LzmaDecoder>),
}

impl Decoder {
    /// A decoder of the member at which `input` stands.
    ///
    /// # Errors
    /// When there is no memory for its window, or the file cannot be read.
    pub(super) fn new(
        compression: Compression,
        mut input: Input,
        claim: &WindowClaim<'_>,
    ) -> io::Result<Decoder> {
        if let Some(blocks) = blocks(compression, &mut input)? {
            claim_window(claim, blocks, false)?;
        }
        Ok(match compression {
            Compression::Gzip => Decoder::Gzip(Box::new(GzDecoder::new(input))),
            Compression::Zstd => Decoder::Zstd(of_zstd(input, claim)?),
            Compression::Bzip2 => Decoder::Bzip2(BzDecoder::new(input)),
            Compression::Lz4 => Decoder::Lz4(Box::new(FrameDecoder::new(input))),
            Compression::Lz4Legacy => Decoder::Lz4Legacy(Lz4LegacyDecoder::new(input)?),
            Compression::Xz => Decoder::Lzma(Box::new(LzmaDecoder::of_xz(input))),
            Compression::Lzip => Decoder::Lzma(Box::new(LzmaDecoder::of_lzip(input))),
            Compression::Lzma => Decoder::Lzma(Box::new(LzmaDecoder::of_lzma(input))),
            Compression::Skippable
            | Compression::Unread(_)
            | Compression::Encrypted
            | Compression::Misnamed(_) => return Err(io::ErrorKind::Unsupported.into()),
        })
    }

    /// Reads more of the member's text; nothing at its end.
    ///
    /// # Errors
    /// When the member is damaged or cut off, or needs too much memory.
    pub(super) fn read(&mut self, buffer: &mut [u8], claim: &WindowClaim<'_>) -> io::Result<usize> {
        match self {
            Decoder::Gzip(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
            Decoder::Bzip2(decoder) => decoder.read(buffer),
            Decoder::Lz4(decoder) => match decoder.read(buffer)? {
                // This decoder takes the end of the file for the end of a frame.
                0 if decoder.get_ref().is_starved => Err(DecompressError::cut().into()),
                read => Ok(read),
            },
            Decoder::Lz4Legacy(decoder) => decoder.read(buffer),
            Decoder::Lzma(decoder) => decoder.read(buffer, claim),
        }
    }

    /// The rest of the file, behind the member.
    pub(super) fn into_input(self) -> Input {
        match self {
            Decoder::Gzip(decoder) => decoder.into_inner(),
            Decoder::Zstd(decoder) => decoder.into_inner(),
            Decoder::Bzip2(decoder) => decoder.into_inner(),
            Decoder::Lz4(decoder) => decoder.into_inner(),
            Decoder::Lz4Legacy(decoder) => decoder.into_input(),
            Decoder::Lzma(decoder) => decoder.into_input(),
        }
    }
}

/// What the formats without a window need for their blocks, in bytes. The head of a member tells
/// how large they are.
fn blocks(compression: Compression, input: &mut Input) -> io::Result<Option<u64>> {
    let mut head = [0; HEAD_BYTES];
    let head = input.peek(&mut head)?;
    Ok(match compression {
        // "BZh" and the hundreds of kilobytes of a block. Each of its bytes takes four.
        Compression::Bzip2 => {
            let hundreds = head.get(3).map_or(9, |digit| digit.saturating_sub(b'0').clamp(1, 9));
            Some(u64::from(hundreds) * 400_000)
        }
        // The lz4 frame format, "BD byte". Linked blocks are decompressed to room for two.
        Compression::Lz4 => {
            let size = head.get(5).map_or(7, |descriptor| (descriptor >> 4 & 7).max(4));
            Some(3 << (2 * size + 8))
        }
        Compression::Lz4Legacy => Some(Lz4LegacyDecoder::MEMORY),
        _ => None,
    })
}

/// The largest window that libzstd decodes, as a power of two: `ZSTD_WINDOWLOG_MAX`.
const LARGEST_LOG: u32 = if cfg!(target_pointer_width = "64") { 31 } else { 30 };

/// A decoder of one zstd frame, within the memory that its window may have.
fn of_zstd(mut input: Input, claim: &WindowClaim<'_>) -> io::Result<zstd::Decoder<'static, Input>> {
    let mut head = [0; HEAD_BYTES];
    let window = zstd_window::of(input.peek(&mut head)?).unwrap_or(0);
    claim_window(claim, window, false)?;
    let mut decoder = zstd::Decoder::with_buffer(input)?.single_frame();
    let window = window.clamp(FREE_WINDOW, 1 << LARGEST_LOG);
    decoder.window_log_max(window.next_power_of_two().ilog2())?;
    Ok(decoder)
}

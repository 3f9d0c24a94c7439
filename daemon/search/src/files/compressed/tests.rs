//! Tests of compressed files: with what real tools make, and with members in any order.

use std::cell::RefCell;
use std::io::Write as _;
use std::path::Path;

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use proptest::prelude::*;

use super::samples::*;
use super::*;

/// The samples that are read, with their formats' endings.
const READ: [(&[u8], &str); 11] = [
    (GZIP, "gz"),
    (PIGZ, "gz"),
    (ZSTD, "zst"),
    (PZSTD, "zst"),
    (LZ4, "lz4"),
    (LZ4_LINKED, "lz4"),
    (LZ4_LEGACY, "lz4"),
    (BZIP2, "bz2"),
    (XZ_9, "xz"),
    (LZMA, "lzma"),
    (LZIP, "lz"),
];

/// A skippable frame of three bytes.
const SKIPPABLE: &[u8] = b"\x5a\x2a\x4d\x18\x03\0\0\0\x28\xb5\x2f";

static RUNNING: AtomicBool = AtomicBool::new(false);

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    io::Seek::rewind(&mut file).unwrap();
    file
}

fn compression(name: &str, bytes: &[u8]) -> Option<Compression> {
    Compression::of(&file(bytes), Path::new(name)).unwrap()
}

/// The decompressed text of a file of this name, and the error at its end.
fn named(name: &str, bytes: &[u8]) -> (Vec<u8>, Option<String>) {
    decompressed_with(name, bytes, Box::new(|_| Ok(())))
}

/// The decompressed text of these bytes, and the error at its end.
fn decompressed(bytes: &[u8]) -> (Vec<u8>, Option<String>) {
    named("x", bytes)
}

fn decompressed_with(
    name: &str,
    bytes: &[u8],
    claim: WindowClaim<'_>,
) -> (Vec<u8>, Option<String>) {
    let mut out = Vec::new();
    let result = compression(name, bytes)
        .expect("compressed")
        .decompress(file(bytes), bytes.len() as u64, claim, &RUNNING)
        .and_then(|mut reader| reader.read_to_end(&mut out));
    (out, result.err().map(|error| error.to_string()))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let frame = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Linked);
    let mut encoder = FrameEncoder::with_frame_info(frame, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A legacy frame of blocks that are not full.
fn lz4_legacy(bytes: &[u8]) -> Vec<u8> {
    let mut frame = b"\x02\x21\x4c\x18".to_vec();
    for part in bytes.chunks(700) {
        let block = lz4_flex::block::compress(part);
        frame.extend_from_slice(&u32::try_from(block.len()).unwrap().to_le_bytes());
        frame.extend_from_slice(&block);
    }
    frame
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(0);
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lzip(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::LzipOptions::with_preset(0);
    let mut encoder = lzma_rust2::LzipWriter::new(Vec::new(), options);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

type Compress = fn(&[u8]) -> Vec<u8>;

const FORMATS: [Compress; 7] = [gzip, zstd, bzip2, lz4, lz4_legacy, xz, lzip];

#[test]
fn what_real_tools_make_is_read() {
    for (bytes, ending) in READ {
        assert_eq!(named(&format!("x.{ending}"), bytes), (TEXT.to_vec(), None), "{ending}");
    }
    assert_eq!(decompressed(BZIP2_EMPTY), (Vec::new(), None));
    let linked = lz4(&TEXT.repeat(10_000));
    assert_eq!(decompressed(&linked), (TEXT.repeat(10_000), None));
}

#[test]
fn what_is_not_read_is_reported() {
    let unread = |name: &str| {
        format!("is compressed with {name}, which is not read: use gzip, bzip2, lz4, xz or zstd")
    };
    for (name, bytes, words) in [
        ("x", COMPRESS, unread("compress")),
        ("x", ZIP, unread("zip")),
        ("x", LZOP, unread("lzop")),
        ("x", b"\x27\xb5\x2f\xfd", unread("zstd before 0.8")),
        ("x.br", BROTLI, unread("brotli")),
        ("x.gpg", b"\x8c\x0d\x04\x09", "is encrypted, so it cannot be read".to_owned()),
        (
            "x.log.1.gz",
            b"\x1f\x8b",
            "is no text, and not in the format that its name says (gzip), so it cannot be read"
                .to_owned(),
        ),
    ] {
        assert_eq!(named(name, bytes), (Vec::new(), Some(words)));
    }
    let foreign = b"]\0\0\x81\0\xff\xff\xff\xff\xff\xff\xff\xff\0";
    assert!(named("x.lzma", foreign).1.unwrap().contains("(lzma)"));
}

#[test]
fn text_is_not_taken_for_compressed() {
    for text in [
        &b""[..],
        b"BZh is no header",
        b"\x1f\x8b",
        b"a log\n",
        b"P*M",
        b"LZIP is a program\n",
        b"PK\n",
    ] {
        assert_eq!(compression("x.log", text), None);
    }
    for name in ["x.gz", "x.zst", "x.lzma", "x.br", "x.gpg"] {
        for text in [&b"a log\n"[..], b"", b"\x1b[31mred\x1b[0m\tcaf\xe9\r\n"] {
            assert_eq!(compression(name, text), None, "{name}");
        }
    }
    // lzma has no magic number, so only the name tells it from what a program may log.
    assert_eq!(compression("x.log", LZMA), None);
    assert_eq!(compression("x.log", BROTLI), None);
}

#[test]
fn a_file_that_is_cut_anywhere_gives_what_it_has_and_an_error() {
    for (bytes, ending) in READ {
        for length in 1..bytes.len() {
            let name = format!("x.{ending}");
            let part = bytes.get(..length).unwrap();
            // A legacy frame of lz4 has no end mark: it may have no block.
            if compression(&name, part).is_none() || bytes == LZ4_LEGACY && length == 4 {
                continue;
            }
            // So may a file that is made of a skippable frame.
            if bytes == PZSTD && length == 12 {
                continue;
            }
            let (out, error) = named(&name, part);
            assert!(TEXT.starts_with(&out), "{ending} {length}");
            assert!(error.is_some(), "{ending} {length} of {}", bytes.len());
        }
    }
    let text: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    for (at, format) in FORMATS.iter().enumerate() {
        let whole = format(&text);
        let (out, error) = decompressed(whole.get(..whole.len() / 2).unwrap());
        assert!(!out.is_empty() && text.starts_with(&out), "{at}");
        assert_eq!(
            error.as_deref(),
            Some("cannot be decompressed to its end: it breaks off"),
            "{at}"
        );
    }
}

#[test]
fn a_file_that_is_damaged_anywhere_comes_to_an_end() {
    for (bytes, ending) in READ {
        for at in 0..bytes.len() {
            for change in [1, 0x80, 0xff] {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= change;
                let name = format!("x.{ending}");
                if compression(&name, &damaged).is_some() {
                    let (out, _) = named(&name, &damaged);
                    assert!(out.len() as u64 <= FREE_SIZE, "{ending} {at}");
                }
            }
        }
    }
}

#[test]
fn zeros_behind_are_padding_and_all_else_is_reported() {
    let wanted = "cannot be decompressed to its end: other data follows what is compressed";
    for (bytes, ending) in READ {
        let name = format!("x.{ending}");
        let padded = [bytes, &[0; 100_000]].concat();
        assert_eq!(named(&name, &padded), (TEXT.to_vec(), None), "{ending}");
        for garbage in [&b"garbage"[..], b"\n", b"\xff\xff\xff\xff\xff\xff", b"\0\0\0\0NEEDLE"] {
            let (out, error) = named(&name, &[bytes, garbage].concat());
            assert_eq!(out, TEXT, "{ending}");
            assert_eq!(error.as_deref(), Some(wanted), "{ending} {garbage:?}");
        }
    }
    let (out, error) = decompressed(&[GZIP, COMPRESS].concat());
    assert_eq!((out.as_slice(), error.as_deref()), (TEXT, Some(wanted)));
}

#[test]
fn a_skippable_frame_that_breaks_off_is_an_error() {
    for length in [4, 7, 8, 10] {
        let (out, error) = decompressed(SKIPPABLE.get(..length).unwrap());
        assert_eq!(out, b"");
        assert_eq!(error.as_deref(), Some("cannot be decompressed to its end: it breaks off"));
    }
    assert_eq!(decompressed(SKIPPABLE), (Vec::new(), None));
    let (_, error) = decompressed(&[SKIPPABLE, b"text\n"].concat());
    assert!(error.unwrap().contains("other data follows"));
}

#[test]
fn bombs_end_at_the_limit() {
    let zeros = vec![0; 80 * 1024 * 1024];
    for bomb in [gzip(&zeros), zstd(&zeros), lz4_legacy(&zeros), lz4(&zeros)] {
        let (out, error) = decompressed(&bomb);
        let limit = (bomb.len() as u64 * MAX_RATIO).max(FREE_SIZE);
        assert!(out.len() as u64 <= limit);
        if limit < zeros.len() as u64 {
            assert!(error.unwrap().contains("times its size: the rest was not searched"));
        }
    }
}

/// The windows that were asked for, in MiB, and the error at the end.
fn claims(name: &str, bytes: &[u8]) -> (Vec<usize>, Option<String>) {
    let claims = RefCell::new(Vec::new());
    let claim = |bytes: usize| {
        claims.borrow_mut().push(bytes.div_ceil(1024 * 1024));
        Ok(())
    };
    let (_, error) = decompressed_with(name, bytes, Box::new(claim));
    (claims.take(), error)
}

/// A zstd frame with a window of this size, as a power of two.
fn zstd_of_window(log: u32) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(log).unwrap();
    encoder.write_all(&vec![b'x'; 1000]).unwrap();
    encoder.finish().unwrap()
}

/// The sample of xz with another property of its filter, which stands for the dictionary's size.
fn xz_of_dictionary(property: u8) -> Vec<u8> {
    let mut bytes = XZ_9.to_vec();
    bytes[16] = property;
    let mut sum = flate2::Crc::new();
    sum.update(&bytes[12..20]);
    bytes[20..24].copy_from_slice(&sum.sum().to_le_bytes());
    bytes
}

/// Beside the window, half a mebibyte is asked for. One that grows is there one and a half times.
/// Whoever is asked may refuse it.
#[test]
fn a_window_of_any_size_is_asked_for() {
    let needs = |mebibytes: &[usize]| (mebibytes.to_vec(), None);
    assert_eq!(claims("x", &zstd_of_window(18)), needs(&[]));
    assert_eq!(claims("x", &zstd_of_window(24)), needs(&[17]));
    // zstd --ultra -22, and the largest that --long=31 makes.
    assert_eq!(claims("x", &zstd_of_window(27)), needs(&[129]));
    assert_eq!(claims("x", &zstd_of_window(31)), needs(&[2049]));
    // 16, 64 and 128 MiB, and 4 GiB.
    assert_eq!(claims("x", &xz_of_dictionary(24)), needs(&[25]));
    assert_eq!(claims("x", XZ_9), needs(&[97]));
    assert_eq!(claims("x", &[XZ_9, XZ_9].concat()), needs(&[97, 97]));
    assert_eq!(claims("x", &xz_of_dictionary(30)), needs(&[193]));
    assert_eq!(claims("x", &xz_of_dictionary(40)), needs(&[6145]));
    let lzma = |dictionary: &[u8; 4]| [b"]", &dictionary[..], &LZMA[5..]].concat();
    assert_eq!(claims("x.lzma", &lzma(b"\0\0\0\x01")), needs(&[25]));
    assert_eq!(claims("x.lzma", &lzma(b"\0\0\0\x04")), needs(&[97]));
    let lzip = |dictionary: u8| [&LZIP[..5], &[dictionary], &LZIP[6..]].concat();
    assert_eq!(claims("x", &lzip(24)), needs(&[25]));
    assert_eq!(claims("x", &lzip(26)), needs(&[97]));
    assert_eq!(claims("x", &lzip(29)), needs(&[769]));
    // Blocks of 100 kB, 64 KiB, and 8 MiB.
    assert_eq!(claims("x", &bzip2(b"x")), needs(&[]));
    assert_eq!(claims("x", &lz4(b"x")), needs(&[]));
    assert_eq!(claims("x", &lz4_legacy(b"x")), needs(&[17]));
    assert_eq!(claims("x", &gzip(b"x")), needs(&[]));
}

/// RFC 8878 allows windows of more than 3 TiB, and texts of any size as their own window. The
/// decoder of lzma ends 16 bytes below 4 GiB.
#[test]
fn a_window_that_no_decoder_has_is_an_error() {
    let words = "cannot be decompressed: it needs more memory than can be had";
    let lzma = [b"]\xff\xff\xff\xff", &LZMA[5..]].concat();
    assert_eq!(claims("x.lzma", &lzma).1.as_deref(), Some(words));
    for head in [&[0, 0xff, 1, 0, 0][..], &[0xe0, 0, 0, 0, 0, 0, 0, 0, 0xff, 1, 0, 0]] {
        let frame = [b"\x28\xb5\x2f\xfd", head].concat();
        assert_eq!(claims("x", &frame).1.as_deref(), Some(words));
    }
}

/// Each format has its largest blocks.
#[test]
fn large_blocks_are_asked_for() {
    let mut best = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    best.write_all(b"x").unwrap();
    assert_eq!(claims("x", &best.finish().unwrap()), (vec![4], None));
    for (size, needed) in [
        (BlockSize::Max64KB, vec![]),
        (BlockSize::Max256KB, vec![2]),
        (BlockSize::Max1MB, vec![4]),
        (BlockSize::Max4MB, vec![13]),
    ] {
        let frame = FrameInfo::new().block_size(size).block_mode(BlockMode::Linked);
        let mut encoder = FrameEncoder::with_frame_info(frame, Vec::new());
        encoder.write_all(b"x").unwrap();
        assert_eq!(claims("x", &encoder.finish().unwrap()), (needed, None));
    }
}

#[test]
fn a_claim_that_fails_is_the_error() {
    let text = gzip(b"before\n");
    for bytes in [XZ_9, &zstd_of_window(26)] {
        let (out, error) = decompressed_with(
            "x",
            &[&text, bytes].concat(),
            Box::new(|bytes| Err(DecompressError::TakenByMerge(bytes >> 20).into())),
        );
        assert_eq!(out, b"before\n");
        assert!(error.unwrap().contains("other searches, have it"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn members_of_all_formats_in_any_order_are_one_text(
        parts in proptest::collection::vec(
            (0..FORMATS.len(), proptest::collection::vec(any::<u8>(), 0..3000), 0..4usize),
            1..6,
        ),
    ) {
        let (mut text, mut bytes, mut before) = (Vec::new(), Vec::new(), None);
        for (format, part, between) in &parts {
            text.extend_from_slice(part);
            match between {
                // A file of text cannot begin with zeros.
                0 if !bytes.is_empty() => bytes.extend_from_slice(&[0; 7]),
                1 => bytes.extend_from_slice(SKIPPABLE),
                2 => bytes.extend_from_slice(&SKIPPABLE.repeat(3)),
                // A legacy frame has no end mark, and gzip may begin like the length of a block.
                _ if (before, *format) == (Some(4), 0) => bytes.extend_from_slice(SKIPPABLE),
                _ => {}
            }
            before = Some(*format);
            bytes.extend_from_slice(&FORMATS[*format](part));
        }
        prop_assert_eq!(decompressed(&bytes), (text, None));
    }
}

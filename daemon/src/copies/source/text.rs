//! Cuts the text of a file into blocks of whole lines. It owns no state.

use memberd_copies::block::{BLOCK_BYTES, MAX_BLOCK_BYTES};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

const LINE_END: u8 = b'\n';

/// Reads the next block at `offset` of a file that has `size` bytes into `text`: as many whole
/// lines as go into a block, or one longer line. A line that is too long for any block is cut. With
/// `is_last` nothing follows, so that the last line needs no end. Without a whole line, `text` is
/// empty.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn read_block(
    file: &File,
    offset: u64,
    size: u64,
    is_last: bool,
    text: &mut Vec<u8>,
) -> io::Result<()> {
    text.clear();
    let there = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
    read_up_to(file, offset, there.min(BLOCK_BYTES), text)?;
    let mut whole = whole_lines(text);
    if whole == 0 && text.len() == BLOCK_BYTES {
        read_up_to(file, offset, there.min(MAX_BLOCK_BYTES), text)?;
        // The line alone: what follows it goes into blocks of the usual size.
        let end = memchr::memchr(LINE_END, text).map(|end| end + 1);
        whole = end.unwrap_or(if text.len() == MAX_BLOCK_BYTES { text.len() } else { 0 });
    }
    if is_last && text.len() == there && (whole == 0 || there <= BLOCK_BYTES) {
        whole = text.len();
    }
    text.truncate(whole);
    Ok(())
}

fn whole_lines(text: &[u8]) -> usize {
    memchr::memrchr(LINE_END, text).map_or(0, |end| end + 1)
}

/// Extends `text`, which begins at `offset`, up to `length` bytes, or to the end of the file.
fn read_up_to(file: &File, offset: u64, length: usize, text: &mut Vec<u8>) -> io::Result<()> {
    let mut filled = text.len();
    text.resize(length.max(filled), 0);
    while let Some(space) = text.get_mut(filled..length).filter(|space| !space.is_empty()) {
        match file.read_at(space, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    text.truncate(filled);
    Ok(())
}

/// The bytes of a file there, or fewer at its end.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn bytes_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_up_to(file, offset, length, &mut bytes)?;
    Ok(bytes)
}

/// Whether a file has these bytes there.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn has(file: &File, offset: u64, wanted: &[u8]) -> io::Result<bool> {
    Ok(bytes_at(file, offset, wanted.len())? == wanted)
}

/// Where the first line begins at `offset` or after it. A line longer than a block has its
/// beginning anywhere.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn line_start(file: &File, offset: u64) -> io::Result<u64> {
    let Some(before) = offset.checked_sub(1) else { return Ok(0) };
    let bytes = bytes_at(file, before, MAX_BLOCK_BYTES)?;
    Ok(memchr::memchr(LINE_END, &bytes).map_or(offset, |end| before + end as u64 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(text, 0).unwrap();
        file
    }

    /// All blocks of a text, one after the other.
    fn blocks(text: &[u8], is_last: bool) -> Vec<Vec<u8>> {
        let (file, mut offset, mut blocks) = (file(text), 0, Vec::new());
        loop {
            let mut block = Vec::new();
            read_block(&file, offset, text.len() as u64, is_last, &mut block).unwrap();
            if block.is_empty() {
                return blocks;
            }
            offset += block.len() as u64;
            blocks.push(block);
        }
    }

    #[test]
    fn blocks_are_whole_lines_and_lose_no_byte() {
        let line = |length: usize| [vec![b'x'; length - 1], vec![b'\n']].concat();
        let long = [MAX_BLOCK_BYTES - 1, MAX_BLOCK_BYTES, MAX_BLOCK_BYTES + 1, BLOCK_BYTES];
        for lengths in [&[100; 9_000][..], &[1, 2, 300_000, 3, 4], &long, &[7]] {
            let text: Vec<u8> = lengths.iter().flat_map(|length| line(*length)).collect();
            for rest in [&b""[..], b"rest", &[b'y'; 300_000]] {
                let all = [&text[..], rest].concat();
                let cut = blocks(&all, false);
                assert_eq!(cut.concat(), text, "the unfinished line waits");
                assert!(cut.iter().all(|block| block.len() <= MAX_BLOCK_BYTES));
                let cut = blocks(&all, true);
                assert_eq!(cut.concat(), all, "the last line needs no end");
                assert!(cut.iter().all(|block| block.len() <= MAX_BLOCK_BYTES));
            }
        }
        let small: Vec<u8> = (0..9_000).flat_map(|_| line(100)).collect();
        assert!(blocks(&small, false).iter().all(|block| block.ends_with(b"\n")));
    }

    #[test]
    fn a_line_without_end_is_cut_once_it_fills_a_block() {
        let text = vec![b'x'; 2 * MAX_BLOCK_BYTES + 5];
        let lengths: Vec<usize> = blocks(&text, false).iter().map(Vec::len).collect();
        assert_eq!(lengths, [MAX_BLOCK_BYTES, MAX_BLOCK_BYTES]);
    }

    #[test]
    fn a_beginning_within_a_line_moves_to_the_next_line() {
        let file = file(b"one\ntwo\nthree");
        let starts: Vec<u64> = (0..=13).map(|offset| line_start(&file, offset).unwrap()).collect();
        assert_eq!(starts, [0, 4, 4, 4, 4, 8, 8, 8, 8, 9, 10, 11, 12, 13]);
    }
}

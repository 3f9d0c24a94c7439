//! Fuzzes the files of a kept stream: its head, open segments and sealed ones. Whatever they are, a
//! search and the store read them without a panic, and no block has another length than it says.
//!
//! The first byte chooses the file. Hashes are not compared in this build, so that the code behind
//! them is reached.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_copies::kept::{self, BlockReader};
use memberd_copies::needs::{Literal, Needs};
use memberd_copies::store::{Limits, Span, SpanReader, Store};
use memberd_copies::stream::StreamHead;
use memberd_fuzz::{COPY_STREAM, copy_source};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Which file the input is.
const FILES: [&str; 3] = ["00000000000000000000.open", "00000000000000000000.sealed", "head"];

/// Where the stores are, in memory if there is such a directory.
static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
    base.join(format!("memberd-fuzz-copy-{}", std::process::id()))
});

/// The seed of a head, for the other files.
const HEAD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/seeds/copy-head");

struct NoTimes;

impl SpanReader for NoTimes {
    fn begin(&mut self, _: &StreamHead) {}

    fn span(&mut self, text: &[u8]) -> Span {
        assert!(!text.is_empty());
        Span { times: None, first_dated: false, unread: false }
    }

    fn same_until(&self) -> i64 {
        0
    }
}

/// Reads all blocks, as a search does.
fn read_all(directory: &Path, needs: &Needs) {
    let mut reader = BlockReader::new().expect("memory");
    let mut text = Vec::new();
    for stream in kept::list(directory, &copy_source()).expect("a list") {
        let mut end = stream.begin;
        for block in stream.blocks(needs).flatten() {
            assert_eq!(block.offset, end);
            end = block.end();
            if reader.read(&block, &mut text).is_ok() {
                assert_eq!(text.len(), block.text_bytes as usize);
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    let _ = fs::remove_dir_all(&*DIRECTORY);
    let stream = DIRECTORY.join(copy_source().as_str()).join(COPY_STREAM);
    fs::create_dir_all(&stream).expect("a directory");
    let file = FILES[usize::from(*kind) % FILES.len()];
    fs::copy(HEAD, stream.join("head")).expect("the seed of a head: run examples/seeds.rs");
    fs::write(stream.join(file), bytes).expect("a file");
    let literal = Literal {
        bytes: b"error".to_vec(),
        ignores_case: true,
        begins_word: false,
        ends_word: true,
    };
    read_all(&DIRECTORY, &Needs::Literal(literal));
    read_all(&DIRECTORY, &Needs::Anything);
    let limits = Limits { free_bytes: 0, ..Limits::default() };
    let mut store = Store::open(&DIRECTORY, limits).expect("a store");
    store.standings(&copy_source()).expect("a disk");
    store.seal_all(&mut NoTimes).expect("a disk");
    read_all(&DIRECTORY, &Needs::Anything);
});

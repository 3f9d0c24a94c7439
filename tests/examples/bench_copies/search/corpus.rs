//! Writes the text that is searched: each file as .gz and as .zst, and in blocks for a store of
//! copies. It owns those files.

use crate::text::{BLOCK_BYTES, Service, Size, Text};
use memberd_tests::bench::machine::cores;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// How many pieces may wait for the store.
const WAITING: usize = 16;

/// The programs that compress a file, with the endings that they give it. They have the levels that
/// logrotate leaves them: 6 and 3.
const COMPRESSORS: [(&str, &str); 2] = [("gzip", "gz"), ("zstd", "zst")];

/// Some whole lines of a file, at most a block.
pub(crate) struct Piece {
    /// The number of the file.
    pub(crate) file: u64,
    /// Where in the file the lines begin, in bytes.
    pub(crate) offset: u64,
    pub(crate) text: Vec<u8>,
}

/// The compressed files, and how large everything is.
pub(crate) struct Corpus {
    pub(crate) gz: Vec<PathBuf>,
    pub(crate) zst: Vec<PathBuf>,
    /// Without compression, in bytes.
    pub(crate) text_bytes: u64,
}

/// The name of a file, without an ending that tells its compression.
pub(crate) fn name(file: u64) -> String {
    format!("{}-{file:04}.log", Service::of(file).name())
}

impl Corpus {
    /// Writes a text of this size below a directory. Each piece is given away as well, in the order
    /// of its file.
    ///
    /// # Panics
    /// When there is no room, or gzip and zstd are not there.
    pub(crate) fn write(directory: &Path, size: Size, mut keep: impl FnMut(Piece)) -> Corpus {
        for (_, ending) in COMPRESSORS {
            fs::create_dir_all(directory.join(ending)).expect("a directory for the text");
        }
        let next = AtomicU64::new(0);
        let (give, pieces) = sync_channel(WAITING);
        thread::scope(|scope| {
            for _ in 0..cores() {
                let (next, give) = (&next, give.clone());
                scope.spawn(move || {
                    let files = || Some(next.fetch_add(1, Ordering::Relaxed));
                    let files = std::iter::from_fn(files).take_while(|file| *file < size.files);
                    files.for_each(|file| write_file(directory, file, size, &give));
                });
            }
            drop(give);
            let mut text_bytes = 0;
            for piece in pieces {
                text_bytes += piece.text.len() as u64;
                keep(piece);
            }
            let all = |ending: &str| {
                let path = |file| directory.join(ending).join(format!("{}.{ending}", name(file)));
                (0..size.files).map(path).collect()
            };
            Corpus { gz: all("gz"), zst: all("zst"), text_bytes }
        })
    }
}

/// How large files are together, in bytes.
pub(crate) fn bytes(files: &[PathBuf]) -> u64 {
    files.iter().map(|file| fs::metadata(file).expect("a file of the text").len()).sum()
}

/// Reads files to their ends, so that they are in the cache.
pub(crate) fn warm(files: &[PathBuf]) {
    for file in files {
        let mut file = File::open(file).expect("a file of the text");
        std::io::copy(&mut file, &mut std::io::sink()).expect("it can be read");
    }
}

fn write_file(directory: &Path, file: u64, size: Size, give: &SyncSender<Piece>) {
    let mut compressors = COMPRESSORS.map(|(program, ending)| {
        let path = directory.join(ending).join(format!("{}.{ending}", name(file)));
        compressor(program, &path)
    });
    let (mut text, mut offset) = (Text::of(file, size), 0);
    loop {
        let block = usize::try_from(BLOCK_BYTES).expect("a small number");
        let mut buffer = Vec::with_capacity(block);
        // A line is shorter than a kibibyte.
        let more = text.fill(&mut buffer, block - 1024);
        for child in &mut compressors {
            let input = child.stdin.as_mut().expect("a pipe");
            input.write_all(&buffer).expect("a compressor that reads");
        }
        let next = offset + buffer.len() as u64;
        give.send(Piece { file, offset, text: buffer }).expect("somebody who keeps the pieces");
        offset = next;
        if !more {
            break;
        }
    }
    for mut child in compressors {
        drop(child.stdin.take());
        assert!(child.wait().expect("it ends").success(), "a compressor failed");
    }
}

fn compressor(program: &str, path: &Path) -> Child {
    let file = File::create(path).expect("room for the text");
    let mut command = Command::new(program);
    command.args(["-c", "-q"]).stdin(Stdio::piped()).stdout(file);
    command.spawn().unwrap_or_else(|error| panic!("{program} cannot be started: {error}"))
}

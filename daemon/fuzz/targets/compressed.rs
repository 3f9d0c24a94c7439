//! Fuzzes compressed files: a search of one ends with its lines, or with an error.
//!
//! The first byte chooses the file's name, which matters for formats without a magic number.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_search::{
    ExposedFiles, FileFilter, GrepBinary, Output, Plan, Query, Search, Stopped, Totals,
};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

/// The endings of the names.
const ENDINGS: [&str; 4] = ["log", "lzma", "br", "gz"];

/// The most text that a small file may have, in bytes.
const MAX_TEXT: u64 = 64 * 1024 * 1024;

/// Where the files are, in memory if there is such a directory.
static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let directory = base.join(format!("memberd-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    directory
});

/// A search that selects every line.
static ALL: LazyLock<Search> = LazyLock::new(|| {
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec![Vec::new()];
        query.printing.binary = GrepBinary::Text;
    });
    query.compile().expect("a pattern")
});

/// Counts the messages.
#[derive(Default)]
struct Messages(u64);

impl Output for Messages {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        assert!(bytes.ends_with(b"\n"));
        Ok(())
    }

    fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        assert!(!bytes.is_empty());
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        assert!(!text.is_empty() && !text.contains('\n'));
        self.0 += 1;
        Ok(())
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    let ending = ENDINGS[usize::from(*kind) % ENDINGS.len()];
    let path = DIRECTORY.join(format!("x.{ending}"));
    std::fs::write(&path, bytes).expect("a file");
    let exposed = ExposedFiles::new(&[path.to_str().expect("a name")]).expect("a glob");
    let files = exposed.files(&FileFilter::default()).files;
    let plan = Plan { threads: NonZero::<usize>::MIN, ..Plan::default() };
    let mut messages = Messages::default();
    let Totals { errors, bytes, interrupted, .. } =
        ALL.run(&plan, "vm1", &files, &mut messages, &AtomicBool::new(false));
    assert!(errors == messages.0 && errors <= 1 && bytes <= MAX_TEXT && !interrupted);
});

//! `--rotated`: the files rotated away from a file, in the order of writing, compressed or not.

#![cfg(test)]

mod support;

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use memberd_search::{ExposedFiles, FileFilter, FileList, GrepPrint, Plan, Query};
use support::{Gathered, printed, run};
use tempfile::TempDir;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).unwrap()
}

fn xz(text: &[u8], level: u32) -> Vec<u8> {
    let mut encoder =
        lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(level)).unwrap();
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn write(directory: &TempDir, files: &[(&str, &[u8])]) {
    for (name, content) in files {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
}

fn found(directory: &TempDir, glob: &str, filter: &FileFilter) -> FileList {
    ExposedFiles::new(&[directory.path().join(glob).to_str().unwrap()]).unwrap().files(filter)
}

fn rotated() -> FileFilter {
    FileFilter::default().rotated(true)
}

fn names(found: &FileList) -> Vec<&str> {
    found
        .files
        .iter()
        .map(|file| file.path().file_name().and_then(|name| name.to_str()).unwrap())
        .collect()
}

fn every_line() -> Query {
    Query::default().with(|query| {
        query.pattern.patterns = vec!["".into()];
        query.printing.no_names = true;
    })
}

#[test]
fn rotated_files_come_before_theirs_the_oldest_first() {
    let directory = TempDir::new().unwrap();
    let content: &[u8] = b"x\n";
    let all = [
        "a.log",
        "a.log.1",
        "a.log.2.gz",
        "a.log.10.xz",
        "a.log-20260102.zst",
        "a.log-20260101",
        "b.log",
        "b.log.old",
        "c.log.1",
    ];
    write(&directory, &all.map(|name| (name, content)));
    let chain =
        ["a.log-20260101", "a.log-20260102.zst", "a.log.10.xz", "a.log.2.gz", "a.log.1", "a.log"];
    assert_eq!(names(&found(&directory, "*.log", &rotated())), [&chain[..], &["b.log"]].concat());
    assert_eq!(names(&found(&directory, "a.log", &rotated())), chain);
    assert_eq!(names(&found(&directory, "*.log", &FileFilter::default())), ["a.log", "b.log"]);
    // Rotated files that are exposed themselves come only once. A rotated file without its original
    // stands for itself.
    assert_eq!(
        names(&found(&directory, "*", &rotated())),
        [&chain[..], &["b.log", "b.log.old", "c.log.1"]].concat()
    );
}

#[test]
fn of_a_file_that_is_being_compressed_the_whole_one_is_read() {
    let directory = TempDir::new().unwrap();
    write(
        &directory,
        &[("a.log", b"2\n"), ("a.log.1", b"1\n"), ("a.log.1.gz", &gzip(b"1\n")[..10])],
    );
    assert_eq!(
        printed(&every_line(), &found(&directory, "a.log", &rotated())),
        ("1\n2\n".to_owned(), vec![])
    );
}

#[test]
fn narrowing_is_by_the_file_and_excluding_by_each() {
    let directory = TempDir::new().unwrap();
    write(
        &directory,
        &[("a.log", b""), ("a.log.1", b""), ("a.log.2.gz", b""), ("b.log", b""), ("b.log.1", b"")],
    );
    let filter = FileFilter::new(&["a.log"]).unwrap().rotated(true);
    assert_eq!(names(&found(&directory, "*.log", &filter)), ["a.log.2.gz", "a.log.1", "a.log"]);
    let filter = filter.exclude(&["*.gz"]).unwrap();
    assert_eq!(names(&found(&directory, "*.log", &filter)), ["a.log.1", "a.log"]);
}

#[test]
fn only_regular_files_in_the_same_directory_are_taken() {
    let outside = TempDir::new().unwrap();
    write(&outside, &[("secret", b"secret\n")]);
    let directory = TempDir::new().unwrap();
    write(&directory, &[("a.log", b"a\n")]);
    symlink(outside.path().join("secret"), directory.path().join("a.log.1")).unwrap();
    std::fs::create_dir(directory.path().join("a.log.2")).unwrap();
    nix::unistd::mkfifo(&directory.path().join("a.log.3"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(
        printed(&every_line(), &found(&directory, "a.log", &rotated())),
        ("a\n".to_owned(), vec![])
    );
}

#[test]
fn a_rotated_file_that_becomes_a_link_is_not_read() {
    let directory = TempDir::new().unwrap();
    write(&directory, &[("a.log", b"a\n"), ("a.log.1", b"b\n"), ("secret", b"secret\n")]);
    let found = found(&directory, "a.log", &rotated());
    assert_eq!(names(&found), ["a.log.1", "a.log"]);
    std::fs::remove_file(directory.path().join("a.log.1")).unwrap();
    symlink(directory.path().join("secret"), directory.path().join("a.log.1")).unwrap();
    assert_eq!(printed(&every_line(), &found), ("a\n".to_owned(), vec![]));
}

#[test]
fn compressed_files_are_searched_as_what_they_decompress_to() {
    let directory = TempDir::new().unwrap();
    let text: Vec<u8> =
        (0..50_000).flat_map(|n| format!("line {n} of many\n").into_bytes()).collect();
    // They are recognized by their content, not by their names.
    write(
        &directory,
        &[
            ("a", &text),
            ("b", &gzip(&text)),
            ("c", &zstd(&text)),
            ("d", &xz(&text, 6)),
            ("e.gz", &text),
        ],
    );
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec!["9999 ".into()];
        query.printing.line_numbers = true;
        query.printing.no_names = true;
    });
    let found = found(&directory, "*", &FileFilter::default());
    let (output, messages) = printed(&query, &found);
    assert_eq!(messages, [""; 0]);
    let lines: Vec<String> = [9999, 19_999, 29_999, 39_999, 49_999]
        .map(|n| format!("{}:line {n} of many\n", n + 1))
        .to_vec();
    assert_eq!(output, lines.concat().repeat(5));
    let totals = run(&query, &Plan::default(), &found.files, &mut Gathered::default());
    assert_eq!((totals.files, totals.bytes), (5, 5 * text.len() as u64));
}

#[test]
fn a_file_that_cannot_be_decompressed_does_not_stop_the_rest() {
    let directory = TempDir::new().unwrap();
    let random: Vec<u8> = (0..300_000u64)
        .map(|n| (n.wrapping_mul(n).wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0] | 1)
        .collect();
    let whole = gzip(&[b"first\n".as_slice(), &random].concat());
    write(
        &directory,
        &[
            ("broken", whole.get(..whole.len() / 2).unwrap()),
            ("bzip2", b"BZh91AY&SY and more"),
            ("good", b"good\n"),
            ("xz9", &xz(b"first\n", 9)),
        ],
    );
    let query = every_line().with(|query| query.printing.what = GrepPrint::Count);
    let (output, messages) = printed(&query, &found(&directory, "*", &FileFilter::default()));
    assert_eq!(output, "1\n0\n1\n0\n");
    let name = |name: &str| format!("m1:{}: ", Path::new(directory.path()).join(name).display());
    assert_eq!(
        messages,
        [
            name("broken") + "cannot be decompressed to its end: it breaks off",
            name("bzip2") + "is compressed with bzip2, which is not read: use gzip, zstd or xz",
            name("xz9") + "cannot be decompressed: it needs more than 16 MiB of memory",
        ]
    );
}

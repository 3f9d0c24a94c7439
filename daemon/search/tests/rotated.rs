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

/// A file of two lines, ten seconds apart. The first has this time after 01:00.
fn dated(minute: u32) -> String {
    format!(
        "[2026-11-21T01:{minute:02}:00.123+0000] a\n[2026-11-21T01:{minute:02}:10.456+0000] b\n"
    )
}

/// OpenJDK fills gc.log.0 to .2 in turn, and `rotatelogs -n 3` f, f.1 and f.2.
#[test]
fn files_that_are_filled_in_turn_are_ordered_by_their_times() {
    let directory = TempDir::new().unwrap();
    let content = [10, 20, 30, 40].map(dated);
    let [first, second, third, fourth] = content.each_ref().map(String::as_bytes);
    let packed = gzip(first);
    write(
        &directory,
        &[
            ("gc.log.1", first),
            ("gc.log.2", second),
            ("gc.log.0", third),
            ("gc.log", fourth),
            ("f.2", first),
            ("f", second),
            ("f.1", third),
            ("a.log.1", second),
            ("a.log", first),
            ("syslog.3", first),
            ("syslog.2", third),
            ("syslog.1", second),
            ("syslog", fourth),
            ("plain.2", b"no time\n"),
            ("plain.1", first),
            ("plain", second),
            ("new.2", first),
            ("new.1", second),
            ("new", b""),
            ("gz.log.3.gz", &packed),
            ("gz.log.2", fourth),
            ("gz.log.1", third),
            ("gz.log", second),
            ("one.2", second),
            ("one.1", first),
            ("one", third),
        ],
    );
    let chain = |name: &str| {
        let found = found(&directory, name, &rotated());
        names(&found).join(" ")
    };
    assert_eq!(chain("gc.log"), "gc.log.1 gc.log.2 gc.log.0 gc.log");
    assert_eq!(chain("f"), "f.2 f f.1");
    assert_eq!(chain("a.log"), "a.log a.log.1");
    // The clock was set back before syslog.1, and a file without times tells nothing.
    assert_eq!(chain("syslog"), "syslog.3 syslog.2 syslog.1 syslog");
    assert_eq!(chain("plain"), "plain.2 plain.1 plain");
    assert_eq!(chain("new"), "new.2 new.1 new");
    // Nobody who fills files in turn compresses them.
    assert_eq!(chain("gz.log"), "gz.log.3.gz gz.log.2 gz.log.1 gz.log");
    // The time grows from the oldest file to the newest also where those are neighbours.
    assert_eq!(chain("one"), "one.1 one.2 one");
    let (all, _) = printed(&every_line(), &found(&directory, "gc.log", &rotated()));
    assert_eq!(all, content.concat());
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
        "a.log.11.bz2",
        "a.log.12.lz4",
        "a.log.13.lzma",
        "a.log.14.lz",
        "a.log.15.Z",
        "a.log.16.br",
        "b.log",
        "b.log.old",
        "c.log.1",
    ];
    write(&directory, &all.map(|name| (name, content)));
    let chain = [
        "a.log-20260101",
        "a.log-20260102.zst",
        "a.log.16.br",
        "a.log.15.Z",
        "a.log.14.lz",
        "a.log.13.lzma",
        "a.log.12.lz4",
        "a.log.11.bz2",
        "a.log.10.xz",
        "a.log.2.gz",
        "a.log.1",
        "a.log",
    ];
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

/// The header of a zstd frame with a window of 1 GiB.
const HUGE_WINDOW: &[u8] = b"\x28\xb5\x2f\xfd\0\xa0\x01\0\0";

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
            ("compress", b"\x1f\x9d\x90and more"),
            ("good", b"good\n"),
            ("good.xz", &xz(b"first\n", 9)),
            ("huge.zst", HUGE_WINDOW),
            ("key.gpg", b"\x8c\x0d\x04\x09and more"),
            ("odd.gz", b"\x1f\x8b\0and more"),
        ],
    );
    let query = every_line().with(|query| query.printing.what = GrepPrint::Count);
    let (output, messages) = printed(&query, &found(&directory, "*", &FileFilter::default()));
    assert_eq!(output, "1\n0\n0\n1\n1\n0\n0\n0\n");
    let name = |name: &str| format!("m1:{}: ", Path::new(directory.path()).join(name).display());
    assert_eq!(
        messages,
        [
            name("broken") + "cannot be decompressed to its end: it breaks off",
            name("bzip2") + "cannot be decompressed to its end: bzip2: invalid data",
            name("compress")
                + "is compressed with compress, which is not read: use gzip, bzip2, lz4, xz or \
                zstd",
            name("huge.zst")
                + "needs 1025 MiB of memory to be decompressed, for which limits.search_memory \
                must be 1073MiB or more: the rest of the file was not searched",
            name("key.gpg") + "is encrypted, so it cannot be read",
            name("odd.gz")
                + "is no text, and not in the format that its name says (gzip), so it cannot be \
                read",
        ]
    );
}

/// What a search prints with the names of the files, and its messages.
fn named(directory: &TempDir, found: &FileList) -> (Vec<String>, Vec<String>) {
    let query = every_line().with(|query| query.printing.no_names = false);
    let (output, messages) = printed(&query, found);
    let short = |text: &str| text.replace(&format!("m1:{}/", directory.path().display()), "");
    (output.lines().map(short).collect(), messages.iter().map(|text| short(text)).collect())
}

/// Waits until a new file is younger than this moment, where the file system tells that.
fn wait_for_a_later_birth(directory: &TempDir) {
    let (now, path) = (std::time::SystemTime::now(), directory.path().join("birth"));
    let born = || std::fs::File::create_new(&path).unwrap().metadata().unwrap().created();
    while born().is_ok_and(|born| born <= now) {
        std::fs::remove_file(&path).unwrap();
    }
    std::fs::remove_file(&path).unwrap();
}

fn rename(directory: &TempDir, names: &[(&str, &str)]) {
    for (from, to) in names {
        std::fs::rename(directory.path().join(from), directory.path().join(to)).unwrap();
    }
}

/// logrotate runs between the listing and the opening of the files. Their new names are told.
#[test]
fn rotation_during_a_search_loses_nothing() {
    let directory = TempDir::new().unwrap();
    write(&directory, &[("a.log", b"0\n"), ("a.log.1", b"1\n"), ("a.log.2.gz", &gzip(b"2\n"))]);
    let lists = [
        found(&directory, "a.log", &rotated()),
        found(&directory, "*", &FileFilter::default()),
        found(&directory, "a.log", &rotated()),
    ];
    let turn = [("a.log.2.gz", "a.log.3.gz"), ("a.log.1", "a.log.2"), ("a.log", "a.log.1")];
    rename(&directory, &turn);
    write(&directory, &[("a.log", b"new\n")]);
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let moved = lines(&["a.log.3.gz:2", "a.log.2:1", "a.log.1:0"]);
    assert_eq!(named(&directory, &lists[0]), (moved.clone(), vec![]));
    // In the order in which they were listed.
    let listed = lines(&["a.log.1:0", "a.log.2:1", "a.log.3.gz:2"]);
    assert_eq!(named(&directory, &lists[1]), (listed, vec![]));
    // With dates, and again before the search begins.
    rename(&directory, &[("a.log.1", "a.log-20261129"), ("a.log", "a.log.1")]);
    let dated = lines(&["a.log.3.gz:2", "a.log.2:1", "a.log-20261129:0"]);
    assert_eq!(named(&directory, &lists[2]), (dated, vec![]));
}

#[test]
fn files_compressed_during_a_search_are_found_too() {
    let directory = TempDir::new().unwrap();
    // One is being compressed when it is listed.
    write(
        &directory,
        &[("a.log", b"0\n"), ("a.log.1", b"1\n"), ("a.log.2", b"2\n"), ("a.log.2.gz", b"")],
    );
    let found = found(&directory, "a.log", &rotated());
    assert_eq!(names(&found), ["a.log.2", "a.log.1", "a.log"]);
    if directory.path().metadata().unwrap().created().is_err() {
        eprintln!("skipped: the file system does not tell when files are born");
        return;
    }
    // The new files may get the inodes of the old ones. Only the time of birth differs.
    wait_for_a_later_birth(&directory);
    for name in ["a.log", "a.log.1", "a.log.2"] {
        std::fs::remove_file(directory.path().join(name)).unwrap();
    }
    write(
        &directory,
        &[
            ("a.log", b"new\n"),
            ("a.log.1.gz", &gzip(b"0\n")),
            ("a.log.2.zst", &zstd(b"1\n")),
            ("a.log.2.gz", &gzip(b"2\n")),
        ],
    );
    rename(&directory, &[("a.log.2.gz", "a.log.3.gz")]);
    let lines = ["a.log.3.gz:2", "a.log.2.zst:1", "a.log.1.gz:0"].map(str::to_owned).to_vec();
    assert_eq!(named(&directory, &found), (lines, vec![]));
}

/// By time, too, where the files are opened elsewhere.
#[test]
fn a_rotated_file_that_is_gone_is_reported_as_an_error() {
    for by_time in [false, true] {
        let directory = TempDir::new().unwrap();
        write(&directory, &[("a.log", b"0\n"), ("a.log.1", b"1\n"), ("a.log.2.gz", &gzip(b"2\n"))]);
        let found = found(&directory, "a.log", &rotated());
        std::fs::remove_file(directory.path().join("a.log.2.gz")).unwrap();
        rename(&directory, &[("a.log.1", "a.log.2"), ("a.log", "a.log.1")]);
        write(&directory, &[("a.log", b"new\n")]);
        let mut gathered = Gathered::default();
        let plan = Plan { by_time, ..Plan::default() };
        let totals = run(&every_line(), &plan, &found.files, &mut gathered);
        let path = directory.path().join("a.log.2.gz");
        let lost = "was rotated away or deleted since the search began: its lines are missing";
        assert_eq!(gathered.messages, [format!("m1:{}: {lost}", path.display())]);
        assert_eq!((totals.errors, totals.lines), (1, 2), "by time: {by_time}");
    }
}

/// A file that is gone is not replaced by an old file that was not searched itself: one that is
/// excluded, or is being made of another one.
#[test]
fn a_file_that_is_gone_is_not_replaced_by_an_old_one() {
    let directory = TempDir::new().unwrap();
    let old = gzip(b"old\n");
    write(&directory, &[("a.log", b"0\n"), ("a.log.1", b"1\n"), ("a.log.5.gz", &old)]);
    write(&directory, &[("b.log", b"0\n"), ("b.log.1", b"1\n"), ("b.log.2", b"2\n")]);
    write(&directory, &[("b.log.2.gz", &old)]);
    let gone = |name: &str| {
        format!("{name}: was rotated away or deleted since the search began: its lines are missing")
    };
    for (exclude, log, rest) in
        [("*.gz", "a.log", &["a.log:0"][..]), ("x", "b.log", &["b.log.2:2", "b.log:0"])]
    {
        let found = found(&directory, log, &rotated().exclude(&[exclude]).unwrap());
        let lost = format!("{log}.1");
        std::fs::remove_file(directory.path().join(&lost)).unwrap();
        let rest = rest.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(named(&directory, &found), (rest, vec![gone(&lost)]));
    }
    // What was compressed meanwhile is excluded, too.
    let filter = rotated().exclude(&["b.log.*.gz"]).unwrap();
    let found = found(&directory, "b.log", &filter);
    // The new file may get the inode of the old one.
    wait_for_a_later_birth(&directory);
    std::fs::remove_file(directory.path().join("b.log.2")).unwrap();
    rename(&directory, &[("b.log.2.gz", "b.log.3.gz")]);
    write(&directory, &[("b.log.2.gz", &gzip(b"2\n"))]);
    let expected = (vec!["b.log:0".to_owned()], vec![gone("b.log.2")]);
    assert_eq!(named(&directory, &found), expected);
}

/// A file that comes from elsewhere was not made of the one that is gone.
#[test]
fn a_file_that_is_gone_is_not_replaced_by_one_from_elsewhere() {
    let directory = TempDir::new().unwrap();
    write(&directory, &[("a.log", b"0\n"), ("a.log.1", b"1\n")]);
    std::fs::create_dir(directory.path().join("old")).unwrap();
    write(&directory, &[("old/1.gz", &gzip(b"old\n"))]);
    let Ok(born) = directory.path().join("old/1.gz").metadata().unwrap().created() else {
        eprintln!("skipped: the file system does not tell when files are born");
        return;
    };
    // The clock by which files are born may be some milliseconds late.
    while born.elapsed().unwrap_or_default() < std::time::Duration::from_millis(20) {
        std::thread::yield_now();
    }
    let found = found(&directory, "a.log", &rotated());
    std::fs::remove_file(directory.path().join("a.log.1")).unwrap();
    rename(&directory, &[("old/1.gz", "a.log.2.gz")]);
    let (lines, messages) = named(&directory, &found);
    assert_eq!((lines, messages.len()), (vec!["a.log:0".to_owned()], 1));
}

/// Rotation gives no such name, so that the administrator may have withdrawn the file.
#[test]
fn a_file_that_gets_a_name_which_is_not_exposed_is_not_read() {
    let directory = TempDir::new().unwrap();
    write(&directory, &[("a.log", b"0\n"), ("b.log", b"0\n")]);
    let [rotated, plain] =
        [rotated(), FileFilter::default()].map(|filter| found(&directory, "*.log", &filter));
    rename(&directory, &[("a.log", "private"), ("b.log", "a.log.b")]);
    write(&directory, &[("b.log", b"new\n")]);
    let (lines, messages) = named(&directory, &rotated);
    assert_eq!(lines, ["b.log:new"]);
    assert_eq!(messages.len(), 1);
    assert_eq!(named(&directory, &plain), (vec!["b.log:new".to_owned()], vec![]));
}

/// Of `x.log` and `x.1.log`, both live, a limit may allow only the first. Whatever the asker leaves
/// out, the second does not become a rotated file.
#[test]
fn a_live_file_beyond_the_limit_is_no_rotated_file() {
    let directory = TempDir::new().unwrap();
    let names_of = |filter: FileFilter| {
        let found = found(&directory, "*.log", &filter.only(&["x.log"]).unwrap());
        names(&found).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    write(&directory, &[("x.log", b"a\n"), ("x.1.log", b"b\n"), ("x.2.log", b"a\n")]);
    // Without a rotated file of its own it is one, as it is without a limit.
    assert_eq!(names_of(rotated()), ["x.2.log", "x.1.log", "x.log"]);
    write(&directory, &[("x.1.log.1", b"b\n")]);
    assert_eq!(names_of(rotated()), ["x.2.log", "x.log"]);
    assert_eq!(names_of(rotated().exclude(&["x.1.log.1"]).unwrap()), ["x.2.log", "x.log"]);
}

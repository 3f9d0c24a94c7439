//! Greps over compressed logs, as real tools make them.

use memberd_tests::{Daemon, Fleet};
use std::fs::File;
use std::process::{Command, Output, Stdio};

#[path = "../../daemon/search/src/files/compressed/samples.rs"]
#[allow(dead_code, reason = "unit tests use the others")]
mod samples;

/// Each format is read. What cannot be read is named, and the rest is searched.
#[test]
fn compressed_logs_are_searched_and_others_are_reported() {
    let fleet = Fleet::start_with(1, |daemon| {
        let glob = daemon.directory().join("packed/*").display().to_string();
        daemon.settings.files.push(glob);
    });
    let directory = fleet[1].directory().join("packed");
    std::fs::create_dir(&directory).unwrap();
    let padded = [samples::GZIP, &[0; 512]].concat();
    let read: [(&str, &[u8]); 9] = [
        ("a.log.1.gz", &padded),
        ("a.log.2.zst", samples::PZSTD),
        ("a.log.3.xz", samples::XZ_9),
        ("a.log.4.bz2", samples::BZIP2),
        ("a.log.5.lz4", samples::LZ4),
        ("a.log.6.lz4", samples::LZ4_LEGACY),
        ("a.log.7.lzma", samples::LZMA),
        ("a.log.8.lz", samples::LZIP),
        ("a.log", samples::TEXT),
    ];
    for (name, bytes) in read {
        std::fs::write(directory.join(name), bytes).unwrap();
    }
    let output = fleet[1].ctl(&["grep", "--rotated", "-h", "NEEDLE", "a.log"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "NEEDLE one\n".repeat(read.len()));
    assert_eq!(output.status.code(), Some(0));

    let unread = [
        ("a.log.10.zip", samples::ZIP, "is compressed with zip, which is not read"),
        ("a.log.11.Z", samples::COMPRESS, "is compressed with compress, which is not read"),
        ("a.log.12.br", samples::BROTLI, "is compressed with brotli, which is not read"),
        ("a.log.13.gz", b"\x1f\x8b", "is no text, and not in the format that its name says"),
    ];
    for (name, bytes, _) in unread {
        std::fs::write(directory.join(name), bytes).unwrap();
    }
    let output = fleet[1].ctl(&["grep", "-c", "NEEDLE", "a.log*"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.lines().count(), unread.len(), "{said}");
    for (name, _, words) in unread {
        let is_it = |line: &str| line.contains(&format!("{name}: ")) && line.contains(words);
        assert!(said.lines().any(is_it), "{name}: {said}");
    }
}

/// What the largest levels of real tools write: windows of 64 and 128 MiB.
const LARGE: [(&str, &[&str]); 5] = [
    ("large-9.xz", &["xz", "-9"]),
    ("large-9e.xz", &["xz", "-9e"]),
    ("large.lzma", &["xz", "--format=lzma", "-9"]),
    ("large-22.zst", &["zstd", "-q", "--ultra", "-22", "--long=27"]),
    ("large-96.xz", &["xz", "--lzma2=preset=0,dict=96MiB"]),
];

/// A window of 256 MiB, more than the default budget.
const LARGER: (&str, &[&str]) = ("larger.zst", &["zstd", "-q", "-1", "--long=28"]);

fn compress(daemon: &Daemon, (name, command): (&str, &[&str])) {
    let text = File::open(daemon.directory().join("text")).unwrap();
    let packed = File::create(daemon.directory().join("packed").join(name)).unwrap();
    let mut compressor = Command::new(command[0]);
    // They read a stream, so that they do not know how long the text is.
    compressor.args(&command[1..]).arg("-c").stdin(Stdio::from(text)).stdout(packed);
    assert!(compressor.status().unwrap().success(), "{command:?}");
}

/// The setting bounds the windows: the default has room for xz -9 and zstd -22, and what is refused
/// is read with the setting that the refusal names.
#[test]
fn windows_are_as_large_as_the_memory_for_searches_allows() {
    let mut fleet = Fleet::start_with(1, |daemon| {
        let glob = daemon.directory().join("packed/*").display().to_string();
        daemon.settings.files.push(glob);
    });
    let daemon = &fleet[1];
    std::fs::create_dir(daemon.directory().join("packed")).unwrap();
    let line = |number: u32| format!("line {number} of the text\n");
    std::fs::write(daemon.directory().join("text"), (0..30_000).map(line).collect::<String>())
        .unwrap();
    LARGE.iter().for_each(|large| compress(daemon, *large));
    let count = |daemon: &Daemon, glob: &str| daemon.ctl(&["grep", "-hc", "7 of", glob]);
    let words = |output: &Output| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    };
    let output = count(daemon, "large[-.]*");
    assert_eq!(words(&output), ("3000\n".repeat(LARGE.len()), String::new()));

    compress(daemon, LARGER);
    let output = count(daemon, "larger.zst");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let (_, said) = words(&output);
    let (_, rest) = said.split_once("limits.search_memory must be ").expect(&said);
    let (setting, _) = rest.split_once(" or more").expect(&said);
    assert!(said.contains("larger.zst: needs 257 MiB of memory to be decompressed"), "{said}");
    let setting = format!("search_memory = \"{setting}\"");
    fleet[1].kill();
    fleet[1].settings.limits = vec![setting.leak()];
    fleet.restart(&[1]);
    let output = count(&fleet[1], "larger.zst");
    assert_eq!(words(&output), ("3000\n".to_owned(), String::new()));
}

//! Greps over compressed logs, as real tools make them.

use memberd_tests::Fleet;

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

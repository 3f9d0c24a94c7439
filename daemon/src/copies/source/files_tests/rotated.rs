//! Logs that are rotated: renamed, copied and truncated, compressed, written anew.

use super::*;

#[tokio::test]
async fn a_log_renamed_by_rotation_is_read_to_its_end() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", lines(0, 100));
    rig.tick();
    rig.append("a.log", lines(100, 200));
    fs::rename(rig.path("a.log"), rig.path("a.log.1")).unwrap();
    rig.append("a.log", lines(0, 10));
    // The writer does not know yet.
    rig.append("a.log.1", lines(200, 300));
    rig.tick();
    rig.assert_streams("a.log", &["a.log.1", "a.log"]);
    rig.append("a.log.1", lines(300, 310));
    rig.append("a.log", lines(10, 20));
    rig.tick();
    rig.assert_streams("a.log", &["a.log.1", "a.log"]);
    fs::rename(rig.path("a.log.1"), rig.path("a.log.2")).unwrap();
    fs::rename(rig.path("a.log"), rig.path("a.log.1")).unwrap();
    rig.append("a.log", lines(0, 5));
    rig.tick();
    rig.tick();
    rig.assert_streams("a.log", &["a.log.2", "a.log.1", "a.log"]);
    assert_eq!(rig.behind, 0);
}

/// Lines that were written just before the truncation are in the copy.
#[tokio::test]
async fn a_copy_goes_on_for_the_log_that_was_truncated() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", lines(0, 100));
    rig.tick();
    for round in 1..4 {
        rig.append("a.log", lines(100, 100 + 7 * round));
        fs::copy(rig.path("a.log"), rig.path(&format!("a.log.{round}"))).unwrap();
        File::create(rig.path("a.log")).unwrap();
        rig.append("a.log", lines(1_000 * round, 1_000 * round + 20));
        rig.tick();
        rig.tick();
    }
    rig.assert_streams("a.log", &["a.log.1", "a.log.2", "a.log.3", "a.log"]);
    // A copy is not taken for a new log after a restart either.
    rig.restart();
    rig.tick();
    rig.assert_streams("a.log", &["a.log.1", "a.log.2", "a.log.3", "a.log"]);
}

/// A read finds that a log was truncated, and a new conversation begins before its copy is found.
#[tokio::test]
async fn a_conversation_that_begins_before_the_copy_is_found_goes_on() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", lines(0, 100));
    rig.tick();
    rig.append("a.log", lines(100, 110));
    rig.look(Duration::from_secs(1));
    fs::copy(rig.path("a.log"), rig.path("a.log.1")).unwrap();
    File::create(rig.path("a.log")).unwrap();
    rig.append("a.log", lines(1_000, 1_020));
    rig.send(usize::MAX);
    rig.reconnect();
    rig.send(usize::MAX);
    rig.tick();
    rig.tick();
    rig.assert_streams("a.log", &["a.log.1", "a.log"]);
}

/// A new conversation begins once a log was truncated, and before anybody has seen that: what the
/// keeper has is then of no file, until the copy is found.
#[tokio::test]
async fn a_truncation_that_nobody_has_seen_yet_sends_nothing_twice() {
    for next_lines in [0, 20, 200] {
        let mut rig = Rig::new(&["*.log"]);
        rig.append("a.log", lines(0, 100));
        rig.tick();
        rig.append("a.log", lines(100, 110));
        fs::copy(rig.path("a.log"), rig.path("a.log.1")).unwrap();
        File::create(rig.path("a.log")).unwrap();
        rig.append("a.log", lines(1_000, 1_000 + next_lines));
        rig.reconnect();
        rig.send(usize::MAX);
        rig.append("a.log", lines(2_000, 2_010));
        rig.tick();
        rig.tick();
        rig.assert_streams("a.log", &["a.log.1", "a.log"]);
    }
}

/// A log grows and is copied between two looks, so nothing was read of it when its copy is there.
#[tokio::test]
async fn a_copy_of_a_log_that_was_not_read_is_sent_once() {
    for is_read_first in [true, false] {
        let mut rig = Rig::new(&["*.log"]);
        rig.append("a.log", lines(0, 100));
        rig.tick();
        fs::copy(rig.path("a.log"), rig.path("a.log.2")).unwrap();
        File::create(rig.path("a.log")).unwrap();
        rig.append("a.log", lines(1_000, 1_100));
        fs::copy(rig.path("a.log"), rig.path("a.log.1")).unwrap();
        rig.look(Duration::from_secs(1));
        if is_read_first {
            rig.tick();
        }
        File::create(rig.path("a.log")).unwrap();
        rig.append("a.log", lines(2_000, 2_010));
        rig.tick();
        rig.tick();
        let mut streams = rig.streams_of("a.log");
        streams.sort_by(|(one, ..), (other, ..)| other.cmp(one));
        let names: Vec<&str> = streams.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["a.log.2", "a.log.1", "a.log"], "read first: {is_read_first}");
        for (name, text, _) in streams {
            assert!(text == fs::read(rig.path(&name)).unwrap(), "{name}");
        }
    }
}

/// Whether or not anything was sent of it before.
#[tokio::test]
async fn a_start_between_copy_and_truncation_sends_it_once() {
    for is_known in [true, false] {
        let mut rig = Rig::new(&["*.log"]);
        rig.append("a.log", lines(0, 100));
        if is_known {
            rig.tick();
        }
        fs::copy(rig.path("a.log"), rig.path("a.log.1")).unwrap();
        rig.restart();
        rig.tick();
        rig.tick();
        rig.assert_streams("a.log", &["a.log"]);
        File::create(rig.path("a.log")).unwrap();
        rig.append("a.log", lines(1_000, 1_020));
        rig.tick();
        rig.tick();
        rig.assert_streams("a.log", &["a.log.1", "a.log"]);
    }
}

/// logrotate copies, and truncates a little later.
#[tokio::test]
async fn a_copy_that_is_being_made_is_no_new_log() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", lines(0, 1_000));
    rig.tick();
    let text = fs::read(rig.path("a.log")).unwrap();
    fs::write(rig.path("a.log.1"), &text[..5_000]).unwrap();
    // Something else is rotated meanwhile, so that all is listed.
    rig.append("b.log", "b\n");
    rig.tick();
    assert_eq!(rig.streams_of("a.log").len(), 1);
    fs::write(rig.path("a.log.1"), &text).unwrap();
    File::create(rig.path("a.log")).unwrap();
    rig.append("a.log", "new\n");
    rig.tick();
    rig.tick();
    rig.assert_streams("a.log", &["a.log.1", "a.log"]);
}

/// With the same inode, and even the same size.
#[tokio::test]
async fn a_file_that_is_written_anew_is_another_stream() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", "one 1\ntwo 2\n");
    rig.tick();
    fs::write(rig.path("a.log"), "one 3\ntwo 4\n").unwrap();
    rig.tick();
    let texts: Vec<&[u8]> = rig.streams_of("a.log").iter().map(|(_, text, _)| *text).collect();
    assert_eq!(texts, [&b"one 1\ntwo 2\n"[..], b"one 3\ntwo 4\n"]);
    let listed: Vec<bool> = rig.streams_of("a.log").iter().map(|(.., listed)| *listed).collect();
    assert_eq!(listed, [false, true]);
    // Deleted, and another takes the inode, as file systems do.
    fs::remove_file(rig.path("a.log")).unwrap();
    rig.append("a.log", "one 5\n");
    rig.tick();
    rig.tick();
    assert_eq!(rig.streams_of("a.log").len(), 3);
    assert_eq!(rig.streams_of("a.log")[2].1, b"one 5\n");
    rig.restart();
    rig.tick();
    assert_eq!(rig.streams_of("a.log").len(), 3);
}

/// Rotation went on while the source was not there.
#[tokio::test]
async fn after_a_restart_a_rotated_log_is_found_under_its_new_name() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", lines(0, 100));
    rig.append("b.log", lines(500, 600));
    rig.tick();
    rig.append("a.log", lines(100, 110));
    fs::rename(rig.path("a.log"), rig.path("a.log.1")).unwrap();
    rig.append("a.log", lines(0, 3));
    rig.append("b.log", lines(600, 610));
    fs::copy(rig.path("b.log"), rig.path("b.log.1")).unwrap();
    fs::write(rig.path("b.log"), "new\n").unwrap();
    rig.restart();
    rig.tick();
    rig.assert_streams("a.log", &["a.log.1", "a.log"]);
    rig.assert_streams("b.log", &["b.log.1", "b.log"]);
}

/// The plug was pulled: the keeper has more than the file.
#[tokio::test]
async fn a_log_that_lost_its_end_is_one_file_still() {
    for grows_first in [false, true] {
        let mut rig = Rig::new(&["*.log"]);
        let line = format!("{}\n", "x".repeat(9_999));
        rig.append("a.log", line.repeat(2_000));
        rig.tick();
        for number in 0..4 {
            rig.append("a.log", lines(number * 100, number * 100 + 100));
            rig.tick();
        }
        let file = OpenOptions::new().append(true).open(rig.path("a.log")).unwrap();
        let cut = file.metadata().unwrap().len() - lines(0, 150).len() as u64;
        file.set_len(cut).unwrap();
        if grows_first {
            rig.append("a.log", lines(700, 999));
        }
        rig.restart();
        rig.append("a.log", "after\n");
        rig.tick();
        rig.tick();
        assert_eq!(rig.streams.len(), 2);
        let (newer, joined) = rig.continued();
        let written = fs::read(rig.path("a.log")).unwrap();
        assert!(written.ends_with(&joined) && joined.len() > 10_000_000);
        assert!(newer.text.len() < 50_000, "what is kept is not sent again");
        rig.restart();
        rig.tick();
        assert_eq!(rig.streams.len(), 2);
    }
}

/// It is the same file with the same beginning, but it was written anew.
#[tokio::test]
async fn a_log_that_begins_again_is_no_continued_one() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", "starting\n");
    rig.tick();
    rig.append("a.log", lines(0, 100));
    rig.tick();
    fs::write(rig.path("a.log"), format!("starting\n{}", lines(500, 550))).unwrap();
    rig.restart();
    rig.tick();
    let texts: Vec<usize> = rig.streams.values().map(|stream| stream.text.len()).collect();
    assert_eq!(texts, ["starting\n".len() + lines(0, 100).len(), 9 + lines(500, 550).len()]);
    assert!(rig.streams.values().all(|stream| stream.head.continues.is_none()));
}

#[tokio::test]
async fn compressed_files_are_not_sent() {
    let mut rig = Rig::new(&["*"]);
    let frame = zstd::bulk::compress(lines(0, 100).as_bytes(), 1).unwrap();
    rig.append("a.log.2.zst", frame);
    rig.append("a.log", lines(0, 3));
    rig.tick();
    rig.tick();
    assert_eq!(rig.streams.len(), 1);
}

/// The text that a truncation took is counted.
#[tokio::test]
async fn what_is_gone_before_it_is_read_is_told() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", lines(0, 100));
    rig.tick();
    let kept = rig.streams_of("a.log")[0].1.len();
    rig.append("a.log", lines(100, 200));
    rig.look(Duration::from_secs(1));
    File::create(rig.path("a.log")).unwrap();
    for _ in 0..80 {
        rig.tick();
    }
    let streams: Vec<&Stream> = rig.streams.values().collect();
    assert_eq!(streams.len(), 1, "the file has no text since");
    assert_eq!(streams[0].text.len(), kept);
    assert_eq!(streams[0].head.lost_bytes, lines(100, 200).len() as u64);
}

/// 50 MB/s, rotated by both ways in turn, in real time.
#[tokio::test]
async fn a_fast_writer_loses_nothing() {
    let mut rig = Rig::new(&["*.log"]);
    let path = rig.path("a.log");
    let writer = std::thread::spawn(move || {
        let chunk = |number: u32| lines(number * 20_000, number * 20_000 + 20_000).into_bytes();
        let chunks: Vec<Vec<u8>> = (0..40).map(chunk).collect();
        let (begun, mut chunks) = (Instant::now(), chunks.iter().cycle());
        let (mut written, mut rotated, mut rotations) = (0_u64, 0, 0);
        let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        // A busy machine may leave out a rotation.
        while begun.elapsed() < Duration::from_secs(3) || rotations < 4 {
            if u128::from(written) > begun.elapsed().as_millis() * 50_000 {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
            let chunk = chunks.next().unwrap();
            file.write_all(chunk).unwrap();
            written += chunk.len() as u64;
            let due = begun.elapsed().as_millis() / 700;
            if due > rotated {
                (rotated, rotations) = (due, rotations + 1);
                fs::rename(&path, path.with_extension(format!("log.{due}"))).unwrap();
                file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
            }
        }
        written
    });
    while !writer.is_finished() {
        rig.now = rig.now.max(Instant::now());
        rig.look(Duration::ZERO);
        while rig.send(16) > 0 {
            rig.acknowledge();
        }
    }
    let written = writer.join().unwrap();
    rig.tick();
    let kept: usize = rig.streams.values().map(|one| one.text.len()).sum();
    assert_eq!(kept as u64, written);
    let names: Vec<String> = rig.streams_of("a.log").into_iter().map(|(name, ..)| name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(names.len() >= 4, "{names:?}");
    rig.assert_streams("a.log", &names);
}

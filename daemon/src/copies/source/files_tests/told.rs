//! What the keeper is sent and told, after a restart and a damage too, and with what bounds.

use super::*;

/// Times without a year are read by when their file was last written.
#[tokio::test]
async fn keepers_are_told_when_a_slow_log_was_last_written() {
    let mut rig = Rig::new(&["*.log"]);
    let (begin, step) =
        (SystemTime::now() - Duration::from_secs(86_400), Duration::from_secs(2_400));
    for number in 0..6 {
        rig.append("a.log", lines(number, number + 1));
        let file = OpenOptions::new().append(true).open(rig.path("a.log")).unwrap();
        file.set_modified(begin + step * number).unwrap();
        rig.tick();
    }
    let last = (begin + step * 5).duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let told = rig.streams.values().next().unwrap().head.modified_ms;
    assert!(i64::try_from(last.as_millis()).unwrap() - told <= 3_600_000);
}

#[tokio::test]
async fn a_restart_in_the_middle_goes_on_where_the_keeper_stands() {
    let mut rig = Rig::new(&["*.log"]);
    for round in 0..6 {
        rig.append("a.log", lines(round * 20_000, round * 20_000 + 20_000));
        rig.append("b.log", lines(round * 10, round * 10 + 10));
        rig.look(Duration::from_secs(1));
        rig.send(usize::try_from(round).unwrap());
        match round % 3 {
            0 => rig.restart(),
            1 => rig.reconnect(),
            _ => {}
        }
    }
    rig.tick();
    rig.assert_streams("a.log", &["a.log"]);
    rig.assert_streams("b.log", &["b.log"]);
}

#[tokio::test]
async fn an_unfinished_line_waits_unless_nothing_follows() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", "whole\nbegun");
    for _ in 0..8 {
        rig.tick();
    }
    assert_eq!(rig.streams_of("a.log")[0].1, b"whole\n");
    assert_eq!(rig.behind, 0, "a line without an end is not there yet");
    rig.append("a.log", " and ended\nlast");
    rig.tick();
    assert_eq!(rig.streams_of("a.log")[0].1, b"whole\nbegun and ended\n");
    fs::rename(rig.path("a.log"), rig.path("elsewhere")).unwrap();
    for _ in 0..12 {
        rig.tick();
    }
    assert_eq!(rig.streams_of("a.log")[0].1, b"whole\nbegun and ended\nlast");
    assert_eq!(rig.files.len(), 0, "it is let go");
    assert!(!rig.streams_of("a.log")[0].2, "it is no longer listed");
}

#[tokio::test]
async fn of_a_large_log_that_was_there_the_end_is_sent() {
    let mut rig = Rig::new(&["*.log"]);
    let line = format!("{}\n", "x".repeat(9_999));
    rig.append("a.log", line.repeat(2_000));
    rig.tick();
    let (begin, text) = rig.streams.values().map(|one| (one.begin, &one.text)).next().unwrap();
    assert_eq!(begin % 10_000, 0, "a line begins there");
    assert!(text.len() <= 16 << 20 && text.len() > (16 << 20) - 20_000, "{}", text.len());
    rig.append("a.log", "more\n");
    rig.restart();
    rig.tick();
    assert_eq!(rig.streams.len(), 1);
    assert!(rig.streams_of("a.log")[0].1.ends_with(b"x\nmore\n"));
}

#[tokio::test]
async fn what_is_not_acknowledged_is_bounded() {
    let mut rig = Rig::new(&["*.log"]);
    let mut random = 1_u64;
    let mut noise = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        format!("{random:016x}\n")
    };
    let text: String = (0..500_000).map(|_| noise()).collect();
    rig.append("a.log", text.as_str());
    rig.look(Duration::from_secs(1));
    while rig.send(usize::MAX) > 0 {}
    let sent = rig.streams_of("a.log")[0].1.len();
    assert!(sent < text.len() && sent > WINDOW_BYTES, "{sent} of {}", text.len());
    assert!(sent < 3 * WINDOW_BYTES, "{sent}: it halves at most");
    assert!(rig.behind > 0, "it says so");
    rig.acknowledge();
    rig.tick();
    rig.assert_streams("a.log", &["a.log"]);
    assert_eq!(rig.behind, 0);
}

#[tokio::test]
async fn what_is_withdrawn_is_marked_and_what_is_left_out_never_sent() {
    let mut rig = Rig::new(&["*.log"]);
    rig.offer = offer(&rig.directory, &["*.log"], &["secret*"]);
    for name in ["a.log", "b.log", "secret.log"] {
        rig.append(name, "text\n");
    }
    rig.tick();
    fs::remove_file(rig.path("b.log")).unwrap();
    (0..12).for_each(|_| rig.tick());
    let offered = |rig: &Rig| -> Vec<(PathBuf, bool)> {
        rig.streams.values().map(|one| (one.head.path.clone(), one.head.offered)).collect()
    };
    let (a, b) = (rig.path("a.log"), rig.path("b.log"));
    let mut found = offered(&rig);
    found.sort();
    assert_eq!(found, [(a.clone(), true), (b.clone(), true)], "what is deleted is offered still");
    rig.offer = offer(&rig.directory, &["a*"], &[]);
    rig.files.offer_changed();
    rig.keeper.offer_changed();
    rig.tick();
    let mut found = offered(&rig);
    found.sort();
    assert_eq!(found, [(a, true), (b, false)]);
}

/// Its lines are not found twice, and a withdrawal reaches it.
#[tokio::test]
async fn a_damaged_copy_is_continued_by_another() {
    let mut rig = Rig::new(&["*.log"]);
    for number in 0..4 {
        rig.append("a.log", lines(number * 100, number * 100 + 100));
        rig.tick();
    }
    rig.streams.values_mut().for_each(|stream| stream.whole = Some(2));
    rig.reconnect();
    assert!(rig.streams_of("a.log")[0].2, "until another continues it, it is the file");
    rig.append("a.log", lines(400, 500));
    for _ in 0..2 {
        rig.tick();
        rig.tick();
        assert_eq!(rig.streams.len(), 2);
        let (newer, joined) = rig.continued();
        assert_eq!(newer.text, lines(200, 500).into_bytes());
        assert_eq!(joined, fs::read(rig.path("a.log")).unwrap());
        rig.restart();
    }
    rig.offer = offer(&rig.directory, &["b*"], &[]);
    rig.files.offer_changed();
    rig.keeper.offer_changed();
    rig.tick();
    assert!(rig.streams.values().all(|stream| !stream.head.offered));
}

/// A search of the copies says that something may be missing.
#[tokio::test]
async fn with_files_that_are_not_sent_the_source_is_behind() {
    let mut rig = Rig::new(&["*.log"]);
    rig.append("a.log", "text\n");
    rig.tick();
    assert_eq!(rig.behind, 0);
    rig.files.problem = Some("a file cannot be read".to_owned());
    rig.now += Duration::from_secs(1);
    rig.send(1);
    assert_eq!(rig.behind, 1);
    rig.tick();
    assert_eq!(rig.behind, 0);
    for number in 0..1_024 {
        rig.append(&format!("{number}.log"), "text\n");
    }
    rig.tick();
    rig.tick();
    assert_eq!((rig.streams.len(), rig.behind), (1_024, 1));
}

/// Where looking takes long, keepers are told that more may be missing, and at once.
#[tokio::test]
async fn keepers_are_told_how_long_looks_are_apart() {
    let mut rig = Rig::new(&["*.log"]);
    rig.send(usize::MAX);
    assert_eq!((rig.behind, rig.every_ms), (0, 1_000));
    rig.files.pause = Duration::from_millis(2_300);
    rig.send(usize::MAX);
    assert_eq!(rig.every_ms, 3_000);
    rig.files.pause = Duration::from_secs(1);
    rig.send(usize::MAX);
    assert_eq!(rig.every_ms, 3_000, "it may soon take long again");
    rig.now += Duration::from_secs(61);
    rig.send(usize::MAX);
    assert_eq!(rig.every_ms, 1_000);
}

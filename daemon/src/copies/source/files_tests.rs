//! Follows real files, and compares what a keeper has got with what was written.

use super::cutter::Cutter;
use super::files::Files;
use super::link::{Link, LinkId};
use super::offer::Offer;
use super::shipped::Keeper;
use memberd_copies::block::BlockHead;
use memberd_copies::standing::{MOST_MARKS, Mark, Standing};
use memberd_copies::stream::{StreamHead, StreamId};
use memberd_copies::wire::{self, Kept, ToKeeper, WINDOW_BYTES};
use memberd_membership::Name;
use memberd_search::ExposedFiles;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// A stream at a keeper that checks everything.
struct Stream {
    head: StreamHead,
    begin: u64,
    text: Vec<u8>,
    blocks: Vec<BlockHead>,
    durable: usize,
    /// How many of its blocks are whole, if it is damaged.
    whole: Option<usize>,
}

impl Stream {
    fn standing(&self) -> Standing {
        let whole = self.whole.unwrap_or(self.blocks.len());
        let blocks = self.blocks.get(..whole).unwrap();
        let (last, before) = match blocks.split_last() {
            Some((last, before)) => (Some(*last), before),
            None => (None, blocks),
        };
        Standing {
            head: self.head.clone(),
            begin: self.begin,
            end: last.map_or(self.begin, |last| last.end()),
            last,
            marks: before.iter().rev().take(MOST_MARKS).map(|block| Mark::from(*block)).collect(),
            dropped_bytes: 0,
            is_damaged: self.whole.is_some(),
        }
    }
}

/// A source and its keeper.
struct Rig {
    directory: TempDir,
    offer: Offer,
    files: Files,
    keeper: Keeper,
    cutter: Cutter,
    messages: mpsc::Receiver<Vec<u8>>,
    streams: BTreeMap<StreamId, Stream>,
    now: Instant,
    now_ms: u64,
    behind: u64,
    every_ms: u32,
}

impl Rig {
    fn new(globs: &[&str]) -> Rig {
        let directory = tempfile::tempdir().unwrap();
        let offer = offer(&directory, globs, &[]);
        let now = Instant::now();
        let (keeper, messages) = keeper(now);
        let mut rig = Rig {
            directory,
            offer,
            files: Files::default(),
            keeper,
            cutter: Cutter::new().unwrap(),
            messages,
            streams: BTreeMap::new(),
            now,
            now_ms: 1_700_000_000_000,
            behind: u64::MAX,
            every_ms: 0,
        };
        rig.connect();
        rig
    }

    /// The source ends, and starts with nothing but the files.
    fn restart(&mut self) {
        self.files = Files::default();
        self.cutter = Cutter::new().unwrap();
        self.files.refresh(&self.offer, self.now);
        self.reconnect();
    }

    /// The connection breaks. What was not durable is lost at the keeper.
    fn reconnect(&mut self) {
        self.take();
        for stream in self.streams.values_mut() {
            assert!(stream.durable <= stream.text.len());
        }
        (self.keeper, self.messages) = keeper(self.now);
        self.connect();
    }

    fn connect(&mut self) {
        let standings = self.streams.values().map(Stream::standing).collect();
        assert!(self.keeper.note_standings(standings, false));
        self.keeper.begin(&mut self.files, &self.offer, self.now).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn append(&self, name: &str, text: impl Into<Vec<u8>>) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(&text.into()).unwrap();
    }

    /// A second passes: all is looked at, sent and acknowledged.
    fn tick(&mut self) {
        self.look(Duration::from_secs(1));
        while self.send(usize::MAX) > 0 {
            self.acknowledge();
        }
        self.acknowledge();
    }

    fn look(&mut self, passed: Duration) {
        self.now += passed;
        self.now_ms += u64::try_from(passed.as_millis()).unwrap();
        self.files.refresh(&self.offer, self.now);
        for key in self.files.ended(self.now, |key| self.keeper.kept(key)) {
            let file = self.files.get(key).unwrap();
            let lost = file.size.saturating_sub(self.keeper.kept(key));
            self.keeper.forget(key, lost, &self.offer).unwrap();
            self.files.forget(key);
        }
        self.keeper.tell_heads(&self.files, &self.offer).unwrap();
    }

    /// Sends at most so many blocks, without an acknowledgement.
    fn send(&mut self, most: usize) -> usize {
        let mut sent = 0;
        let mut empty = 0;
        while sent < most && empty <= self.files.len() {
            let Some(place) = self.keeper.next(&mut self.files) else { break };
            let cut = self.cutter.cut(&mut self.files, place, self.now, self.now_ms).unwrap();
            let Some(cut) = cut else {
                empty += 1;
                continue;
            };
            let file = self.files.get(cut.key).unwrap();
            self.keeper.send(file, &cut, &self.offer, self.now_ms).unwrap();
            sent += 1;
        }
        self.keeper.tell_behind(&self.files, self.now).unwrap();
        self.take();
        sent
    }

    /// The keeper takes what was sent, and checks that it follows what it has.
    fn take(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            match wire::decode::<ToKeeper>(&message).unwrap() {
                ToKeeper::Begin { .. } => panic!("the connection says so"),
                ToKeeper::Head(head) => {
                    let stream = self.streams.entry(head.id).or_insert_with(|| Stream {
                        head: (*head).clone(),
                        begin: 0,
                        text: Vec::new(),
                        blocks: Vec::new(),
                        durable: 0,
                        whole: None,
                    });
                    stream.head = *head;
                }
                ToKeeper::Block(block) => {
                    let stream = self.streams.get_mut(&block.head.stream).expect("a head first");
                    assert_eq!(stream.whole, None, "a damaged copy does not go on");
                    if stream.blocks.is_empty() {
                        stream.begin = block.head.offset;
                    }
                    let end = stream.begin + stream.text.len() as u64;
                    assert_eq!(block.head.offset, end, "no gap, and nothing twice");
                    let text = zstd::bulk::decompress(&block.frame, 2 << 20).unwrap();
                    assert_eq!(text.len(), block.head.text_bytes as usize);
                    assert_eq!(*blake3::hash(&text).as_bytes(), block.head.hash);
                    stream.text.extend(text);
                    stream.blocks.push(block.head);
                }
                ToKeeper::Behind { bytes, every_ms } => {
                    (self.behind, self.every_ms) = (bytes, every_ms);
                }
            }
        }
    }

    fn acknowledge(&mut self) {
        self.take();
        let kept: Vec<Kept> = self
            .streams
            .iter_mut()
            .map(|(id, stream)| {
                stream.durable = stream.text.len();
                Kept { stream: *id, end: stream.begin + stream.text.len() as u64 }
            })
            .collect();
        self.keeper.note_kept(&kept);
    }

    /// The streams of this origin, the oldest first: name, text, and whether it is listed.
    fn streams_of(&self, origin: &str) -> Vec<(String, &[u8], bool)> {
        let origin = self.path(origin);
        let of = self.streams.values().filter(|stream| stream.head.origin == origin);
        let mut of: Vec<&Stream> = of.collect();
        of.sort_by_key(|stream| stream.head.id.begun_ms);
        of.iter()
            .map(|stream| {
                let name = stream.head.path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, stream.text.as_slice(), stream.head.listed)
            })
            .collect()
    }

    /// The only stream that continues another one, and both as one text.
    fn continued(&self) -> (&Stream, Vec<u8>) {
        let newer = self.streams.values().filter(|stream| stream.head.continues.is_some());
        let [newer] = newer.collect::<Vec<_>>()[..] else { panic!("one continues another") };
        let joint = newer.head.continues.unwrap();
        let older = &self.streams[&joint.stream];
        assert_eq!((newer.begin, older.head.listed, newer.head.listed), (joint.at, false, true));
        let kept = usize::try_from(joint.at - older.begin).unwrap();
        (newer, [&older.text[..kept], &newer.text].concat())
    }

    /// Asserts that there are these streams of an origin, each with the text of its file.
    fn assert_streams(&self, origin: &str, names: &[&str]) {
        let streams = self.streams_of(origin);
        let found: Vec<&str> = streams.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(found, names);
        for (name, text, is_listed) in &streams {
            let written = fs::read(self.path(name)).unwrap();
            assert!(*text == written, "{name}: {} of {} bytes", text.len(), written.len());
            assert_eq!(*is_listed, name == origin, "{name}");
        }
    }
}

fn offer(directory: &TempDir, globs: &[&str], no_copies: &[&str]) -> Offer {
    let globs: Vec<String> =
        globs.iter().map(|glob| format!("{}/{glob}", directory.path().display())).collect();
    let no_copies: Vec<String> = no_copies.iter().map(|glob| (*glob).to_owned()).collect();
    Offer::new(ExposedFiles::new(&globs).unwrap(), &no_copies)
}

fn keeper(now: Instant) -> (Keeper, mpsc::Receiver<Vec<u8>>) {
    let mut keeper = Keeper::new(Name::new("vm2").unwrap(), now);
    let (link, messages) = Link::for_test(LinkId(1));
    keeper.connect(link);
    (keeper, messages)
}

fn lines(from: u32, to: u32) -> String {
    (from..to).map(|number| format!("line {number} of a log that is long enough\n")).collect()
}

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

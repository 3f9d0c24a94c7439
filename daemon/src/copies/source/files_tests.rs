//! Follows real files, and compares what a keeper has got with what was written.

mod rotated;
mod told;

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

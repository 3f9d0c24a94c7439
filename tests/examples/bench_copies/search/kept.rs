//! Writes the text as the copies that a member keeps of another: sealed, as a keeper seals them. It
//! owns the store meanwhile.

use super::corpus::{Piece, name};
use memberd_copies::block::{Block, BlockHead};
use memberd_copies::kept;
use memberd_copies::needs::Needs;
use memberd_copies::store::{Limits, Store};
use memberd_copies::stream::{Fingerprint, StreamHead, StreamId};
use memberd_membership::Name;
use memberd_search::LineSpans;
use memberd_tests::Settings;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The level at which sources compress.
const LEVEL: i32 = 1;

/// Room for all of the text, in bytes.
const ROOM: u64 = 64 << 30;

/// After so many pieces the store seals what is full, so that little is open at a time.
const PIECES: usize = 1024;

/// How large the copies are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeptSize {
    /// All files together, in bytes.
    pub(crate) disk_bytes: u64,
    /// The frames of the text.
    pub(crate) frame_bytes: u64,
    /// What the sealed segments have beside the frames: the filters, and where the blocks are.
    pub(crate) index_bytes: u64,
    pub(crate) blocks: u64,
}

/// A store that is being filled.
pub(crate) struct Writing {
    store: Store,
    directory: PathBuf,
    source: Name,
    spans: LineSpans,
    pieces: usize,
}

impl Writing {
    /// Begins the store of a member that does not run, with copies of this source.
    pub(crate) fn begin(state_dir: &Path, source: &str) -> Writing {
        let directory = state_dir.join("copies");
        fs::create_dir_all(&directory).expect("a directory for the store");
        let streams = 1 << 20;
        let limits = Limits {
            source_bytes: ROOM,
            total_bytes: ROOM,
            streams_of_source: streams,
            streams,
            ..Limits::default()
        };
        let store = Store::open(&directory, limits).expect("a store");
        let source = Name::new(source).expect("a name");
        Writing { store, directory, source, spans: LineSpans::default(), pieces: 0 }
    }

    /// Appends a piece to its stream.
    pub(crate) fn take(&mut self, piece: &Piece) {
        if piece.offset == 0 {
            self.store.head(&self.source, head(piece)).expect("room for a stream");
        }
        let block = Block {
            head: BlockHead {
                stream: stream(piece.file),
                offset: piece.offset,
                text_bytes: u32::try_from(piece.text.len()).expect("a block"),
                hash: *blake3::hash(&piece.text).as_bytes(),
                read_ms: now_ms(),
            },
            frame: zstd::bulk::compress(&piece.text, LEVEL).expect("memory for zstd"),
        };
        self.store.append(&self.source, &block).expect("room for a block");
        self.pieces += 1;
        if self.pieces.is_multiple_of(PIECES) {
            self.store.sync().expect("a disk that works");
            while self.store.idle_step(&mut self.spans, now_ms()) {}
        }
    }

    /// Seals all, and returns how large it is.
    pub(crate) fn end(mut self) -> KeptSize {
        self.store.sync().expect("a disk that works");
        self.store.seal_all(&mut self.spans).expect("a disk that works");
        let disk_bytes = self.store.counts().bytes;
        let mut size = KeptSize { disk_bytes, ..KeptSize::default() };
        for stream in kept::list(&self.directory, &self.source).expect("the streams") {
            for block in stream.blocks(&Needs::Anything) {
                size.frame_bytes += u64::from(block.expect("a block").frame_bytes);
                size.blocks += 1;
            }
        }
        size.index_bytes = disk_bytes.saturating_sub(size.frame_bytes);
        size
    }
}

/// How many blocks of a source's copies may have a line with these needs, and how many there are.
pub(crate) fn may_match(state_dir: &Path, source: &str, needs: &Needs) -> (u64, u64) {
    let source = Name::new(source).expect("a name");
    let (mut may, mut all) = (0, 0);
    for stream in kept::list(&state_dir.join("copies"), &source).expect("the streams") {
        for block in stream.blocks(needs) {
            all += 1;
            may += u64::from(block.expect("a block").may_match);
        }
    }
    (may, all)
}

/// The settings of a member that keeps all of it.
pub(crate) fn let_keep(settings: &mut Settings) {
    let room = ["copies = 2", "copies_space = \"64GiB\"", "copies_total = \"64GiB\""];
    settings.logs = room.map(str::to_owned).to_vec();
}

fn head(first: &Piece) -> StreamHead {
    let path = Path::new("/srv/log").join(name(first.file));
    StreamHead {
        id: stream(first.file),
        fingerprint: Fingerprint::of(&first.text),
        origin: path.clone(),
        path,
        offered: true,
        listed: true,
        lost_bytes: 0,
        continues: None,
        modified_ms: i64::try_from(now_ms()).expect("this century"),
        zone: String::new(),
    }
}

fn stream(file: u64) -> StreamId {
    StreamId { device: 1, inode: file + 1, begun_ms: 1 }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(now.as_millis()).expect("this century")
}

//! Walks the entries of one file of the journal for their times. It owns no state.
//!
//! The format: <https://systemd.io/JOURNAL_FILE_FORMAT/>. Numbers in it are little endian.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a file begins with.
const SIGNATURE: &[u8] = b"LPKSHHRH";

/// How many bytes the shortest header has, that of the first journald.
const HEADER_BYTES: usize = 208;

/// The incompatible features that change nothing here: how data is compressed and hashed.
const HARMLESS_FEATURES: u32 = 0b0_1111;

/// The incompatible feature by which entry arrays have four bytes for an entry instead of eight.
const COMPACT: u32 = 0b1_0000;

/// The types of the objects that are looked at.
const ENTRY: u8 = 3;
const ENTRY_ARRAY: u8 = 6;

/// How many places of entries are read at once.
const PLACES_AT_ONCE: u64 = 4096;

/// The most boots of one file that are told apart.
const MAX_BOOTS: usize = 4096;

/// What the entries of one file are like, as far as they were walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Walked {
    /// The file's own id.
    id: [u8; 16],
    /// How many entries there were.
    entries: u64,
    /// Where the next entry would be noted: an entry array, and how many of its items were walked.
    next: (u64, u64),
    /// The id of the series that numbers the entries.
    pub(super) series: [u8; 16],
    /// No entry comes this many microseconds later than another one with a later time.
    pub(super) lateness_us: u64,
    /// The boots in which the entries were written.
    pub(super) boots: Vec<Boot>,
    /// The latest time so far.
    last_us: u64,
    /// The boot of the last entry by its place, its number and its monotonic time.
    last: Option<(usize, u64, u64)>,
}

/// The entries of one boot: the least and the greatest of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Boot {
    pub(super) id: [u8; 16],
    /// The numbers.
    pub(super) numbers: (u64, u64),
    /// The times, in microseconds since the Unix epoch.
    pub(super) times: (u64, u64),
    /// When the boot began by the wall clock, in microseconds. It changes when the clock is set.
    begins: (u64, u64),
    /// Whether numbers and monotonic times grow from entry to entry of a file.
    pub(super) is_steady: bool,
}

impl Boot {
    /// How far the clock was set during the boot, in microseconds.
    pub(super) fn set_us(&self) -> u64 {
        self.begins.1 - self.begins.0
    }

    /// Adds further entries of the same boot.
    pub(super) fn add(&mut self, other: &Boot) {
        let add = |to: &mut (u64, u64), other: (u64, u64)| {
            *to = (to.0.min(other.0), to.1.max(other.1));
        };
        add(&mut self.numbers, other.numbers);
        add(&mut self.times, other.times);
        add(&mut self.begins, other.begins);
        self.is_steady &= other.is_steady;
    }
}

/// Walks the entries that came since the file was walked `before`. None when journalctl leaves the
/// file out.
///
/// # Errors
/// When reading fails, when the file is not understood, or when the search is cancelled.
pub(super) fn walk(
    file: &File,
    before: Option<Walked>,
    cancel: &AtomicBool,
) -> io::Result<Option<Walked>> {
    let Some(header) = header(file)? else { return Ok(None) };
    let features = header.u32(12);
    // A later journalctl knows more of them than this program.
    if features & !(HARMLESS_FEATURES | COMPACT) != 0 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let (id, entries) = (header.id(24), header.u64(152));
    let before = before.filter(|before| before.id == id && before.entries <= entries);
    let mut walked = before.unwrap_or_else(|| Walked {
        id,
        entries: 0,
        next: (header.u64(176), 0),
        series: header.id(72),
        lateness_us: 0,
        boots: Vec::new(),
        last_us: 0,
        last: None,
    });
    let item_bytes = if features & COMPACT == 0 { 8 } else { 4 };
    while walked.entries < entries {
        if cancel.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let left = entries - walked.entries;
        walked.walk_array(file, item_bytes, left.min(PLACES_AT_ONCE))?;
    }
    Ok(Some(walked))
}

/// Reads the header, or returns None when journalctl leaves the file out: each version requires the
/// signature, a whole header, and as many bytes as the header tells.
/// When the first and the last entry of a file were written, in microseconds since the Unix epoch,
/// as its header says. None without an entry.
///
/// # Errors
/// When reading fails.
pub(super) fn span_us(file: &File) -> io::Result<Option<(u64, u64)>> {
    let span = header(file)?.map(|header| (header.u64(184), header.u64(192)));
    Ok(span.filter(|(first, _)| *first > 0))
}

fn header(file: &File) -> io::Result<Option<Bytes<HEADER_BYTES>>> {
    // journald truncates a file after it has written so into the header. So the size may belong to
    // a later header than the first one that is read.
    for _ in 0..2 {
        let header = match Bytes::<HEADER_BYTES>::read(file, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            header => header?,
        };
        let (header_bytes, arena_bytes) = (header.u64(88), header.u64(96));
        if header.bytes(0, 8) != SIGNATURE || header_bytes < HEADER_BYTES as u64 {
            return Ok(None);
        }
        let length = file.metadata()?.len();
        if header_bytes.checked_add(arena_bytes).is_some_and(|bytes| bytes <= length) {
            return Ok(Some(header));
        }
    }
    Ok(None)
}

impl Walked {
    /// Walks up to `most` entries of the next entry array, or goes on to the array behind it.
    fn walk_array(&mut self, file: &File, item_bytes: u64, most: u64) -> io::Result<()> {
        let (array, begin) = self.next;
        let head = Bytes::<24>::read(file, array)?;
        let (bytes, next_array) = (head.u64(8), head.u64(16));
        let items = bytes.saturating_sub(24) / item_bytes;
        if head.u8(0) != ENTRY_ARRAY || items == 0 {
            return Err(malformed());
        }
        if begin >= items {
            // journald only appends. So the arrays follow each other, and the walk has an end.
            let end = array.checked_add(bytes).ok_or_else(malformed)?;
            self.next = (next_array, 0);
            return if next_array < end { Err(malformed()) } else { Ok(()) };
        }
        let count = (items - begin).min(most);
        let mut places = vec![0; usize::try_from(count * item_bytes).unwrap_or(0)];
        file.read_exact_at(&mut places, array + 24 + begin * item_bytes)?;
        for place in places.chunks_exact(if item_bytes == 8 { 8 } else { 4 }) {
            let mut whole = [0; 8];
            whole.iter_mut().zip(place).for_each(|(to, from)| *to = *from);
            self.add(&Bytes::<56>::read(file, u64::from_le_bytes(whole))?)?;
        }
        self.next = (array, begin + count);
        self.entries += count;
        Ok(())
    }

    /// Adds an entry, of which this is the beginning.
    fn add(&mut self, entry: &Bytes<56>) -> io::Result<()> {
        if entry.u8(0) != ENTRY {
            return Err(malformed());
        }
        let (number, time_us, monotonic_us) = (entry.u64(16), entry.u64(24), entry.u64(32));
        self.lateness_us = self.lateness_us.max(self.last_us.saturating_sub(time_us));
        self.last_us = self.last_us.max(time_us);
        let begin = time_us.wrapping_sub(monotonic_us);
        let mut boot = Boot {
            id: entry.id(40),
            numbers: (number, number),
            times: (time_us, time_us),
            begins: (begin, begin),
            // A machine that was on before the epoch has no clock.
            is_steady: begin <= time_us,
        };
        let boots = &mut self.boots;
        let same = self
            .last
            .filter(|(place, ..)| boots.get(*place).is_some_and(|last| last.id == boot.id));
        let place = match same {
            Some((place, last_number, last_monotonic_us)) => {
                boot.is_steady &= number > last_number && monotonic_us >= last_monotonic_us;
                Some(place)
            }
            None => boots.iter().position(|known| known.id == boot.id),
        };
        let place = place.unwrap_or(boots.len());
        match boots.get_mut(place) {
            Some(known) => {
                // A boot that comes a second time is in no order.
                boot.is_steady &= same.is_some();
                known.add(&boot);
            }
            None if place == MAX_BOOTS => return Err(malformed()),
            None => boots.push(boot),
        }
        self.last = Some((place, number, monotonic_us));
        Ok(())
    }
}

/// A part of a file of fixed size.
struct Bytes<const COUNT: usize>([u8; COUNT]);

impl<const COUNT: usize> Bytes<COUNT> {
    fn read(file: &File, at: u64) -> io::Result<Self> {
        let mut bytes = [0; COUNT];
        file.read_exact_at(&mut bytes, at)?;
        Ok(Bytes(bytes))
    }

    fn bytes(&self, at: usize, count: usize) -> &[u8] {
        self.0.get(at..at + count).unwrap_or_default()
    }

    fn array<const LENGTH: usize>(&self, at: usize) -> [u8; LENGTH] {
        self.bytes(at, LENGTH).try_into().unwrap_or([0; LENGTH])
    }

    fn u8(&self, at: usize) -> u8 {
        u8::from_le_bytes(self.array(at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }

    fn id(&self, at: usize) -> [u8; 16] {
        self.array(at)
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not the format of journal files")
}

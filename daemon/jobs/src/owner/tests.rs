//! Tests of an owner: what it takes, when it acknowledges, and what it does without room.

mod dropped;

use super::*;
use crate::ids::{FileKey, MemberId};
use crate::message::{Cursors, Delta, Frame, Part};
use crate::record::{Entry, GapReason, entries};
use crate::store::{At, StoreOperation};
use crate::sums::{SumRow, SumsError};
use crate::table::testing::quick_spec;
use crate::table::{Assignment, SourceState};
use memberd_membership::Incarnation;

/// Sums that are the bytes that came.
struct Bytes;

impl Sums for Bytes {
    type Table = Vec<u8>;

    fn empty(&self) -> Vec<u8> {
        Vec::new()
    }

    fn check(&self, _: &Name, _: i64, sums: &[u8]) -> Result<(), SumsError> {
        match sums.first() {
            Some(0) => Err(SumsError::Malformed("a zero".to_owned())),
            _ => Ok(()),
        }
    }

    fn add(&self, table: &mut Vec<u8>, sums: &[u8]) -> Result<(), SumsError> {
        table.extend_from_slice(sums);
        match sums {
            b"!" => Err(SumsError::Full("a window has an exclamation".to_owned())),
            _ => Ok(()),
        }
    }

    fn bytes(&self, table: &Vec<u8>) -> Vec<Vec<u8>> {
        vec![table.clone()]
    }

    fn rows(&self, _: i64, tables: &[&Vec<u8>]) -> Result<Vec<SumRow>, SumsError> {
        let (key, values) =
            (b"all".to_vec(), tables.iter().copied().flatten().count().to_string().into_bytes());
        Ok(vec![SumRow { key, values, ranks: Vec::new() }])
    }

    fn weight(&self, table: &Vec<u8>) -> usize {
        table.len()
    }
}

fn vm1() -> Name {
    Name::new("vm1").unwrap()
}

fn job(source: SourceState) -> Arc<Job> {
    let spec = quick_spec("shop");
    let owner = MemberId { name: vm1(), incarnation: Incarnation(1) };
    let sink = Assignment { owner, epoch: EPOCH };
    Arc::new(Job {
        sources: BTreeMap::from([(vm1(), source)]),
        stages: BTreeMap::from([(Stage::Sink, sink)]),
        ..Job::new(spec)
    })
}

const EPOCH: Epoch = Epoch { term: 1, number: 2 };

/// An owner, and the log that it wrote.
struct Pair {
    owner: Owner<Bytes>,
    now: Now,
    log: Vec<u8>,
    asked: Option<StoreAsk>,
    out: VecDeque<Output>,
}

impl Pair {
    fn new(sums_bytes: usize) -> Pair {
        let settings = Arc::new(Settings { sums_bytes, ..Settings::default() });
        let place = (JobId(1), Partition(0));
        let owner = Owner::new(settings, Arc::new(Bytes), place, EPOCH, job(SourceState::Live));
        let (now, out) = (Now { boot_ms: 1, wall_ms: 0 }, VecDeque::new());
        let mut pair = Pair { owner, now, log: Vec::new(), asked: None, out };
        pair.tick(0);
        pair.answer();
        pair.answer();
        pair
    }

    fn tick(&mut self, ms: u64) {
        self.now.boot_ms += ms;
        self.owner.handle_timeout(self.now, &mut self.out);
        self.keep_ask();
    }

    fn keep_ask(&mut self) {
        for output in &self.out {
            if let Output::Store(ask) = output {
                self.asked = Some(ask.clone());
            }
        }
        self.out.retain(|output| !matches!(output, Output::Store(_)));
    }

    /// The store answers what it was asked.
    fn answer(&mut self) {
        let ask = self.asked.take().unwrap();
        let at = At { version: self.log.len() as u64, length: self.log.len() as u64 };
        let answer = match ask.operation {
            StoreOperation::Read { .. } => StoreAnswer::Bytes(at, self.log.clone()),
            StoreOperation::Append { bytes, .. } => {
                self.log.extend(bytes);
                StoreAnswer::Done(at)
            }
            _ => StoreAnswer::Done(at),
        };
        self.owner.handle_store(self.now, ask.id, answer, &mut self.out);
        self.keep_ask();
    }

    fn frame(&mut self, range: (u64, u64), sums: &[u8]) {
        self.frame_of(FileKey(9), range, sums);
    }

    fn frame_of(&mut self, file: FileKey, range: (u64, u64), sums: &[u8]) {
        self.send(file, range, sums, |_| {});
    }

    /// A frame with one delta, and with what `change` makes of it.
    fn send(
        &mut self,
        file: FileKey,
        (from, to): (u64, u64),
        sums: &[u8],
        change: impl FnOnce(&mut Frame),
    ) {
        let part = Part { window: 0, lines: 1, sums: sums.to_vec() };
        let delta = Delta {
            file,
            start: 0,
            from,
            to,
            watermark: 0,
            is_finished: false,
            gap: None,
            uncounted: 0,
            parts: vec![part],
        };
        let (job, partition, epoch) = (JobId(1), Partition(0), EPOCH);
        let (presence, deltas) = (Some(0), vec![delta]);
        let (dropped_at, gone) = (Some(0), Vec::new());
        let mut frame = Frame { job, partition, epoch, presence, deltas, dropped_at, gone };
        change(&mut frame);
        self.owner.handle_frame(self.now, &vm1(), frame, &mut self.out);
        self.keep_ask();
    }

    /// What the source was told since: what for, what is durable, and what is next.
    fn told(&mut self) -> Vec<(CursorsKind, Option<u64>, Option<u64>)> {
        let told = self.out.drain(..).filter_map(|output| match output {
            Output::Send(_, Message::Cursors(Cursors { kind, files, .. })) => {
                Some((kind, files[0].durable, files[0].next))
            }
            _ => None,
        });
        told.collect()
    }
}

#[test]
fn nothing_is_acknowledged_before_it_is_durable() {
    let mut pair = Pair::new(1_000);
    pair.frame((0, 10), b"ab");
    pair.tick(50);
    assert_eq!(pair.told(), []);
    // It arrives while the record is on its way, and comes into the next one.
    pair.frame((10, 20), b"c");
    pair.answer();
    assert_eq!(pair.told(), [(CursorsKind::Acknowledged, Some(10), Some(20))]);
    pair.tick(50);
    pair.answer();
    assert_eq!(pair.told(), [(CursorsKind::Acknowledged, Some(20), Some(20))]);
    assert_eq!(entries::<Entry>(&pair.log).unwrap().len(), 2);
}

#[test]
fn what_does_not_begin_at_the_cursor_is_told_the_cursor() {
    let mut pair = Pair::new(1_000);
    pair.frame((0, 10), b"ab");
    pair.frame((0, 10), b"ab");
    pair.frame((5, 15), b"b");
    pair.frame((20, 30), b"d");
    let told = pair.told();
    assert_eq!(told[0], (CursorsKind::Acknowledged, None, Some(10)), "a duplicate");
    assert_eq!(told[1..], [(CursorsKind::Rewind, None, Some(10)); 2]);
    pair.tick(50);
    pair.answer();
    let entry = entries::<Entry>(&pair.log).unwrap().remove(0);
    assert!(matches!(entry, Entry::Record(record) if record.sums == [(0, vec![b"ab".to_vec()])]));
}

#[test]
fn without_room_deltas_wait_and_that_is_told() {
    let mut pair = Pair::new(20);
    pair.frame((0, 10), b"abcd");
    pair.frame((10, 20), b"efghij");
    assert!(pair.owner.weight() <= 20);
    let is_full = |output: &Output| matches!(output, Output::Note(Note::Full(..)));
    assert!(pair.out.iter().any(is_full));
    assert_eq!(pair.told(), [(CursorsKind::Full, None, Some(10))]);
}

#[test]
fn sums_that_cannot_be_read_are_not_counted() {
    let mut pair = Pair::new(1_000);
    pair.frame((0, 10), &[0, 1]);
    let is_bad = |output: &Output| matches!(output, Output::Note(Note::BadSums(..)));
    assert!(pair.out.iter().any(is_bad));
    assert_eq!((pair.told(), pair.owner.weight()), (Vec::new(), 0));
}

/// The files of a member whose disk will not come back end with a gap, and hold nothing back.
#[test]
fn a_forgotten_member_ends_with_a_gap() {
    let mut pair = Pair::new(1_000);
    pair.frame((0, 10), b"ab");
    pair.tick(50);
    pair.answer();
    pair.owner.handle_job(pair.now, job(SourceState::Forgotten), &mut pair.out);
    pair.tick(50);
    pair.answer();
    let Some(Entry::Record(record)) = entries::<Entry>(&pair.log).unwrap().pop() else {
        panic!("no record");
    };
    assert!(record.cursors[0].1.is_finished);
    let is_gap = |row: &Row| match row {
        Row::Gap(gap) => gap.from == 10 && gap.reason == GapReason::Forgotten,
        Row::Sum { .. } | Row::List { .. } | Row::Closed(_) => false,
    };
    assert!(record.rows.iter().any(is_gap));
}

/// Rows are dropped once the sink has them, and nobody else says so.
#[test]
fn rows_are_taken_by_the_owner_of_the_sink_alone() {
    let mut pair = Pair::new(1_000);
    pair.frame((0, 10), b"ab");
    pair.owner.handle_job(pair.now, job(SourceState::Forgotten), &mut pair.out);
    pair.tick(50);
    pair.answer();
    let known = |pair: &Pair| (pair.owner.state.first_row, pair.owner.state.rows.len());
    let (first, count) = known(&pair);
    assert!(first == 0 && count > 0);
    let stranger = Name::new("vm2").unwrap();
    pair.owner.handle_rows_taken(pair.now, &stranger, (EPOCH, 1), &mut pair.out);
    assert_eq!(known(&pair), (0, count));
    pair.owner.handle_rows_taken(pair.now, &vm1(), (EPOCH, 1), &mut pair.out);
    assert_eq!(known(&pair), (1, count - 1));
}

/// A doubtful append makes the owner forget all, and read the log: here it had arrived.
#[test]
fn after_a_doubtful_append_the_log_says_what_counts() {
    let mut pair = Pair::new(1_000);
    pair.frame((0, 10), b"ab");
    pair.tick(50);
    let ask = pair.asked.clone().unwrap();
    if let StoreOperation::Append { bytes, .. } = &ask.operation {
        pair.log.extend_from_slice(bytes);
    }
    pair.owner.handle_store(pair.now, ask.id, StoreAnswer::Unknown, &mut pair.out);
    assert!(!pair.owner.is_open());
    pair.owner.handle_hello(&vm1(), None, &mut pair.out);
    pair.tick(1_000);
    pair.answer();
    pair.answer();
    assert_eq!(pair.told(), [(CursorsKind::All, Some(10), Some(10))]);
}

/// A source with many files hears of them in several messages, and asks for each.
#[test]
fn a_hello_is_answered_in_parts() {
    let mut pair = Pair::new(1_000);
    for key in 0..7 {
        pair.frame_of(FileKey(key), (0, 10), b"a");
    }
    let settings = Settings { told: 3, ..Settings::default() };
    pair.owner.settings = Arc::new(settings);
    let (mut after, mut heard) = (None, Vec::new());
    loop {
        pair.out.clear();
        pair.owner.handle_hello(&vm1(), after, &mut pair.out);
        let Some(Output::Send(_, Message::Cursors(cursors))) = pair.out.pop_front() else {
            panic!("no answer");
        };
        assert_eq!((cursors.kind, cursors.after), (CursorsKind::All, after));
        heard.extend(cursors.files.iter().map(|told| told.file.0));
        after = cursors.files.last().map(|told| told.file);
        if !cursors.has_more {
            break;
        }
    }
    assert_eq!(heard, [0, 1, 2, 3, 4, 5, 6]);
}

/// A job that is cancelled closes all its windows with a last record, and takes nothing more.
#[test]
fn a_cancelled_job_has_a_last_record() {
    let mut pair = Pair::new(1_000);
    pair.frame((0, 10), b"ab");
    let cancelled = Job { is_cancelled: true, ..(*job(SourceState::Live)).clone() };
    pair.owner.handle_job(pair.now, Arc::new(cancelled), &mut pair.out);
    pair.keep_ask();
    assert_eq!(pair.told(), []);
    pair.answer();
    let Some(Entry::Record(record)) = entries::<Entry>(&pair.log).unwrap().pop() else {
        panic!("no record");
    };
    assert!(record.is_last && record.closed == [(0, 0)] && record.rows.len() == 1);
    let ends = |output: &Output| match output {
        Output::Send(_, Message::Rows(rows)) => rows.end,
        _ => None,
    };
    assert_eq!(pair.out.iter().find_map(ends), Some(1));
    let log = pair.log.clone();
    pair.frame((10, 20), b"c");
    pair.tick(5_000);
    assert!(pair.log == log && pair.asked.is_none());
}

/// A window beyond its limits writes nothing more, and is told with its name.
#[test]
fn a_window_beyond_its_limits_is_told() {
    let mut pair = Pair::new(1_000);
    pair.frame((0, 10), b"ab");
    pair.frame((10, 20), b"!");
    let is_told = |output: &Output| match output {
        Output::Note(Note::Stopped(_, _, reason)) => reason == "a window has an exclamation",
        _ => false,
    };
    assert!(pair.out.iter().any(is_told) && pair.owner.has_ended());
    pair.tick(5_000);
    assert!(pair.log.is_empty() && pair.asked.is_none());
}

/// The memory of a member is shared by all its partitions.
#[test]
fn a_member_without_room_lets_deltas_wait() {
    let mut pair = Pair::new(1_000);
    pair.owner.set_room(20);
    pair.frame((0, 10), b"abcd");
    pair.frame((10, 20), b"ef");
    assert_eq!(pair.told(), [(CursorsKind::Full, None, Some(10))]);
    assert!(pair.owner.room() == 4 && pair.owner.status().is_full);
    pair.owner.set_room(20);
    pair.frame((10, 20), b"ef");
    assert!(pair.owner.room() == 12 && !pair.owner.status().is_full);
}

/// A part that never had a key is as far as its sources, and no window waits for anybody.
#[test]
fn without_windows_a_part_is_as_far_as_its_sources() {
    let mut pair = Pair::new(1_000);
    assert_eq!(pair.owner.status().watermark, None, "nobody has spoken");
    let speak = |frame: &mut Frame| (frame.deltas, frame.presence) = (Vec::new(), Some(700));
    pair.send(FileKey(9), (0, 0), b"", speak);
    assert_eq!(pair.owner.status().watermark, Some(700));
    // This window of 0 to 100 ms is not closed before that is written down.
    pair.send(FileKey(9), (0, 10), b"a", |frame| frame.deltas[0].watermark = 800);
    let watermark = pair.owner.status().watermark;
    assert_eq!(watermark, None);
    pair.tick(50);
    pair.answer();
    assert_eq!(pair.owner.status().watermark, Some(700));
}

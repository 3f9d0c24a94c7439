//! Tests of a source: how it cuts ranges, hears of cursors in parts, and says how far it is.

mod dropped;

use super::*;
use crate::ids::{FileKey, MemberId};
use crate::message::{Part, ToldCursor};
use crate::status::Lag;
use crate::table::Assignment;
use crate::table::testing::quick_spec;
use memberd_membership::{Incarnation, Name};

const FILE: FileKey = FileKey(7);
const EPOCH: Epoch = Epoch { term: 1, number: 1 };
const JOB: JobId = JobId(1);

fn job() -> Arc<Job> {
    let spec = quick_spec("shop");
    let owner = MemberId { name: Name::new("vm1").unwrap(), incarnation: Incarnation(1) };
    let stages = [(Stage::Partition(Partition(0)), Assignment { owner, epoch: EPOCH })];
    Arc::new(Job { stages: stages.into(), ..Job::new(spec) })
}

/// A source, and what it said last.
struct Pair {
    source: Source,
    now: Now,
    out: VecDeque<Output>,
}

impl Pair {
    fn new() -> Pair {
        let settings = Settings { delta_bytes: 1_000, ..Settings::default() };
        let source = Source::new(Arc::new(settings), JOB, job());
        Pair { source, now: Now { boot_ms: 1, wall_ms: 5_000 }, out: VecDeque::new() }
    }

    fn look(&mut self, end: u64) {
        let seen = SeenFile { key: FILE, first: 0, lost_below: 0, end, is_finished: false };
        let look = Look { began_ms: self.now.wall_ms, files: vec![seen], former: Vec::new() };
        self.out.clear();
        self.source.handle_look(self.now, &look, &mut self.out);
    }

    fn cursors(&mut self, kind: CursorsKind, after: Option<FileKey>, told: &[(u128, u64)]) {
        self.cursors_from("vm1", (kind, after), told);
    }

    fn cursors_from(
        &mut self,
        from: &str,
        (kind, after): (CursorsKind, Option<FileKey>),
        told: &[(u128, u64)],
    ) {
        let from = Name::new(from).unwrap();
        let told = told.iter().map(|(file, at)| ToldCursor {
            file: FileKey(*file),
            start: 0,
            durable: Some(*at),
            next: Some(*at),
            is_finished: false,
            is_gone: false,
        });
        let (files, partition) = (told.collect(), Partition(0));
        // Of file 7 all is said: it is the last one.
        let has_more = kind == CursorsKind::All && after.is_none();
        let (job, epoch, dropped_at) = (JOB, EPOCH, 0);
        let cursors = Cursors { job, partition, epoch, kind, after, has_more, dropped_at, files };
        self.source.handle_cursors(self.now, &from, &cursors, &mut self.out);
    }

    fn greet(&mut self) {
        self.cursors(CursorsKind::All, None, &[(3, 0)]);
        self.cursors(CursorsKind::All, Some(FileKey(3)), &[(7, 0)]);
    }

    fn asked(&self) -> FoldAsk {
        let ask = self.out.iter().rev().find_map(|output| match output {
            Output::Fold(ask) => Some(ask.clone()),
            _ => None,
        });
        ask.unwrap()
    }
}

/// The second part of an answer is asked for, and nothing is read before it is there.
#[test]
fn cursors_in_parts_are_asked_for_one_by_one() {
    let mut pair = Pair::new();
    pair.look(4_000);
    pair.cursors(CursorsKind::All, Some(FileKey(9)), &[(7, 0)]);
    assert!(!pair.source.all_heard, "nobody asked for that");
    pair.cursors(CursorsKind::All, None, &[(3, 0)]);
    let after = pair.out.iter().rev().find_map(|output| match output {
        Output::Send(_, Message::Hello { after, .. }) => Some(*after),
        _ => None,
    });
    assert_eq!(after, Some(Some(FileKey(3))));
    assert!(!pair.source.all_heard);
    pair.cursors(CursorsKind::All, Some(FileKey(3)), &[(7, 0)]);
    assert!(pair.source.all_heard);
    assert_eq!(pair.asked().ranges[0].from, 0);
}

/// What is durable is said by the owner in the table, and by nobody else.
#[test]
fn cursors_of_another_member_say_nothing() {
    let mut pair = Pair::new();
    pair.look(4_000);
    pair.cursors_from("vm2", (CursorsKind::All, None), &[(7, 4_000)]);
    assert!(!pair.source.all_heard);
    pair.greet();
    pair.cursors_from("vm2", (CursorsKind::Acknowledged, None), &[(7, 4_000)]);
    assert_eq!(pair.source.released(FILE), 0);
    pair.cursors(CursorsKind::Acknowledged, None, &[(7, 4_000)]);
    assert_eq!(pair.source.released(FILE), 4_000);
}

/// A range whose sums are too large is read in halves, until they fit; then in larger ones again.
#[test]
fn a_range_with_too_large_sums_is_cut() {
    let mut pair = Pair::new();
    pair.greet();
    pair.look(4_000);
    let mut lengths = Vec::new();
    for _ in 0..6 {
        let ask = pair.asked();
        let range = &ask.ranges[0];
        let length = range.to - range.from;
        lengths.push((range.from, length));
        let sums = vec![0; usize::try_from(length).unwrap()];
        let parts = BTreeMap::from([(Partition(0), vec![Part { window: 0, lines: 1, sums }])]);
        let folded = Folded { to: range.to, newest: None, uncounted: 0, parts };
        pair.source.handle_folded(pair.now, ask.number, &[Some(folded)], &mut pair.out);
        let sent = pair.source.routes[0].places[&FILE].sent;
        pair.cursors(CursorsKind::Acknowledged, None, &[(7, sent)]);
        pair.now.boot_ms += 100;
        pair.source.handle_timeout(pair.now, &mut pair.out);
    }
    assert_eq!(lengths[..4], [(0, 4_000), (0, 2_000), (0, 1_000), (0, 500)]);
    assert_eq!(lengths[4..], [(500, 1_000), (500, 500)]);
}

#[test]
fn the_lag_is_what_is_not_durable() {
    let mut pair = Pair::new();
    pair.look(4_000);
    assert_eq!(pair.source.lag(pair.now), None, "no owner has said anything");
    pair.greet();
    pair.now.wall_ms += 700;
    pair.cursors(CursorsKind::Acknowledged, None, &[(7, 4_000)]);
    assert_eq!(pair.source.lag(pair.now), Some(Lag::default()));
    pair.look(4_000);
    pair.now.wall_ms += 100;
    pair.look(4_300);
    pair.now.wall_ms += 50;
    assert_eq!(pair.source.lag(pair.now), Some(Lag { bytes: 300, ms: 150 }));
}

/// A slow disk takes longer for a range than a source waits before it asks again.
#[test]
fn sums_count_however_late_they_come() {
    let mut pair = Pair::new();
    pair.look(4_000);
    pair.greet();
    let first = pair.asked();
    for _ in 0..30 {
        pair.now.boot_ms += 1_000;
        pair.look(4_000);
        pair.greet();
    }
    pair.out.clear();
    let sums = vec![Part { window: 0, lines: 1, sums: vec![1] }];
    let folded = Folded { to: 4_000, parts: [(Partition(0), sums)].into(), ..Folded::default() };
    pair.source.handle_folded(pair.now, first.number, &[Some(folded.clone())], &mut pair.out);
    let has_sent =
        |pair: &Pair| pair.out.iter().any(|it| matches!(it, Output::Send(_, Message::Frame(_))));
    assert!(has_sent(&pair), "{:?}", pair.out);
    pair.out.clear();
    pair.source.handle_folded(pair.now, first.number, &[Some(folded)], &mut pair.out);
    assert!(!has_sent(&pair), "once");
}

/// Logs may rotate faster than they are counted: a new one is as far as the look before it.
#[test]
fn a_new_file_holds_no_window_of_before() {
    let mut pair = Pair::new();
    pair.cursors(CursorsKind::All, None, &[(3, 0)]);
    pair.cursors(CursorsKind::All, Some(FileKey(3)), &[]);
    let before = Look { began_ms: pair.now.wall_ms, ..Look::default() };
    pair.source.handle_look(pair.now, &before, &mut pair.out);
    pair.now.wall_ms += 1_000;
    pair.look(0);
    let frames = pair.out.iter().filter_map(|output| match output {
        Output::Send(_, Message::Frame(frame)) => Some(frame),
        _ => None,
    });
    let mut deltas = frames.flat_map(|frame| &frame.deltas).filter(|delta| delta.file == FILE);
    let announced = deltas.next().unwrap();
    let lateness_ms = pair.source.job.spec.lateness_ms;
    assert_eq!(announced.watermark, before.began_ms - lateness_ms);
}

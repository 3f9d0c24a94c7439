//! Tests of a sink with lists: when it writes them, whom it asks, and what it does without room.

use super::*;
use crate::ids::MemberId;
use crate::list::list_bytes;
use crate::message::Rows;
use crate::record::Row;
use crate::store::{At, StoreOperation};
use crate::sums::SumRow;
use crate::table::Assignment;
use crate::table::testing::quick_spec;
use memberd_membership::Incarnation;

const EPOCH: Epoch = Epoch { term: 1, number: 2 };
const JOB: JobId = JobId(1);

fn vm1() -> Name {
    Name::new("vm1").unwrap()
}

/// A job of two partitions, whose windows are 100 ms.
fn job() -> Job {
    let owner = MemberId { name: vm1(), incarnation: Incarnation(1) };
    let stages = [Stage::Sink, Stage::Partition(Partition(0)), Stage::Partition(Partition(1))];
    let stages = stages.map(|stage| (stage, Assignment { owner: owner.clone(), epoch: EPOCH }));
    let spec = crate::table::JobSpec { partitions: 2, ..quick_spec("shop") };
    Job { stages: stages.into(), ..Job::new(spec) }
}

/// The rows of a window: each a key and what it has, of which the most come first.
fn list(window: i64, rows: &[(&str, u8)]) -> Row {
    let row = |(key, count): &(&str, u8)| SumRow {
        key: key.as_bytes().to_vec(),
        values: count.to_string().into_bytes(),
        ranks: vec![key.as_bytes().to_vec(), vec![255 - count]],
    };
    Row::List { window, rows: list_bytes(rows.iter().map(row).collect()) }
}

/// A sink, its files, and what it said since.
struct Pair {
    sink: Sink,
    now: Now,
    files: BTreeMap<JobFile, Vec<u8>>,
    asked: Vec<(Partition, i64)>,
    notes: Vec<Note>,
    next: BTreeMap<Partition, u64>,
}

impl Pair {
    fn new(settings: &Settings) -> Pair {
        let settings = Settings { retry_ms: 1_000, ..settings.clone() };
        let steps = vec![OrderStep::Top(2)];
        let sink = Sink::new(Arc::new(settings), JOB, EPOCH, Arc::new(job()), steps);
        let now = Now { boot_ms: 1, wall_ms: 0 };
        let (files, next) = (BTreeMap::new(), BTreeMap::new());
        let mut pair = Pair { sink, now, files, asked: Vec::new(), notes: Vec::new(), next };
        pair.tick(0);
        pair
    }

    fn tick(&mut self, ms: u64) {
        self.now.boot_ms += ms;
        self.give(Sink::handle_timeout);
    }

    /// The store answers at once.
    fn give(&mut self, input: impl FnOnce(&mut Sink, Now, &mut VecDeque<Output>)) {
        let mut out = VecDeque::new();
        input(&mut self.sink, self.now, &mut out);
        while let Some(output) = out.pop_front() {
            match output {
                Output::Store(ask) => {
                    let about = (ask.id, ask.file);
                    let answer = self.answer(ask);
                    self.sink.handle_store(self.now, about, answer, &mut out);
                }
                Output::Send(_, Message::AskClosed { partition, until, .. }) => {
                    self.asked.push((partition, until));
                }
                Output::Note(note) => self.notes.push(note),
                Output::Send(..) | Output::Fold(_) => {}
            }
        }
    }

    fn answer(&mut self, ask: StoreAsk) -> StoreAnswer {
        let bytes = self.files.entry(ask.file).or_default();
        let at = |bytes: &[u8]| At { version: bytes.len() as u64, length: bytes.len() as u64 };
        match ask.operation {
            StoreOperation::Read { from } => {
                let from = usize::try_from(from).unwrap();
                return StoreAnswer::Bytes(at(bytes), bytes[from..].to_vec());
            }
            StoreOperation::Append { bytes: more, .. } => bytes.extend(more),
            StoreOperation::Replace { bytes: all, .. } => *bytes = all,
            StoreOperation::Create { .. } | StoreOperation::Fence { .. } => {}
        }
        StoreAnswer::Done(at(bytes))
    }

    /// The next rows of a partition, and time for a commit.
    fn rows(&mut self, partition: u16, rows: Vec<Row>) {
        let partition = Partition(partition);
        let from = self.next.get(&partition).copied().unwrap_or(0);
        self.next.insert(partition, from + rows.len() as u64);
        let rows = Rows { job: JOB, partition, epoch: EPOCH, from, rows, end: None };
        self.give(|sink, now, out| sink.handle_rows(now, &vm1(), &rows, out));
        self.tick(100);
    }

    fn text(&self) -> String {
        String::from_utf8(self.files[&JobFile::Sink(JOB)].clone()).unwrap()
    }

    /// Another sink reads the log.
    fn restart(&mut self) {
        let Pair { sink, now, files, next, .. } = self;
        let mut pair = Pair::new(&sink.settings);
        (pair.files, pair.next, pair.now) = (files.clone(), next.clone(), *now);
        let (settings, steps) = (Arc::clone(&pair.sink.settings), vec![OrderStep::Top(2)]);
        pair.sink = Sink::new(settings, JOB, EPOCH, Arc::new(job()), steps);
        *self = pair;
        self.tick(0);
    }
}

/// A partition without rows in a window is asked, and a late line makes all rows again.
#[test]
fn a_list_waits_for_all_partitions_and_comes_again() {
    let mut pair = Pair::new(&Settings::default());
    pair.rows(0, vec![list(0, &[("a", 3), ("b", 2)]), Row::Closed(130)]);
    assert_eq!((pair.text().as_str(), &pair.asked[..]), ("", &[(Partition(1), 100)][..]));
    pair.tick(1_000);
    assert_eq!(pair.asked, [(Partition(1), 100), (Partition(1), 100)], "it is asked again");
    pair.restart();
    assert_eq!(pair.asked, [(Partition(1), 100)], "the new one has the list, and asks too");
    pair.rows(1, vec![Row::Closed(120)]);
    let first = "0\t1970-01-01T00:00:00Z\ta\t3\t0\n1\t1970-01-01T00:00:00Z\tb\t2\t0\n";
    assert_eq!(pair.text(), first);
    pair.restart();
    pair.rows(1, vec![list(0, &[("c", 2)])]);
    assert_eq!(pair.text(), first, "b comes before c, so nothing has changed");
    pair.rows(1, vec![list(0, &[("c", 9)])]);
    let second = "2\t1970-01-01T00:00:00Z\tc\t9\t1\n3\t1970-01-01T00:00:00Z\ta\t3\t1\n";
    assert_eq!(pair.text(), format!("{first}{second}"));
    pair.rows(0, vec![Row::Closed(1_100)]);
    assert_ne!(pair.sink.lists_bytes(), 0);
    pair.rows(1, vec![Row::Closed(1_100)]);
    assert_eq!(pair.sink.lists_bytes(), 0, "all have given the window up");
}

/// The sink says why it stops, and has its last line.
#[test]
fn lists_without_room_stop_the_job_with_their_name() {
    let little = Settings { lists_bytes: 200, ..Settings::default() };
    let short = Settings { text_bytes: 50, ..Settings::default() };
    for (settings, reason) in [
        (
            little,
            "windows that late lines may change have rows of more than 200 bytes; use a \
          smaller top, or a shorter retain",
        ),
        (short, "behind top or sort a window has lines of more than 50 bytes; use a smaller top"),
    ] {
        let mut pair = Pair::new(&settings);
        pair.rows(0, vec![list(0, &[("a", 3)]), Row::Closed(130)]);
        pair.rows(1, vec![list(0, &[("b", 2)]), Row::Closed(130)]);
        let stopped = Note::Stopped(JOB, Stage::Sink, reason.to_owned());
        assert_eq!(pair.notes.last(), Some(&stopped));
        let job = Job { stopped: Some(reason.to_owned()), ..job() };
        pair.give(|sink, now, out| sink.handle_job(now, Arc::new(job), out));
        assert_eq!(pair.text(), format!("# stopped 0 {reason}\n"));
        assert!(pair.sink.is_finished());
    }
}

/// A row with other ranks cannot be ordered.
#[test]
fn a_list_that_cannot_be_read_is_not_taken() {
    let mut pair = Pair::new(&Settings::default());
    let rank = SumRow { key: vec![], values: vec![], ranks: vec![vec![]] };
    pair.rows(0, vec![Row::List { window: 0, rows: list_bytes(vec![rank]) }]);
    assert!(matches!(pair.notes.last(), Some(Note::BadSums(..))), "{:?}", pair.notes);
    assert!(pair.sink.state.cursors.is_empty());
}

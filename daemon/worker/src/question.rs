//! Answers one question. It owns the sums of each thread.

use crate::descriptors;
use crate::fold::fold;
use crate::follow::follow;
use crate::output::FoldOutput;
use crate::protocol::{Answer, Batch, Counts, Question, Reads};
use crate::serve::Entry;
use crate::tables::{NoTable, TableLease, Tables};
use crate::teller::Teller;
use memberd_control::frame::read_frame;
use memberd_control::grep::{GrepBinary, GrepPrinting};
use memberd_search::{HandedFile, MemoryBudget, Plan, Query, Search, Totals, Window, Zone};
use memberd_streams::{Fold, Full, Limits};
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::num::NonZero;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

/// How long a pattern waits for memory before it is compiled.
const MEMORY_LIMIT: Duration = Duration::from_secs(5);

/// The most threads of one question.
const MAX_THREADS: u16 = 8;

/// What all questions share.
#[derive(Debug, Clone)]
pub(crate) struct Resources {
    /// The memory of searches.
    pub(crate) memory: MemoryBudget,
    /// The memory of sums.
    pub(crate) tables: Tables,
    /// The memory of sums of what is followed.
    pub(crate) follows: Tables,
}

impl Default for Resources {
    fn default() -> Resources {
        let (memory, tables) = (MemoryBudget::default(), Tables::default());
        Resources { memory, tables, follows: Tables::of_follows() }
    }
}

/// Why there are no sums.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// It cannot be answered, for this reason: one line.
    #[error("{0}")]
    Refused(String),
    /// Nobody waits for the answer any more.
    #[error("nobody waits for the answer")]
    Gone,
}

impl From<memberd_search::Stopped> for Unanswered {
    fn from(_: memberd_search::Stopped) -> Unanswered {
        Unanswered::Gone
    }
}

/// Answers it, and tells the end. Before that it leaves its place, so that who asks one question
/// after the other always has one.
pub(crate) fn answer(
    (question, place): (Question, Entry),
    stream: &UnixStream,
    teller: &Teller,
    resources: &Resources,
) {
    let last = match question.reads {
        Reads::Written => {
            follow(&question, stream, teller, &resources.follows).map(|never| match never {})
        }
        Reads::Files => teller.while_at_work(|| count(question, stream, teller, resources)),
        Reads::Ranges => teller.while_at_work(|| fold(question, stream, teller, resources)),
    };
    drop(place);
    // Whoever has gone hears nothing.
    let _ = match last {
        Ok(counts) => teller.tell(&Answer::Done(counts)),
        Err(Unanswered::Refused(reason)) => teller.tell(&Answer::Refused(reason)),
        Err(Unanswered::Gone) => Ok(()),
    };
}

/// A question that was checked.
pub(crate) struct Checked {
    pub(crate) member: String,
    pub(crate) search: Search,
    pub(crate) plan: Arc<memberd_streams::Plan>,
    pub(crate) line_end: u8,
    how: Plan,
    limits: Limits,
}

fn count(
    question: Question,
    stream: &UnixStream,
    teller: &Teller,
    resources: &Resources,
) -> Result<Counts, Unanswered> {
    let plan = plan(&question.query).map_err(Unanswered::Refused)?;
    let room = room(&question, &plan, &resources.tables)?;
    let is_all = question.bytes == 0 || (room.bytes as u64) < question.bytes;
    let too_large = |full| too_large(full, is_all);
    let (threads, bytes) = (room.threads, room.bytes);
    let checked =
        check(question, plan, threads, bytes, &resources.memory).map_err(Unanswered::Refused)?;
    let zone = Zone::local();
    let mut outputs: Vec<FoldOutput<'_>> = (0..threads)
        .map(|_| {
            let fold = Fold::new(Arc::clone(&checked.plan), &checked.member, checked.limits);
            FoldOutput::new(fold, checked.line_end, &zone, teller)
        })
        .collect();
    let mut counts = Counts::default();
    let search = checked.search.apart(teller.over());
    // Backtracking that has taken all its time has told so, and is an error.
    while !search.has_ended() {
        teller.tell(&Answer::More)?;
        let (files, unusable) = receive(stream)?;
        if files.is_empty() && unusable.is_empty() {
            break;
        }
        counts.errors += unusable.len() as u64;
        for words in unusable {
            teller.message(words)?;
        }
        let totals = search.run(&checked.how, &files, &mut outputs);
        add(&mut counts, &totals);
        if let Some(full) = outputs.iter().find_map(FoldOutput::full) {
            return Err(too_large(full));
        }
        if totals.interrupted {
            return Err(Unanswered::Gone);
        }
    }
    counts.errors += outputs.iter().map(FoldOutput::too_long).sum::<u64>();
    for partial in sums(outputs).map_err(too_large)? {
        teller.tell(&Answer::Partial(partial))?;
    }
    Ok(counts)
}

/// The sums of all threads together, in parts.
fn sums(outputs: Vec<FoldOutput<'_>>) -> Result<impl Iterator<Item = Vec<u8>>, Full> {
    let mut folds = outputs.into_iter().map(FoldOutput::into_fold);
    let mut all = folds.next();
    if let Some(all) = &mut all {
        folds.try_for_each(|fold| all.merge(fold))?;
    }
    Ok(all.into_iter().flat_map(Fold::into_partials))
}

/// What is said of groups that do not fit. `is_all` says that there was no more memory for them.
pub(crate) fn too_large(full: Full, is_all: bool) -> Unanswered {
    Unanswered::Refused(match full {
        Full::Bytes(bytes) if is_all => format!(
            "the groups need more than {bytes} bytes, which is all that its worker has for this \
            question: group by less"
        ),
        full => full.to_string(),
    })
}

fn add(counts: &mut Counts, totals: &Totals) {
    counts.files += totals.files;
    counts.bytes += totals.bytes;
    counts.lines += totals.lines;
    counts.errors += totals.errors;
}

/// Compiles the query.
pub(crate) fn plan(query: &str) -> Result<memberd_streams::Plan, String> {
    let query = memberd_streams::Query::parse(query).map_err(|error| error.to_string())?;
    let plan = memberd_streams::Plan::new(&query).map_err(|error| error.to_string())?;
    // The keys of a new hasher are drawn.
    Ok(plan.with_seed(RandomState::new().build_hasher().finish()))
}

/// The room that a question has.
struct Room {
    /// How many threads it may have.
    threads: usize,
    /// The bytes of each thread's table.
    bytes: usize,
    /// All of it, with what regular expressions take.
    _lease: TableLease,
}

/// Takes the memory of a question: the tables, and beside them the regular expressions of its
/// query. If these would take more than three quarters of it, there are fewer threads.
fn room(
    question: &Question,
    plan: &memberd_streams::Plan,
    tables: &Tables,
) -> Result<Room, Unanswered> {
    let most = usize::from(question.threads.clamp(1, MAX_THREADS));
    let expressions = |threads: usize| plan.shared_bytes() + threads * plan.thread_bytes();
    // The sums of the threads are added at the end, when two tables are there in any case.
    let shares = |threads: usize| threads.next_multiple_of(2);
    let table = match usize::try_from(question.bytes).unwrap_or(usize::MAX) {
        0 => usize::MAX,
        bytes => bytes,
    };
    let wanted =
        |threads: usize| table.saturating_mul(shares(threads)).saturating_add(expressions(threads));
    let refused = |none: NoTable| Unanswered::Refused(none.to_string());
    let lease = tables.take(wanted(most)).map_err(refused)?;
    let fits = |threads: &usize| {
        wanted(*threads) <= lease.bytes() || expressions(*threads) <= lease.bytes() / 4 * 3
    };
    let threads = (1..=most).rev().find(fits).ok_or(NoTable).map_err(refused)?;
    let bytes = ((lease.bytes() - expressions(threads)) / shares(threads)).min(table);
    Ok(Room { threads, bytes, _lease: lease })
}

/// Checks the question, of which each thread may have a table of so many bytes.
pub(crate) fn check(
    question: Question,
    plan: memberd_streams::Plan,
    threads: usize,
    bytes: usize,
    memory: &MemoryBudget,
) -> Result<Checked, String> {
    let threads = NonZero::new(threads).unwrap_or(NonZero::<usize>::MIN);
    let line_end = question.pattern.line_end();
    let printing = GrepPrinting {
        no_names: true,
        no_messages: question.no_messages,
        // A line is its bytes, whatever they are.
        binary: GrepBinary::Text,
        ..GrepPrinting::default()
    };
    let search = Query { pattern: question.pattern, printing, ..Query::default() }
        .compile_in(&memory.for_search(None, false), threads, MEMORY_LIMIT)
        .map_err(|error| error.to_string())?;
    let window = Window { since: question.since, until: question.until };
    Ok(Checked {
        member: question.member,
        search,
        plan: Arc::new(plan),
        line_end,
        how: Plan { window, threads, ..Plan::default() },
        limits: Limits { groups: usize::try_from(question.groups).unwrap_or(usize::MAX), bytes },
    })
}

/// Takes the next files, and says which of them cannot be used. Neither is there at the end.
fn receive(stream: &UnixStream) -> Result<(Vec<HandedFile>, Vec<String>), Unanswered> {
    let batch: Batch = read_frame(&mut &*stream).map_err(|_| Unanswered::Gone)?;
    let paths = batch.paths();
    if paths.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let descriptors = descriptors::receive(stream, paths.len()).map_err(|_| Unanswered::Gone)?;
    let mut unusable = Vec::new();
    let mut files = Vec::with_capacity(paths.len());
    for (path, descriptor) in paths.into_iter().zip(descriptors) {
        match HandedFile::new(path.clone(), File::from(descriptor)) {
            Ok(file) => files.push(file),
            Err(error) => unusable.push(format!("{}: {error}", path.display())),
        }
    }
    Ok((files, unusable))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room_of(query: &str, bytes: u64, threads: u16, tables: &Tables) -> Room {
        let question = Question { bytes, threads, ..Question::default() };
        room(&question, &plan(query).unwrap(), tables).unwrap()
    }

    /// The memory of regular expressions is taken with that of tables, and is not all of it.
    #[test]
    fn regular_expressions_take_room_of_the_tables() {
        let (tables, mebibyte) = (Tables::default(), 1 << 20);
        let room = room_of("x | count", 0, 2, &tables);
        assert_eq!((room.threads, room.bytes), (2, 64 * mebibyte));
        drop(room);
        assert_eq!(room_of("x | count", 100, 2, &tables).bytes, 100);
        let regex = "| regex '(?P<a>\\w+) (?P<b>\\S+)' ".repeat(8);
        let query = format!("{regex} | count by a");
        let memory = plan(&query).unwrap();
        let room = room_of(&query, 0, 8, &tables);
        let taken = memory.shared_bytes() + room.threads * memory.thread_bytes();
        assert!(room.threads < 8 && taken <= 96 * mebibyte, "{} {taken}", room.threads);
        let shares = room.threads.next_multiple_of(2);
        assert_eq!(room.bytes, (128 * mebibyte - taken) / shares);
        drop(room);
        // All that is asked for is there beside them.
        let room = room_of(&query, 100, 2, &tables);
        assert_eq!((room.threads, room.bytes), (2, 100));
    }
}

//! The budget of memory: who waits, for whom, and for how long.

use super::*;
use std::sync::mpsc::channel;
use std::thread;

static RUNNING: AtomicBool = AtomicBool::new(false);

const LONG: Duration = Duration::from_secs(60);

fn take(budget: &MemoryBudget, share: Share, bytes: usize) -> Result<Lease, NoMemory> {
    budget.take(share, bytes, Duration::ZERO, &RUNNING)
}

#[test]
fn what_is_taken_is_given_back() {
    let budget = MemoryBudget::default();
    let all = budget.bytes_of(Share::Start);
    let mut lease = take(&budget, Share::Start, all).unwrap();
    assert_eq!((budget.used_bytes(), budget.refused()), (all, 0));
    assert_eq!(take(&budget, Share::Start, 1).unwrap_err(), NoMemory::Taken { seconds: 0 });
    lease.shrink(MEBIBYTE);
    drop(take(&budget, Share::Start, all - MEBIBYTE).unwrap());
    drop(lease);
    assert_eq!((budget.used_bytes(), budget.refused()), (0, 1));
}

/// However much the others have taken.
#[test]
fn each_share_is_there_for_itself() {
    let budget = MemoryBudget::default();
    let shares = [Share::Start, Share::Early, Share::Window, Share::Line, Share::Match];
    let leases: Vec<Lease> =
        shares.map(|share| take(&budget, share, budget.bytes_of(share)).unwrap()).into();
    assert_eq!(budget.used_bytes(), budget.limit_bytes());
    for share in shares {
        take(&budget, share, 1).unwrap_err();
    }
    drop(leases);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn what_can_never_be_there_is_refused_at_once() {
    let budget = MemoryBudget::new(0);
    let never = budget.bytes_of(Share::Start) + 1;
    let refused = budget.take(Share::Start, never, LONG, &RUNNING).unwrap_err();
    let words = "it needs 49 MiB of memory, for which limits.search_memory must be 161MiB or more";
    assert_eq!(refused.to_string(), words);
    let mut line = take(&budget, Share::Line, LINE_BYTES).unwrap();
    line.outgrow(usize::MAX, LONG, &RUNNING).unwrap_err();
}

/// A window may have the whole budget but for what a search needs at its start. The setting that a
/// refusal names is enough, and no smaller one is.
#[test]
fn a_window_is_bounded_by_the_budget() {
    let window = 256 * MEBIBYTE;
    let refused = |mebibytes: usize| {
        let budget = MemoryBudget::new(mebibytes * MEBIBYTE);
        let _start = take(&budget, Share::Start, 5 * MEBIBYTE).unwrap();
        budget.take(Share::Window, window, LONG, &RUNNING).err()
    };
    let never = NoMemory::Never { mebibytes: 256, setting: 304 };
    assert_eq!([refused(216), refused(303), refused(304)], [Some(never), Some(never), None]);
}

/// A small lease does not pass a large one that has waited for longer.
#[test]
fn who_came_first_is_served_first() {
    let budget = MemoryBudget::default();
    let all = budget.bytes_of(Share::Start);
    let (first, second) = (
        take(&budget, Share::Start, all / 2).unwrap(),
        take(&budget, Share::Start, all / 2).unwrap(),
    );
    let (served, order) = channel();
    thread::scope(|scope| {
        for (name, bytes, line) in [("large", all, 1), ("small", MEBIBYTE, 2)] {
            let (budget, served) = (&budget, served.clone());
            scope.spawn(move || {
                let lease = budget.take(Share::Start, bytes, LONG, &RUNNING).unwrap();
                served.send(name).unwrap();
                drop(lease);
            });
            // The next one comes once this one waits.
            while budget.state().waiting[Share::Start as usize].len() < line {
                thread::sleep(Duration::from_millis(1));
            }
        }
        drop(first);
        assert!(budget.try_take(Share::Start, 1).is_none(), "others wait for it");
        drop(second);
        assert_eq!([order.recv().unwrap(), order.recv().unwrap()], ["large", "small"]);
    });
    assert!(budget.try_take(Share::Start, all).is_some());
}

#[test]
fn who_waits_can_be_cancelled() {
    let budget = MemoryBudget::default();
    let _all = take(&budget, Share::Match, MATCH_BYTES).unwrap();
    let cancelled = AtomicBool::new(true);
    let waited = budget.take(Share::Match, 1, LONG, &cancelled);
    assert_eq!(waited.unwrap_err(), NoMemory::Cancelled);
    assert_eq!(budget.refused(), 0, "nobody was refused");
    assert!(budget.state().waiting.iter().all(VecDeque::is_empty));
}

/// It takes what the others do not use, and they wait for it.
#[test]
fn one_line_at_a_time_is_larger_than_its_share() {
    let budget = MemoryBudget::default();
    let start = take(&budget, Share::Start, 4 * MEBIBYTE).unwrap();
    let mut line = take(&budget, Share::Line, LINE_BYTES).unwrap();
    let mut other = take(&budget, Share::Line, LINE_BYTES).unwrap();
    line.outgrow(2 * LINE_BYTES, Duration::ZERO, &RUNNING).unwrap();
    assert!(other.outgrow(2 * LINE_BYTES, Duration::ZERO, &RUNNING).is_err());
    let most = budget.limit_bytes() - start.bytes() - other.bytes();
    line.outgrow(most, Duration::ZERO, &RUNNING).unwrap();
    assert_eq!(budget.used_bytes(), budget.limit_bytes());
    assert!(budget.try_take(Share::Window, 1).is_none());
    drop(line);
    other.outgrow(2 * LINE_BYTES, Duration::ZERO, &RUNNING).unwrap();
    // The share has room beside it, and a large window has what is free.
    let all = budget.bytes_of(Share::Window);
    let windows = [take(&budget, Share::Window, all), take(&budget, Share::Window, all + 1)];
    assert!(windows.iter().all(Result::is_ok));
    take(&budget, Share::Window, all + 1).unwrap_err();
    drop((other, windows));
    assert_eq!(budget.used_bytes(), start.bytes());
}

/// Searches that follow have no time limit, so whoever has many of them leaves as much to others.
/// Who waits for the rest of a source's share holds nobody up.
#[test]
fn no_source_has_all_of_the_start() {
    let budget = MemoryBudget::default();
    let follow = || budget.for_search(Some("user 1".to_owned()), true);
    let mut follows = vec![take(&follow(), Share::Start, 33 * MEBIBYTE).unwrap()];
    let refused = loop {
        match take(&follow(), Share::Start, 3 * MEBIBYTE) {
            Ok(lease) => follows.push(lease),
            Err(reason) => break reason,
        }
    };
    assert_eq!(refused, NoMemory::Shared { seconds: 0 });
    let used = budget.used_bytes();
    assert!(used <= budget.bytes_of(Share::Start) / 2 && used > 48 * MEBIBYTE, "{used}");
    let cancelled = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiting = follow();
        let cancel = &cancelled;
        let waits = scope.spawn(move || waiting.take(Share::Start, 3 * MEBIBYTE, LONG, cancel));
        while budget.state().waiting[Share::Start as usize].is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        // What ends by itself may take more, and so may other sources.
        for source in ["user 1", "user 2", "192.0.2.7"] {
            let search = budget.for_search(Some(source.to_owned()), false);
            take(&search, Share::Start, 11 * MEBIBYTE).unwrap();
        }
        cancelled.store(true, Ordering::Relaxed);
        assert_eq!(waits.join().unwrap().unwrap_err(), NoMemory::Cancelled);
    });
    drop(follows);
    assert_eq!(budget.used_bytes(), 0);
}

/// However many sources follow, a plain search finds memory. Who follows in addition is told why
/// not, and one that nobody reads ends for it.
#[test]
fn follows_of_all_sources_leave_memory_to_what_ends() {
    for bytes in [MemoryBudget::LEAST_BYTES, MemoryBudget::DEFAULT_BYTES] {
        let budget = MemoryBudget::new(bytes);
        let follow = |number: usize| budget.for_search(Some(format!("user {number}")), true);
        let mut follows = vec![take(&follow(0), Share::Start, 33 * MEBIBYTE).unwrap()];
        let refused = loop {
            match take(&follow(follows.len()), Share::Start, MEBIBYTE) {
                Ok(lease) => follows.push(lease),
                Err(reason) => break reason,
            }
        };
        assert_eq!(refused, NoMemory::Lasting { seconds: 0 });
        let all = budget.bytes_of(Share::Start);
        assert!(budget.used_bytes() > all / 2 && budget.used_bytes() <= all - all / 4);
        let plain = budget.for_search(Some("user 1".to_owned()), false);
        take(&plain, Share::Start, 9 * MEBIBYTE / 2).unwrap();
        let unread = follows[1].budget.clone();
        assert!(!unread.note_unread(), "nobody waits");
        let cancelled = AtomicBool::new(false);
        thread::scope(|scope| {
            let other = follow(1000);
            let (cancel, unread) = (&cancelled, &unread);
            let waits = scope.spawn(move || other.take(Share::Start, MEBIBYTE, LONG, cancel));
            while !unread.note_unread() {
                assert!(!waits.is_finished());
                thread::sleep(Duration::from_millis(1));
            }
            drop(follows.remove(1));
            waits.join().unwrap().unwrap();
        });
    }
}

/// Also a source of searches with a time limit, in a budget of any size.
#[test]
fn a_source_leaves_room_for_the_plain_search_of_another() {
    for bytes in [MemoryBudget::LEAST_BYTES, MemoryBudget::DEFAULT_BYTES] {
        let budget = MemoryBudget::new(bytes);
        let search = |source: &str| budget.for_search(Some(source.to_owned()), false);
        let mut leases = Vec::new();
        for bytes in [33, 33, 33, 4, 1].map(|mebibytes| mebibytes * MEBIBYTE) {
            while let Ok(lease) = take(&search("user 1"), Share::Start, bytes) {
                leases.push(lease);
            }
        }
        take(&search("user 2"), Share::Start, 9 * MEBIBYTE / 2).unwrap();
    }
}

/// Of all shares that it has, and of no other one.
#[test]
fn an_unread_search_ends_for_what_others_wait_for() {
    let budget = MemoryBudget::default();
    let unread = budget.for_search(None, false);
    let beside = budget.for_search(None, false);
    let _start = take(&beside, Share::Start, MEBIBYTE).unwrap();
    let ends_for = |wait: &(dyn Fn(&AtomicBool) + Sync)| {
        assert!(!unread.note_unread(), "nobody waits");
        let cancelled = AtomicBool::new(false);
        thread::scope(|scope| {
            let waits = scope.spawn(|| wait(&cancelled));
            while !unread.note_unread() {
                assert!(!waits.is_finished() && !beside.note_unread());
                thread::sleep(Duration::from_millis(1));
            }
            cancelled.store(true, Ordering::Relaxed);
        });
        budget.state().unread = Unread::default();
    };
    for share in [Share::Window, Share::Line, Share::Match] {
        let _held = take(&unread, share, budget.bytes_of(share)).unwrap();
        ends_for(&|cancel| drop(budget.take(share, 1, LONG, cancel)));
    }
    let mut long = take(&unread, Share::Line, LINE_BYTES).unwrap();
    long.outgrow(2 * LINE_BYTES, Duration::ZERO, &RUNNING).unwrap();
    ends_for(&|cancel| {
        let mut line = take(&budget, Share::Line, LINE_BYTES).unwrap();
        line.outgrow(2 * LINE_BYTES, LONG, cancel).unwrap_err();
    });
}

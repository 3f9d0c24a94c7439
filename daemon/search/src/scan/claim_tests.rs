//! When a task waits for memory, and when it does without.

use super::*;
use std::sync::mpsc::{SyncSender, sync_channel};

static RUNNING: AtomicBool = AtomicBool::new(false);

const XZ_6: usize = 13 * MEBIBYTE;

/// A claim, and what tells that its turn has come.
fn task(memory: &MemoryBudget) -> (Claim<'_>, SyncSender<()>) {
    let (turn, waiting) = sync_channel(1);
    (Claim::new(memory, &RUNNING, waiting), turn)
}

fn words(result: io::Result<()>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_long_line_waits_for_its_turn_and_others_do_not() {
    let memory = MemoryBudget::default();
    let (claim, turn) = task(&memory);
    claim.grow_buffer(FREE_BUFFER / 4, FREE_BUFFER * 3 / 4).unwrap();
    assert!(!claim.has_long_line());
    turn.send(()).unwrap();
    claim.grow_buffer(FREE_BUFFER, 3 * FREE_BUFFER).unwrap();
    assert!(claim.has_long_line());
    assert_eq!(memory.used_bytes(), LINE_BYTES);
    claim.grow_buffer(LINE_BYTES, 3 * LINE_BYTES).unwrap();
    assert_eq!(memory.used_bytes(), 4 * LINE_BYTES);
    drop(claim);
    assert_eq!(memory.used_bytes(), 0);
    let (claim, turn) = task(&memory);
    drop(turn);
    claim.grow_buffer(FREE_BUFFER, 3 * FREE_BUFFER).expect_err("nobody takes the output");
}

/// A task that waits for its turn has no window, since those before it could wait for that.
#[test]
fn windows_are_taken_early_only_where_nobody_in_turn_needs_them() {
    let memory = MemoryBudget::default();
    let (early, its_turn) = task(&memory);
    early.take_window(XZ_6).unwrap();
    let (other, turn) = task(&memory);
    // Its turn never comes.
    drop(turn);
    assert_eq!(words(other.take_window(XZ_6)), "cancelled");
    let (first, turn) = task(&memory);
    turn.send(()).unwrap();
    first.take_window(memory.bytes_of(Share::Window)).unwrap();
    its_turn.send(()).unwrap();
    early.give_way();
    assert_eq!(early.window.borrow().as_ref().unwrap().share(), Share::Early);
    drop(first);
    early.give_way();
    assert_eq!(early.window.borrow().as_ref().unwrap().share(), Share::Window);
}

#[test]
fn a_larger_window_takes_the_place_of_a_smaller_one() {
    let memory = MemoryBudget::default();
    let claim = Claim::alone(&memory, &RUNNING);
    for (bytes, used) in [(XZ_6, XZ_6), (MEBIBYTE, XZ_6), (2 * XZ_6, 2 * XZ_6)] {
        claim.take_window(bytes).unwrap();
        assert_eq!(memory.used_bytes(), used);
    }
    let never = memory.limit_bytes() + 1;
    assert_eq!(
        words(claim.take_window(never)),
        "needs 217 MiB of memory to be decompressed, for which limits.search_memory must be 265MiB \
        or more: the rest of the file was not searched"
    );
}

#[test]
fn a_large_window_and_a_very_long_line_are_not_together() {
    let memory = MemoryBudget::default();
    let one = Claim::alone(&memory, &RUNNING);
    let large = LARGE_WINDOW + 1;
    one.take_window(large).unwrap();
    one.take_window(large).unwrap();
    one.grow_buffer(MAX_LINE_WITH_WINDOW / 2, MAX_LINE_WITH_WINDOW).unwrap();
    let error = one.grow_buffer(MAX_LINE_WITH_WINDOW + 1, MAX_LINE_BYTES).unwrap_err();
    assert_eq!(error.downcast::<TooLong>().unwrap(), TooLong::WithWindow);
    drop(one);
    let other = Claim::alone(&memory, &RUNNING);
    other.grow_buffer(MAX_LINE_BYTES / 3, MAX_LINE_BYTES).unwrap();
    let error = other.take_window(large).unwrap_err();
    assert_eq!(error.downcast::<TooLong>().unwrap(), TooLong::WithWindow);
}

/// Who has most of the budget for a window is told at once that a line does not fit beside it.
#[test]
fn a_line_does_not_wait_for_its_own_window() {
    let memory = MemoryBudget::default();
    let claim = Claim::alone(&memory, &RUNNING);
    let rest = 6 * LINE_BYTES;
    claim.take_window(memory.limit_bytes() - rest).unwrap();
    claim.grow_buffer(FREE_BUFFER / 2, FREE_BUFFER / 2).unwrap();
    claim.grow_buffer(rest / 3, rest - rest / 3).unwrap();
    let error = claim.grow_buffer(rest / 3, rest).unwrap_err();
    assert_eq!(error.downcast::<TooLong>().unwrap(), TooLong::WithWindow);
    // Nor does a window for its own line.
    drop(claim);
    let claim = Claim::alone(&memory, &RUNNING);
    claim.grow_buffer(MAX_LINE_WITH_WINDOW, MAX_LINE_WITH_WINDOW).unwrap();
    let error = claim.take_window(memory.limit_bytes() - rest).unwrap_err();
    assert_eq!(error.downcast::<TooLong>().unwrap(), TooLong::WithWindow);
}

#[test]
fn a_file_of_a_merge_does_not_wait_for_another_of_it() {
    let memory = MemoryBudget::default();
    let leases = Rc::default();
    let claim = || Claim::of_merge(&memory, &RUNNING, &leases);
    let (one, other) = (claim(), claim());
    one.take_window(memory.bytes_of(Share::Window)).unwrap();
    assert!(words(other.take_window(2 * XZ_6)).contains("other files that are sorted by time"));
    other.take_window(XZ_6).expect("an early one");
    drop(other);
    assert!(claim().take_window(2 * XZ_6).is_err(), "the first still has it");
    drop(one);
    claim().take_window(2 * XZ_6).unwrap();
    assert_eq!(leases.get(), 0);
}

/// Many files may have lines of some hundred kilobytes, and few have lines of some mebibytes.
#[test]
fn the_lines_of_a_merge_take_as_much_as_they_need() {
    let memory = MemoryBudget::default();
    let leases = Rc::default();
    let claims: Vec<Claim<'_>> =
        (0..40).map(|_| Claim::of_merge(&memory, &RUNNING, &leases)).collect();
    let long = |bytes: usize| {
        claims.iter().filter(|claim| claim.grow_buffer(bytes, 3 * bytes).is_ok()).count()
    };
    let most = memory.bytes_of(Share::Line);
    assert_eq!(long(FREE_MERGED_BUFFER / 4), 40);
    assert_eq!(memory.used_bytes(), 0);
    assert_eq!(long(FREE_MERGED_BUFFER / 2), most / (2 * FREE_MERGED_BUFFER));
    claims.iter().for_each(Claim::shrink_buffer);
    assert_eq!((memory.used_bytes(), leases.get()), (0, 0));
    assert_eq!(long(2 * MEBIBYTE), most / LINE_BYTES);
}

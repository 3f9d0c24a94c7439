//! What a task takes of the budget of memory while it searches a file: for the window of a
//! compressed file, and for a long line, which is searched as a whole, in memory. It owns these
//! leases.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;

use crate::files::DecompressError;
use crate::line::{LONG_LINE_BYTES, MAX_JSON_LINE, MAX_LINE_BYTES};
use crate::memory::{
    LINE_BYTES, Lease, MAX_EARLY_BYTES, MEBIBYTE, MemoryBudget, NoMemory, PATIENCE, Share,
};

/// The buffer of lines that every task may have, in bytes, while it grows. It is part of what a
/// search takes at its start.
const FREE_BUFFER: usize = 512 * 1024;

/// The buffer of lines that every file of a merge may have, in bytes, while it grows.
const FREE_MERGED_BUFFER: usize = 256 * 1024;

/// A file with a larger window has no very long line beside it: together they would need more than
/// the default budget has. In bytes.
const LARGE_WINDOW: usize = MAX_EARLY_BYTES;

/// The longest line of a file with a large window, in bytes.
const MAX_LINE_WITH_WINDOW: usize = MAX_LINE_BYTES / 4;

/// Why the rest of a file is not searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooLong {
    #[error("a line, with its context, is longer than {} MiB: the rest of the file was not \
    searched", MAX_LINE_BYTES / MEBIBYTE)]
    Anyway,
    #[error("a line is longer than {} MiB, too long to be sorted by time: the rest of the file was \
    not searched", LONG_LINE_BYTES / MEBIBYTE)]
    ByTime,
    #[error(
        "a line is too long in a file that needs so much memory to be decompressed: the rest of \
        the file was not searched"
    )]
    WithWindow,
    #[error("a line is longer than {} MiB, too long for JSON: the rest of the file was not \
    searched", MAX_JSON_LINE / MEBIBYTE)]
    AsJson,
    #[error("a line, with its context, is long, and {0}: the rest of the file was not searched")]
    Now(NoMemory),
    #[error(
        "a line is long, and other files that are sorted by time, or other searches, have the \
        memory for such lines: the rest of the file was not searched"
    )]
    NowByTime,
}

impl From<TooLong> for io::Error {
    fn from(reason: TooLong) -> io::Error {
        io::Error::other(reason)
    }
}

/// What a task uses to get memory when it meets a long line, or a file with a window. It keeps what
/// it got until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim<'w> {
    memory: &'w MemoryBudget,
    cancel: &'w AtomicBool,
    order: Order,
    window: RefCell<Option<Lease>>,
    line: RefCell<Option<Lease>>,
    /// How large the buffer of lines is.
    buffer: Cell<usize>,
}

/// When a claim may wait for memory.
#[derive(Debug)]
enum Order {
    /// When all tasks before have handed on their output. The channel tells that, once.
    Task { turn: Receiver<()>, has_come: Cell<bool> },
    /// At any time: there is no other task.
    Alone,
    /// Unless another file of the same merge has some. All of them are open until the merge ends.
    Merge(Rc<Cell<usize>>),
}

impl<'w> Claim<'w> {
    /// The claim of a task. `turn` tells when all tasks before have handed on their output.
    pub(crate) fn new(
        memory: &'w MemoryBudget,
        cancel: &'w AtomicBool,
        turn: Receiver<()>,
    ) -> Claim<'w> {
        Claim::ordered(memory, cancel, Order::Task { turn, has_come: Cell::new(false) })
    }

    /// The claim of a search that has no other task.
    pub(crate) fn alone(memory: &'w MemoryBudget, cancel: &'w AtomicBool) -> Claim<'w> {
        Claim::ordered(memory, cancel, Order::Alone)
    }

    /// The claim of a file of a merge, whose files share `leases`: how many they have.
    pub(crate) fn of_merge(
        memory: &'w MemoryBudget,
        cancel: &'w AtomicBool,
        leases: &Rc<Cell<usize>>,
    ) -> Claim<'w> {
        Claim::ordered(memory, cancel, Order::Merge(Rc::clone(leases)))
    }

    fn ordered(memory: &'w MemoryBudget, cancel: &'w AtomicBool, order: Order) -> Claim<'w> {
        let (window, line, buffer) = (RefCell::default(), RefCell::default(), Cell::default());
        Claim { memory, cancel, order, window, line, buffer }
    }

    /// Whether a long line needed memory.
    pub(crate) fn has_long_line(&self) -> bool {
        self.line.borrow().is_some()
    }

    /// Call this before the buffer of a line, with the context that it needs, grows to this many
    /// bytes. `old` is its size before, since it is copied. If they are many, it waits for the
    /// task's turn and then for memory.
    ///
    /// # Errors
    /// When the wait is too long, or the search is over.
    pub(crate) fn grow_buffer(&self, old: usize, new: usize) -> io::Result<()> {
        let needed = old.saturating_add(new);
        self.buffer.set(new);
        if old > MAX_LINE_WITH_WINDOW && self.has_large_window() {
            return Err(TooLong::WithWindow.into());
        }
        let is_merge = matches!(self.order, Order::Merge(_));
        let free = if is_merge { FREE_MERGED_BUFFER } else { FREE_BUFFER };
        if needed <= free || self.line_bytes() >= needed {
            return Ok(());
        }
        let line = needed.max(LINE_BYTES);
        if self.has_large_window() && !self.has_room_for_both(line, self.window_bytes()) {
            return Err(TooLong::WithWindow.into());
        }
        if is_merge {
            return self.line_of_merge(needed);
        }
        self.await_turn()?;
        let mut line = self.line.borrow_mut();
        let taken = match &mut *line {
            Some(_) => Ok(()),
            none => self
                .memory
                .take(Share::Line, LINE_BYTES, PATIENCE, self.cancel)
                .map(|lease| *none = Some(lease)),
        };
        let grown = taken.and_then(|()| {
            line.as_mut().map_or(Ok(()), |lease| lease.outgrow(needed, PATIENCE, self.cancel))
        });
        grown.map_err(|reason| TooLong::Now(reason).into())
    }

    /// The buffer is small again.
    pub(crate) fn shrink_buffer(&self) {
        self.give_back(&self.line);
    }

    /// Call this before a window of this many bytes is in memory, and when no former one is. It
    /// waits as for a long line.
    ///
    /// # Errors
    /// When the wait is too long, the present line is too long beside a window, or the search is
    /// over.
    pub(crate) fn take_window(&self, bytes: usize) -> io::Result<()> {
        let is_long = self.buffer.get() > MAX_LINE_WITH_WINDOW;
        let fits = !self.has_long_line() || self.has_room_for_both(self.line_bytes(), bytes);
        if bytes > LARGE_WINDOW && (is_long || !fits) {
            return Err(TooLong::WithWindow.into());
        }
        if self.window_bytes() >= bytes {
            return Ok(());
        }
        self.give_back(&self.window);
        let lease = self.window(bytes)?;
        *self.window.borrow_mut() = Some(lease);
        Ok(())
    }

    fn window(&self, bytes: usize) -> io::Result<Lease> {
        let at_once = |share| self.memory.try_take(share, bytes);
        match &self.order {
            Order::Merge(leases) => {
                let lease = match at_once(Share::Window).or_else(|| at_once(Share::Early)) {
                    Some(lease) => lease,
                    None if leases.get() > 0 => {
                        return Err(DecompressError::TakenByMerge(bytes.div_ceil(MEBIBYTE)).into());
                    }
                    None => self.await_window(bytes)?,
                };
                leases.set(leases.get() + 1);
                Ok(lease)
            }
            Order::Task { .. } if !self.has_turn() => match at_once(Share::Early) {
                Some(lease) => Ok(lease),
                None => self.await_turn().and_then(|()| self.await_window(bytes)),
            },
            Order::Task { .. } | Order::Alone => self.await_window(bytes),
        }
    }

    fn await_window(&self, bytes: usize) -> io::Result<Lease> {
        // Whoever has a line does not wait for a window: others wait for lines while they have one.
        let lease = match self.memory.try_take(Share::Window, bytes) {
            None if self.has_long_line() => Err(NoMemory::Taken { seconds: 0 }),
            None => self.memory.take(Share::Window, bytes, PATIENCE, self.cancel),
            Some(lease) => Ok(lease),
        };
        let failed = |reason| match reason {
            NoMemory::Never { mebibytes, setting } => {
                DecompressError::NoRoom { mebibytes, setting }
            }
            reason => DecompressError::Taken { mebibytes: bytes.div_ceil(MEBIBYTE), reason },
        };
        lease.map_err(|reason| failed(reason).into())
    }

    /// Once the task's turn has come, others whose turn has not come may have what it took early.
    pub(crate) fn give_way(&self) {
        let mut window = self.window.borrow_mut();
        if let Some(lease) = window.as_mut().filter(|lease| lease.share() == Share::Early)
            && matches!(self.order, Order::Task { .. })
            && self.has_turn()
            && let Some(other) = self.memory.try_take(Share::Window, lease.bytes())
        {
            *lease = other;
        }
    }

    /// A file of a merge waits for a line's memory only if no other of them has any.
    fn line_of_merge(&self, needed: usize) -> io::Result<()> {
        let Order::Merge(leases) = &self.order else { return Ok(()) };
        let bytes = needed.next_power_of_two().min(LINE_BYTES);
        self.give_back(&self.line);
        let lease = match self.memory.try_take(Share::Line, bytes) {
            Some(lease) => lease,
            None if leases.get() > 0 => return Err(TooLong::NowByTime.into()),
            None => {
                self.memory.take(Share::Line, bytes, PATIENCE, self.cancel).map_err(TooLong::Now)?
            }
        };
        leases.set(leases.get() + 1);
        *self.line.borrow_mut() = Some(lease);
        Ok(())
    }

    /// Waits until all tasks before have handed on their output. A task that waited for memory
    /// before could block a task before it.
    fn await_turn(&self) -> io::Result<()> {
        if let Order::Task { turn, has_come } = &self.order
            && !has_come.get()
        {
            turn.recv().map_err(|_| io::Error::other("cancelled"))?;
            has_come.set(true);
        }
        Ok(())
    }

    fn has_turn(&self) -> bool {
        match &self.order {
            Order::Task { turn, has_come } => {
                has_come.set(has_come.get() || turn.try_recv().is_ok());
                has_come.get()
            }
            Order::Alone | Order::Merge(_) => true,
        }
    }

    fn has_large_window(&self) -> bool {
        self.window_bytes() > LARGE_WINDOW
    }

    /// Whether there can ever be a line and a window of so many bytes.
    fn has_room_for_both(&self, line: usize, window: usize) -> bool {
        self.memory.can_have(Share::Line, line.saturating_add(window))
    }

    fn window_bytes(&self) -> usize {
        self.window.borrow().as_ref().map_or(0, Lease::bytes)
    }

    fn line_bytes(&self) -> usize {
        self.line.borrow().as_ref().map_or(0, Lease::bytes)
    }

    fn give_back(&self, lease: &RefCell<Option<Lease>>) {
        if lease.borrow_mut().take().is_some()
            && let Order::Merge(leases) = &self.order
        {
            leases.set(leases.get() - 1);
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.give_back(&self.window);
        self.give_back(&self.line);
    }
}

#[cfg(test)]
#[path = "claim_tests.rs"]
mod tests;

//! The memory for the tables of all questions, and for the regular expressions of their queries. It
//! owns how much is taken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bytes of all tables. With the memory of the searches themselves and of what is followed it
/// stays below the 576 MiB of the packaged unit.
const TABLE_BYTES: usize = 256 << 20;

/// The bytes of the tables of all questions that follow files. These last, and never keep others
/// from theirs.
const FOLLOW_BYTES: usize = 64 << 20;

/// A question is refused if there is less for it, in bytes.
const LEAST_BYTES: usize = 4 << 20;

/// The memory for tables. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    free: Arc<Mutex<usize>>,
}

/// What one question has of it, which it gives back when it is dropped.
#[derive(Debug)]
pub(crate) struct TableLease {
    tables: Tables,
    bytes: usize,
}

/// Other questions have the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("other questions have the memory for groups there: try again later")]
pub(crate) struct NoTable;

impl Default for Tables {
    fn default() -> Tables {
        Tables { free: Arc::new(Mutex::new(TABLE_BYTES)) }
    }
}

impl Tables {
    /// The memory of questions that follow files.
    pub(crate) fn of_follows() -> Tables {
        Tables { free: Arc::new(Mutex::new(FOLLOW_BYTES)) }
    }

    /// Takes exactly so many bytes.
    ///
    /// # Errors
    /// When they are not there.
    pub(crate) fn take_exactly(&self, bytes: usize) -> Result<TableLease, NoTable> {
        let mut free = self.free();
        *free = free.checked_sub(bytes).ok_or(NoTable)?;
        Ok(TableLease { tables: self.clone(), bytes })
    }

    /// Takes as many bytes as are wanted, if they are there. Nobody gets more than half of what is
    /// left, so that each of the four questions finds some.
    ///
    /// # Errors
    /// When too little is left.
    pub(crate) fn take(&self, wanted: usize) -> Result<TableLease, NoTable> {
        let mut free = self.free();
        let bytes = (*free / 2).min(wanted);
        if bytes < LEAST_BYTES.min(wanted) {
            return Err(NoTable);
        }
        *free -= bytes;
        Ok(TableLease { tables: self.clone(), bytes })
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TableLease {
    /// Its bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for TableLease {
    fn drop(&mut self) {
        *self.tables.free() += self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::TABLE_BYTES as FOLLOW_TABLE_BYTES;
    use crate::serve::{MAX_FOLLOWS, MAX_QUESTIONS};

    #[test]
    fn each_question_that_follows_has_its_table() {
        let tables = Tables::of_follows();
        let take = || tables.take_exactly(FOLLOW_TABLE_BYTES);
        let leases: Vec<TableLease> = (0..MAX_FOLLOWS).map(|_| take().unwrap()).collect();
        assert_eq!(take().map(drop), Err(NoTable));
        drop(leases);
        assert_eq!(tables.take_exactly(FOLLOW_BYTES).unwrap().bytes(), FOLLOW_BYTES);
    }

    #[test]
    fn each_question_gets_a_part_of_what_is_left() {
        let tables = Tables::default();
        let leases: Vec<TableLease> =
            (0..MAX_QUESTIONS).map(|_| tables.take(usize::MAX).unwrap()).collect();
        let bytes: Vec<usize> = leases.iter().map(TableLease::bytes).collect();
        assert_eq!(bytes, [128, 64, 32, 16].map(|mebibytes| mebibytes << 20));
        let others: Vec<TableLease> = std::iter::from_fn(|| tables.take(usize::MAX).ok()).collect();
        assert_eq!(others.len(), 2);
        assert_eq!(tables.take(usize::MAX).map(drop), Err(NoTable));
        drop((leases, others));
        assert_eq!(tables.take(7).unwrap().bytes(), 7);
        assert_eq!(tables.take(usize::MAX).unwrap().bytes(), 128 << 20);
    }
}

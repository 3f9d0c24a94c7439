//! The moment from which the entries of a followed journal are new. It owns no state.
//!
//! `journalctl --follow --lines=0` does not do: while no entry matches yet, it prints only the last
//! of the first entries that come (systemd 252). So it begins at a time, and what is older by the
//! clock that nobody sets is left out here.

use super::boot::Boot;
use super::export::Entry;
use rustix::time::{ClockId, clock_gettime};

/// A moment of this boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    /// The id of the boot as journald writes it, if it is known.
    boot_id: Option<String>,
    /// Microseconds of CLOCK_MONOTONIC, which journald notes with each entry.
    monotonic_us: u64,
}

impl Start {
    /// The present moment of this boot.
    pub(super) fn now(boot: &Boot) -> Start {
        let boot_id = boot.id.clone();
        let time = clock_gettime(ClockId::Monotonic);
        let monotonic_us = time.tv_sec * 1_000_000 + time.tv_nsec / 1_000;
        Start { boot_id, monotonic_us: u64::try_from(monotonic_us).unwrap_or(0) }
    }

    /// Whether an entry was written before this moment.
    pub(super) fn is_after(&self, entry: &Entry) -> bool {
        let is_of_this_boot = entry
            .boot_id
            .get()
            .zip(self.boot_id.as_ref())
            .is_none_or(|(id, this)| id == this.as_bytes());
        let is_later = entry.monotonic_us().is_none_or(|time_us| time_us >= self.monotonic_us);
        !(is_of_this_boot && is_later)
    }
}

#[cfg(test)]
mod tests {
    use super::super::export::Entries;
    use super::*;

    #[test]
    fn only_entries_of_this_boot_from_now_on_are_new() {
        let now = Start::now(&Boot::of_this_machine());
        let boot_id = now.boot_id.clone().unwrap();
        assert!(boot_id.len() == 32 && now.monotonic_us > 0);
        for (id, monotonic_us, is_old) in [
            (boot_id.as_str(), now.monotonic_us, false),
            (&boot_id, now.monotonic_us - 1, true),
            ("0123456789abcdef0123456789abcdef", now.monotonic_us, true),
        ] {
            let text = format!("_BOOT_ID={id}\n__MONOTONIC_TIMESTAMP={monotonic_us}\n\n");
            let mut entry = Entry::default();
            assert!(Entries::new(text.as_bytes()).read(&mut entry).unwrap());
            assert_eq!(now.is_after(&entry), is_old, "{text}");
        }
    }
}

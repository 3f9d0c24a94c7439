//! Event time: what a source may say of its files, and what an owner makes of it. Owns no state.
//!
//! A stamp from the future must not close today's windows, and a file without lines must not hold
//! them open. So a file's watermark is capped by its own machine's clock, and follows it when the
//! file is quiet. Stamps and clock are the same machine's: no two clocks are compared.

use crate::cursor::Cursor;
use crate::ids::FileId;
use crate::settings::{Mutant, Settings};
use crate::table::{Job, OnFailed, SourceState};
use memberd_membership::Name;

/// The watermark behind a range of a file.
///
/// `newest` is the newest stamp in it. All that follows in the file was written after `cap_ms` by
/// the machine's clock, so it has a later stamp than a stamp from the future would make believe.
pub(crate) fn of_range(
    settings: &Settings,
    newest: Option<i64>,
    cap_ms: i64,
    lateness_ms: i64,
) -> i64 {
    let cap = if settings.is(Mutant::NoClockCap) { i64::MAX } else { cap_ms };
    newest.map_or(i64::MIN, |newest| newest.min(cap).saturating_sub(lateness_ms))
}

/// The watermark of a file that is quiet, and read to its end.
pub(crate) fn of_quiet(looked_ms: i64, lateness_ms: i64) -> i64 {
    looked_ms.saturating_sub(lateness_ms)
}

/// The watermark of a partition: the least of all sources that count. None if there is none, or
/// one of them has not spoken yet. And of which member it is, or who has not spoken.
pub(crate) fn of_partition<'a>(
    job: &'a Job,
    presence: impl Fn(&Name) -> Option<i64>,
    cursors: impl Iterator<Item = (&'a FileId, &'a Cursor)>,
) -> (Option<i64>, Option<&'a Name>) {
    let counts = |name: &Name| match (job.sources.get(name), job.spec.on_failed) {
        (Some(SourceState::Live), _) | (Some(SourceState::Failed), OnFailed::Wait) => true,
        (Some(SourceState::Failed), OnFailed::Exclude) => false,
        (Some(SourceState::Forgotten) | None, _) => false,
    };
    let mut least: (i64, Option<&Name>) = (i64::MAX, None);
    for name in job.sources.keys().filter(|name| counts(name)) {
        match presence(name) {
            Some(at) if at < least.0 => least = (at, Some(name)),
            Some(_) => {}
            None => return (None, Some(name)),
        }
    }
    for (file, cursor) in cursors {
        if !cursor.is_finished && counts(&file.member) && cursor.watermark < least.0 {
            least = (cursor.watermark, Some(&file.member));
        }
    }
    ((least.0 < i64::MAX).then_some(least.0), least.1)
}

/// When the window of a stamp begins.
#[must_use]
pub fn window_of(stamp_ms: i64, every_ms: i64) -> i64 {
    stamp_ms.saturating_sub(stamp_ms.rem_euclid(every_ms.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_of_2031_does_not_pass_the_clock() {
        let of = |newest| of_range(&Settings::default(), newest, 1_000_000, 10_000);
        assert_eq!(of(Some(1_924_992_000_000)), 990_000);
        assert_eq!(of(Some(995_000)), 985_000);
        assert_eq!(of(None), i64::MIN);
    }

    #[test]
    fn windows_begin_at_multiples_on_both_sides_of_1970() {
        assert_eq!(window_of(12_345, 10_000), 10_000);
        assert_eq!(window_of(10_000, 10_000), 10_000);
        assert_eq!(window_of(-1, 10_000), -10_000);
    }
}

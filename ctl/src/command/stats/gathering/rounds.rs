//! Adds up sums of members that go on: a round of a member counts once it is whole. Rows are shown
//! between.

use std::sync::Arc;
use std::time::Duration;

use memberd_streams::{Counts, Gather, Limits, Plan, Rows};

use super::{Gathering, Kept, full, known};
use crate::exit::Failure;

/// What became of a member's round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::command::stats) enum RoundEnd {
    /// Its sums count, and may have changed a row.
    Counted,
    /// It changes nothing: it has no lines, or was thrown away.
    Nothing,
    /// Its sums do not count from now on, for this reason.
    Lost(String),
}

impl Gathering {
    /// No sums yet of members that go on.
    pub(in crate::command::stats) fn following(plan: Arc<Plan>, limits: Limits) -> Gathering {
        let sums = Gather::following(Arc::clone(&plan), limits);
        Gathering { sums, ..Gathering::new(plan, limits) }
    }

    /// Ends a member's round: its parts since the last one count if it is whole. Who sends what
    /// cannot count is not listened to any more, since its sums would lack lines.
    ///
    /// # Errors
    /// When there are more groups than may be.
    pub(in crate::command::stats) fn round(
        &mut self,
        member: &str,
        is_whole: bool,
    ) -> Result<RoundEnd, Failure> {
        if self.kept.get(member).is_some_and(|kept| kept.is_told) {
            return Ok(RoundEnd::Nothing);
        }
        let Kept { parts, refused, .. } = self.taken(member);
        if refused.is_none() && !is_whole {
            return Ok(RoundEnd::Nothing);
        }
        if let Some(why) = refused.or_else(|| self.fault(member, &parts)) {
            let refused = Kept { refused: Some(why.clone()), is_told: true, ..Kept::default() };
            self.kept.insert(member.to_owned(), refused);
            return Ok(RoundEnd::Lost(why));
        }
        // The first one says that there are members who count.
        let is_news = !parts.is_empty() || !self.searched;
        self.add(member, &parts)?;
        Ok(if is_news { RoundEnd::Counted } else { RoundEnd::Nothing })
    }

    /// Forgets the windows that had ended this long before the newest line, of those that are not
    /// of the future. `now` is in milliseconds since the Unix epoch.
    pub(in crate::command::stats) fn forget(&mut self, keep: Duration, now: u64) {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        if let Some(newest) = self.sums.newest(now) {
            self.sums.forget_before(newest.saturating_sub(keep));
        }
    }

    /// The rows as they are now. There is none before the first round.
    ///
    /// # Errors
    /// When there are more groups than may be.
    pub(in crate::command::stats) fn rows(&self) -> Result<Rows, Failure> {
        self.sums.rows().map_err(|limit| full(&limit)).map(|rows| known(self.searched, rows))
    }

    /// The rows that are new or changed since this was asked last.
    ///
    /// # Errors
    /// When there are more groups than may be.
    pub(in crate::command::stats) fn changed(&mut self) -> Result<Rows, Failure> {
        let rows = match self.searched {
            true => self.sums.changed(),
            false => self.sums.rows(),
        };
        rows.map_err(|limit| full(&limit)).map(|rows| known(self.searched, rows))
    }

    /// What was counted until now.
    pub(in crate::command::stats) fn counts(&self) -> Counts {
        self.sums.counts()
    }
}

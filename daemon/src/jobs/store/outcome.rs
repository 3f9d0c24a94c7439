//! What the protocol hears of an operation that did not come to its end: [`Failure`]. It owns no
//! state.

use crate::files::FilesError;
use memberd_files::{ClientError, Refusal};
use memberd_jobs::StoreAnswer;

/// Why there is no answer of the file.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// What files say.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// It may have happened, or may happen still.
    #[error("no answer came in time: it may have happened")]
    Doubt,
    /// A later question took its place.
    #[error("no answer came before it was asked again")]
    Replaced,
    /// What was read was not the newest.
    #[error("no majority says what is the newest content: see memberctl view")]
    Old,
    /// Nothing was done.
    #[error("too many bytes wait to be written, or to be read at once")]
    TooLarge,
    /// Files gave an answer to another question.
    #[error("the replicated files gave an answer that does not fit")]
    Misfit,
}

impl Failure {
    /// What the asker hears. Only what writes can be in doubt.
    pub(super) fn answer(&self, is_write: bool) -> StoreAnswer {
        match self {
            Failure::Files(error) => of_files(error, is_write),
            Failure::Doubt | Failure::Replaced | Failure::Misfit if is_write => {
                StoreAnswer::Unknown
            }
            Failure::Doubt
            | Failure::Misfit
            | Failure::Replaced
            | Failure::Old
            | Failure::TooLarge => StoreAnswer::Unavailable,
        }
    }
}

fn of_files(error: &FilesError, is_write: bool) -> StoreAnswer {
    match error {
        FilesError::Client(ClientError::Refused(refusal)) => of_refusal(*refusal),
        // The task that has ended may have asked for it before.
        FilesError::Client(ClientError::Ambiguous) | FilesError::Ended if is_write => {
            StoreAnswer::Unknown
        }
        // A view that is too old here may lack a share, and a closed one may open: nobody knows
        // that the file is gone. All the others say that nothing was done.
        FilesError::Client(
            ClientError::NoView
            | ClientError::NoShare(_)
            | ClientError::Closed { .. }
            | ClientError::Ambiguous
            | ClientError::TooFew(_)
            | ClientError::TooSlow
            | ClientError::Changed
            | ClientError::Unreadable(_)
            | ClientError::Busy
            | ClientError::OutOfBounds
            | ClientError::StorageFailed,
        )
        | FilesError::Off
        | FilesError::NoAgreement
        | FilesError::NotInView
        | FilesError::Ended
        | FilesError::Share(_) => StoreAnswer::Unavailable,
    }
}

/// A refusal is in the catalog's log: nothing was done, and nothing will be.
fn of_refusal(refusal: Refusal) -> StoreAnswer {
    match refusal {
        Refusal::NotFound | Refusal::NoParent => StoreAnswer::Absent,
        Refusal::Fenced(token) => StoreAnswer::Fenced(token.0),
        _ => StoreAnswer::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_files::{ShareName, Token};

    fn answers(error: FilesError) -> [StoreAnswer; 2] {
        let failure = Failure::Files(error);
        [true, false].map(|is_write| failure.answer(is_write))
    }

    /// Only a write can be in doubt, and only what says so leaves it in doubt.
    #[test]
    fn what_may_have_happened_is_unknown() {
        let (unknown, no) = (StoreAnswer::Unknown, StoreAnswer::Unavailable);
        for error in [FilesError::Client(ClientError::Ambiguous), FilesError::Ended] {
            assert_eq!(answers(error), [unknown.clone(), no.clone()]);
        }
        assert_eq!(Failure::Doubt.answer(true), unknown);
        let share = ShareName::new("s").unwrap();
        for error in [
            ClientError::Closed { share, keepers: Vec::new() },
            ClientError::TooFew(5),
            ClientError::TooSlow,
            ClientError::Busy,
            ClientError::NoView,
            ClientError::Unreadable(9),
            ClientError::Refused(Refusal::QuotaBytes(1)),
            ClientError::Refused(Refusal::TooManyExtents),
        ] {
            assert_eq!(answers(FilesError::Client(error)), [no.clone(), no.clone()]);
        }
    }

    /// A view may be too old to have a share. So no file is taken for lost by that.
    #[test]
    fn a_share_that_is_not_known_says_nothing_of_its_files() {
        let none = ClientError::NoShare(ShareName::new("streams").unwrap());
        let no = StoreAnswer::Unavailable;
        assert_eq!(answers(FilesError::Client(none)), [no.clone(), no]);
        let gone = FilesError::Client(ClientError::Refused(Refusal::NotFound));
        assert_eq!(answers(gone), [StoreAnswer::Absent, StoreAnswer::Absent]);
        let fenced = FilesError::Client(ClientError::Refused(Refusal::Fenced(Token(7))));
        assert_eq!(answers(fenced), [StoreAnswer::Fenced(7), StoreAnswer::Fenced(7)]);
    }
}

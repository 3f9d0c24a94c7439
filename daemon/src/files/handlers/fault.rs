//! Why a request about files is not carried out, and in which words the client hears it. It owns no
//! state.

use crate::control::client::ClientError;
use crate::files::FilesError;
use memberd_control::message::RefusalKind;
use memberd_files::{ClientError as OperationError, Name, Refusal};
use std::fmt::Display;

/// Why a request is not carried out.
#[derive(Debug)]
pub(super) enum Fault {
    /// The client is gone, or breaks the protocol.
    Client(ClientError),
    /// What the client is told.
    Refused(RefusalKind, String),
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Fault {
        Fault::Client(error)
    }
}

impl Fault {
    /// A failure, with its line.
    pub(super) fn failed(words: impl Into<String>) -> Fault {
        Fault::Refused(RefusalKind::Failed, words.into())
    }

    /// What happened to this path.
    pub(super) fn of(path: &impl Display, error: &FilesError) -> Fault {
        Fault::Refused(kind(error), format!("{path}: {}", words(error)))
    }

    /// The catalog does not want it.
    pub(super) fn refused(path: &impl Display, refusal: Refusal) -> Fault {
        Fault::of(path, &FilesError::Client(OperationError::Refused(refusal)))
    }
}

fn kind(error: &FilesError) -> RefusalKind {
    match error {
        FilesError::NoAgreement
        | FilesError::Client(OperationError::Ambiguous | OperationError::TooSlow) => {
            RefusalKind::TimedOut
        }
        _ => RefusalKind::Failed,
    }
}

/// What went wrong, and what to do.
pub(super) fn words(error: &FilesError) -> String {
    match error {
        FilesError::Client(OperationError::Refused(refusal)) => match refusal {
            Refusal::NotEmpty => {
                "the directory is not empty: rm -r removes all below it".to_owned()
            }
            Refusal::IsShare => "is a share: rm -r removes it with all that is in it".to_owned(),
            Refusal::Exists => "exists already: choose another name, or replace it".to_owned(),
            refusal => refusal.to_string(),
        },
        FilesError::Client(OperationError::Closed { share, keepers }) => format!(
            "the share /{share} is closed: not enough of its keepers answer; see memberctl view, \
            and start {}",
            names(keepers)
        ),
        error => error.to_string(),
    }
}

/// `vm1, vm2 or vm3`
fn names(all: &[Name]) -> String {
    match all {
        [] => "the machines that are down".to_owned(),
        [one] => one.to_string(),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(ToString::to_string).collect();
            format!("{} or {last}", first.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_files::{FilePath, ShareName};

    fn told(error: OperationError) -> (RefusalKind, String) {
        let path = FilePath::parse("/apps/x").unwrap();
        match Fault::of(&path, &FilesError::Client(error)) {
            Fault::Refused(kind, words) => (kind, words),
            Fault::Client(_) => panic!(),
        }
    }

    #[test]
    fn each_line_says_on_what_and_what_to_do() {
        let share = ShareName::new("apps").unwrap();
        let keepers = ["vm1", "vm2", "vm3"].map(|name| Name::new(name).unwrap()).to_vec();
        let (kind, words) = told(OperationError::Closed { share: share.clone(), keepers });
        assert_eq!(kind, RefusalKind::Failed);
        assert_eq!(
            words,
            "/apps/x: the share /apps is closed: not enough of its keepers answer; see memberctl \
             view, and start vm1, vm2 or vm3"
        );
        let (_, words) = told(OperationError::NoShare(share));
        assert!(words.contains("make it with `memberctl file mkdir /apps`"), "{words}");
        let (_, words) = told(OperationError::Refused(Refusal::NotFound));
        assert_eq!(words, "/apps/x: no such file or directory");
    }

    #[test]
    fn what_took_too_long_has_the_status_of_that() {
        for error in [OperationError::Ambiguous, OperationError::TooSlow] {
            assert_eq!(told(error).0, RefusalKind::TimedOut);
        }
    }
}

//! What clients may do: the settings of the listener. It speaks for the machine, since a client
//! cannot prove who it is.

use crate::error::FileError;
use crate::operation::{Asked, Operation};
use crate::path::HdfsPath;
use std::collections::BTreeSet;

/// Whether clients may change files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum May {
    /// They may only read.
    #[default]
    Read,
    /// They may change everything in the shares.
    Write,
}

/// The shares that clients see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Shares {
    /// All of them.
    #[default]
    All,
    /// These.
    Only(BTreeSet<String>),
}

impl Shares {
    /// Whether clients see a share.
    pub(crate) fn have(&self, share: &str) -> bool {
        match self {
            Shares::All => true,
            Shares::Only(names) => names.contains(share),
        }
    }
}

/// Refuses what the settings do not allow. A share that is not served looks as if it did not exist.
pub(crate) fn check(may: May, shares: &Shares, asked: &Asked) -> Result<(), FileError> {
    if asked.operation.is_of_all() {
        return Ok(());
    }
    let writes = asked.operation.writes();
    seen(shares, &asked.path, writes)?;
    match &asked.operation {
        Operation::Rename { to, .. } => seen(shares, to, true)?,
        Operation::Concat { sources } => {
            sources.iter().try_for_each(|source| seen(shares, source, true))?;
        }
        _ => {}
    }
    if writes && may == May::Read {
        let why = "only reading is allowed: webhdfs_may in the settings";
        return Err(FileError::Denied(why.to_owned()));
    }
    Ok(())
}

fn seen(shares: &Shares, path: &HdfsPath, writes: bool) -> Result<(), FileError> {
    match path.share() {
        Some(share) if !shares.have(share) && writes => {
            Err(FileError::Denied(format!("{share} is no share of webhdfs_shares in the settings")))
        }
        Some(share) if !shares.have(share) => Err(FileError::NotFound(path.to_string())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_and_shares_are_the_bounds() {
        let of = |may, method: &str, path: &str, query: &str| {
            let path = format!("/webhdfs/v1{path}");
            let asked = Asked::parse(method, path.as_bytes(), query.as_bytes()).unwrap();
            check(may, &Shares::Only(["s".to_owned()].into()), &asked)
        };
        let denied = |result| matches!(result, Err(FileError::Denied(_)));
        let absent = |result| matches!(result, Err(FileError::NotFound(_)));
        assert_eq!(of(May::Read, "GET", "/s/a", "op=OPEN"), Ok(()));
        assert_eq!(of(May::Read, "GET", "/", "op=LISTSTATUS"), Ok(()));
        assert_eq!(of(May::Read, "GET", "/t", "op=GETSERVERDEFAULTS"), Ok(()));
        assert!(absent(of(May::Write, "GET", "/t/a", "op=OPEN")));
        assert!(denied(of(May::Read, "PUT", "/s/a", "op=CREATE")));
        assert!(denied(of(May::Read, "GET", "/s/a", "op=CHECKACCESS&fsaction=rw-")));
        assert_eq!(of(May::Write, "PUT", "/s/a", "op=CREATE"), Ok(()));
        assert!(denied(of(May::Write, "PUT", "/t/a", "op=CREATE")));
        assert!(denied(of(May::Write, "PUT", "/s/a", "op=RENAME&destination=/t/a")));
        assert!(denied(of(May::Write, "POST", "/s/a", "op=CONCAT&sources=/s/b,/t/a")));
    }
}

//! `--count-by` and `--total`: adds up the members' counts.

use std::collections::BTreeMap;

use memberd_control::grep::{GrepOutcome, GrepRequest, on_one_line};

use super::fleet_options::{CountBy, Presentation};
use crate::exit::{Exit, Failure};

/// The most different paths that are counted.
const MAX_FILES: usize = 50_000;

/// Counts added up so far.
#[derive(Debug)]
pub(super) struct Counts {
    by: Option<CountBy>,
    total: bool,
    named: bool,
    /// By path, over all members.
    files: BTreeMap<Vec<u8>, u64>,
}

impl Counts {
    /// None if neither option was given.
    pub(super) fn new(
        request: &GrepRequest,
        Presentation { count_by: by, total, .. }: Presentation,
    ) -> Option<Counts> {
        (by.is_some() || total).then(|| Counts {
            by,
            total,
            named: !request.printing.no_names,
            files: BTreeMap::new(),
        })
    }

    /// Whether the members' own counts are printed as they arrive.
    pub(super) fn prints_files(&self) -> bool {
        self.by.is_none()
    }

    /// Takes a member's counts of its files.
    ///
    /// # Errors
    /// When there are too many different files, or the bytes are no counts.
    pub(super) fn take(&mut self, member: &str, bytes: &[u8]) -> Result<(), Failure> {
        if self.by != Some(CountBy::File) {
            // The member's totals have its count.
            return Ok(());
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let (path, count, after) = first(member, rest).ok_or_else(|| {
                Failure::new(Exit::Failed, format!("{member} sent counts in an unknown form"))
            })?;
            let sum = self.files.entry(path.to_vec()).or_default();
            *sum = sum.saturating_add(count);
            rest = after;
        }
        if self.files.len() > MAX_FILES {
            return Err(Failure::new(
                Exit::Failed,
                format!("more than {MAX_FILES} different files: name fewer, or --count-by member"),
            ));
        }
        Ok(())
    }

    /// The lines that are printed at the end.
    pub(super) fn lines(&self, members: &[(String, GrepOutcome)]) -> Vec<u8> {
        let mut lines = Vec::new();
        let searched = members.iter().filter_map(|(name, outcome)| match outcome {
            GrepOutcome::Searched(totals) => Some((name.as_str(), totals.lines)),
            GrepOutcome::Lost(_) | GrepOutcome::Dropped(_) | GrepOutcome::NotAsked { .. } => None,
        });
        let by_member: BTreeMap<&str, u64> = searched.collect();
        match self.by {
            Some(CountBy::Member) => {
                by_member
                    .iter()
                    .for_each(|(name, count)| line(name.as_bytes(), *count, &mut lines));
            }
            Some(CountBy::File) => {
                self.files
                    .iter()
                    .for_each(|(path, count)| line(&on_one_line(path), *count, &mut lines));
            }
            None => {}
        }
        if self.total {
            let total = by_member.values().fold(0, |sum: u64, count| sum.saturating_add(*count));
            let name: &[u8] = if self.named { b"total" } else { b"" };
            line(name, total, &mut lines);
        }
        lines
    }
}

fn line(name: &[u8], count: u64, lines: &mut Vec<u8>) {
    if !name.is_empty() {
        lines.extend_from_slice(name);
        lines.push(b':');
    }
    lines.extend_from_slice(format!("{count}\n").as_bytes());
}

/// The first count of a member: the path, the count, and the rest. The path ends with a NUL byte,
/// or with a colon.
fn first<'b>(member: &str, bytes: &'b [u8]) -> Option<(&'b [u8], u64, &'b [u8])> {
    let bytes = bytes.strip_prefix(member.as_bytes())?.strip_prefix(b":")?;
    let place = |bytes: &[u8], byte| bytes.iter().position(|other| *other == byte);
    let end = match place(bytes, 0) {
        Some(end) => end,
        None => bytes.get(..place(bytes, b'\n')?)?.iter().rposition(|byte| *byte == b':')?,
    };
    let (path, count) = bytes.split_at_checked(end)?;
    let (count, rest) = count.get(1..)?.split_at_checked(place(count, b'\n')?.checked_sub(1)?)?;
    Some((path, std::str::from_utf8(count).ok()?.parse().ok()?, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_control::grep::GrepTotals;

    fn counts(by: Option<CountBy>, total: bool) -> Counts {
        let presentation = Presentation { count_by: by, total, ..Presentation::default() };
        Counts::new(&GrepRequest::default(), presentation).unwrap()
    }

    fn members() -> Vec<(String, GrepOutcome)> {
        let searched = |lines| GrepOutcome::Searched(GrepTotals { lines, ..GrepTotals::default() });
        vec![
            ("vm2".to_owned(), searched(5)),
            ("vm1".to_owned(), searched(7)),
            ("vm3".to_owned(), GrepOutcome::Lost("no route".to_owned())),
        ]
    }

    fn text(counts: &Counts) -> String {
        String::from_utf8(counts.lines(&members())).unwrap()
    }

    #[test]
    fn counts_are_added_up_by_member_and_by_file() {
        assert_eq!(text(&counts(Some(CountBy::Member), false)), "vm1:7\nvm2:5\n");
        assert_eq!(text(&counts(Some(CountBy::Member), true)), "vm1:7\nvm2:5\ntotal:12\n");
        assert_eq!(text(&counts(None, true)), "total:12\n");
        let mut by_file = counts(Some(CountBy::File), true);
        by_file.take("vm1", b"vm1:/b:1\nvm1:/a:c:6\n").unwrap();
        by_file.take("vm2", b"vm2:/b\x005\nvm2:/with\nnewline:3\x000\n").unwrap();
        assert_eq!(text(&by_file), "/a:c:6\n/b:6\n/with\\x0anewline:3:0\ntotal:12\n");
    }

    #[test]
    fn malformed_counts_are_refused() {
        for bytes in
            [&b"vm2:/a:1\n"[..], b"vm1:/a:1", b"vm1:/a:x\n", b"vm1:/a", b"vm1:/a\x00", b"\n"]
        {
            assert!(counts(Some(CountBy::File), false).take("vm1", bytes).is_err(), "{bytes:?}");
        }
    }
}

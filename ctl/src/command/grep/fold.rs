//! `--fold`: prints equal output of several members once, as `dshbak -c` does. It owns the output.

use std::collections::{BTreeMap, BTreeSet};

use memberd_control::name_order::natural;

use crate::exit::{Exit, Failure};
use crate::ranges;

/// The most bytes of output that is held.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// The line above and below the names of members.
const RULE: &str = "----------------\n";

/// Output without the members' names.
#[derive(Debug)]
pub(super) struct Fold {
    line_end: u8,
    has_names: bool,
    /// Each different output, and who has it.
    outputs: BTreeMap<Vec<u8>, BTreeSet<String>>,
    /// Whose output came last, and that output. It is in no group yet.
    current: Option<(String, Vec<u8>)>,
    /// Whether the current output ends within a line.
    within_line: bool,
    bytes: usize,
}

impl Fold {
    /// Holds nothing yet. If lines have names, they begin with that of their member.
    pub(super) fn new(line_end: u8, has_names: bool) -> Fold {
        Fold {
            line_end,
            has_names,
            outputs: BTreeMap::new(),
            current: None,
            within_line: false,
            bytes: 0,
        }
    }

    /// Takes output of a member.
    ///
    /// # Errors
    /// When all different outputs together take too much memory.
    pub(super) fn take(&mut self, member: &str, bytes: &[u8]) -> Result<(), Failure> {
        if self.current.as_ref().is_none_or(|(name, _)| name != member) {
            self.set_current(member);
        }
        let Some((_, output)) = &mut self.current else { return Ok(()) };
        let before = output.len();
        for line in bytes.split_inclusive(|byte| *byte == self.line_end) {
            let text = if self.has_names && !self.within_line {
                without_name(member, line, output)
            } else {
                line
            };
            output.extend_from_slice(text);
            self.within_line = line.last() != Some(&self.line_end);
        }
        self.bytes += output.len() - before;
        if self.bytes > MOST_BYTES {
            return Err(Failure::new(
                Exit::Failed,
                format!(
                    "--fold holds all different output until the end, and that is more than {} \
                    MiB: name fewer files, or a narrower pattern",
                    MOST_BYTES / (1024 * 1024)
                ),
            ));
        }
        Ok(())
    }

    /// Begins or continues the output of a member.
    fn set_current(&mut self, member: &str) {
        self.store();
        let of_member = self.outputs.iter().find(|(_, members)| members.contains(member));
        let output = of_member.map(|(output, _)| output.clone()).unwrap_or_default();
        if let Some(members) = self.outputs.get_mut(&output) {
            members.remove(member);
            if members.is_empty() {
                self.outputs.remove(&output);
            } else {
                self.bytes += output.len();
            }
        }
        self.within_line = output.last().is_some_and(|last| *last != self.line_end);
        self.current = Some((member.to_owned(), output));
    }

    /// Puts the current output into its group.
    fn store(&mut self) {
        let Some((member, output)) = self.current.take() else { return };
        let length = output.len();
        let members = self.outputs.entry(output).or_default();
        if !members.is_empty() {
            self.bytes -= length;
        }
        members.insert(member);
    }

    /// What is printed at the end: each different output under the names of its members.
    pub(super) fn end(
        mut self,
        mut print: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.store();
        let mut groups: Vec<(Vec<String>, Vec<u8>)> = self
            .outputs
            .into_iter()
            .map(|(output, members)| {
                let mut members: Vec<String> = members.into_iter().collect();
                members.sort_by(|one, other| natural(one, other));
                (members, output)
            })
            .collect();
        let first = |members: &[String]| members.first().cloned().unwrap_or_default();
        groups.sort_by(|(one, _), (other, _)| natural(&first(one), &first(other)));
        for (members, output) in groups {
            let names = ranges::fold(members.iter().map(String::as_str)).join(",");
            let count = match members.len() {
                1 => String::new(),
                members => format!(" ({members})"),
            };
            print(format!("{RULE}{names}{count}\n{RULE}").as_bytes())?;
            print(&output)?;
            if output.last().is_some_and(|last| *last != self.line_end) {
                print(&[self.line_end])?;
            }
        }
        Ok(())
    }
}

/// The line without `NAME:` at its beginning. Escape sequences in front of that are written to
/// `out`.
fn without_name<'l>(member: &str, line: &'l [u8], out: &mut Vec<u8>) -> &'l [u8] {
    let mut rest = line;
    while let Some(sequence) = rest.strip_prefix(b"\x1b[") {
        let Some(end) = sequence.iter().position(u8::is_ascii_alphabetic) else { break };
        rest = sequence.get(end + 1..).unwrap_or_default();
    }
    let behind = rest.strip_prefix(member.as_bytes()).and_then(|rest| rest.strip_prefix(b":"));
    match behind {
        Some(behind) => {
            out.extend_from_slice(line.get(..line.len() - rest.len()).unwrap_or_default());
            behind
        }
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(pieces: &[(&str, &str)]) -> String {
        let mut fold = Fold::new(b'\n', true);
        for (member, bytes) in pieces {
            fold.take(member, bytes.as_bytes()).unwrap();
        }
        let mut text = Vec::new();
        fold.end(|bytes| {
            text.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn equal_output_is_printed_once_under_all_names() {
        let rule = RULE;
        assert_eq!(
            folded(&[
                ("vm10", "vm10:/a:x\n"),
                ("vm2", "vm2:/a:x\nvm2:/a:y\n"),
                ("vm9", "vm9:/a:x\n"),
                ("vm3", "vm3:/a:x\n"),
                // The name of another member is text.
                ("db", "vm9:/a:x\n"),
            ]),
            format!(
                "{rule}db\n{rule}vm9:/a:x\n{rule}vm2\n{rule}/a:x\n/a:y\n{rule}vm[3,9-10] \
                (3)\n{rule}/a:x\n"
            )
        );
    }

    /// Output that comes in turns and in pieces of lines folds as well.
    #[test]
    fn pieces_that_come_in_turns_are_put_together() {
        let text = folded(&[
            ("a1", "a1:/f:lo"),
            ("a1", "ng a1:\n"),
            ("a2", "a2:/f:long a1:\n"),
            ("a1", "\x1b[35m\x1b[Ka1:/f\x1b[m:last"),
            ("a2", "\x1b[35m\x1b[Ka2:/f\x1b[m:last\n"),
            ("a1", "\n"),
        ]);
        let rule = RULE;
        assert_eq!(
            text,
            format!("{rule}a[1-2] (2)\n{rule}/f:long a1:\n\x1b[35m\x1b[K/f\x1b[m:last\n")
        );
    }

    /// Equal output of any number of members is held once.
    #[test]
    fn the_memory_is_bounded_and_equal_output_counts_once() {
        let mut fold = Fold::new(b'\n', false);
        let megabyte = vec![b'x'; 1024 * 1024];
        for member in 0..200 {
            fold.take(&format!("vm{member}"), &megabyte).unwrap();
        }
        let error = (0..200_u8).find_map(|member| {
            fold.take(&format!("db{member}"), &[member]).unwrap();
            fold.take(&format!("db{member}"), &megabyte).err()
        });
        assert!(error.unwrap().to_string().contains("more than 64 MiB"));
    }
}

//! `--format names`: one name a line, for loops in a shell.

use memberd_control::message::MemberRecord;

use crate::format::printable;

/// One name a line.
pub(super) fn render(members: &[MemberRecord]) -> String {
    members.iter().map(|member| printable(&member.name) + "\n").collect()
}

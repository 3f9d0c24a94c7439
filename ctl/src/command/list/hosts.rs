//! `--format hosts`: a block for /etc/hosts, hosts(5). A script can find and replace it by its
//! marks.

use memberd_control::message::MemberRecord;

use crate::format::printable;

/// The marks, and between them a line for each member: its address and its name.
pub(super) fn render(members: &[MemberRecord]) -> String {
    // A name that contains a space would become two names.
    let one_word = |text: &str| printable(text).replace(char::is_whitespace, "?");
    let lines = members
        .iter()
        .map(|member| format!("{}\t{}\n", one_word(&member.address), one_word(&member.name)));
    format!("# BEGIN memberd\n{}# END memberd\n", lines.collect::<String>())
}

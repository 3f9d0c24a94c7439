//! `--format hosts`: a block for /etc/hosts, hosts(5), between marks by which a script finds and
//! replaces it.

use memberd_control::message::MemberRecord;

use crate::format::printable;

/// An address and its name a line.
pub(super) fn render(members: &[MemberRecord]) -> String {
    // A name with a space in it would be two.
    let one_word = |text: &str| printable(text).replace(char::is_whitespace, "?");
    let lines = members
        .iter()
        .map(|member| format!("{}\t{}\n", one_word(&member.address), one_word(&member.name)));
    format!("# BEGIN memberd\n{}# END memberd\n", lines.collect::<String>())
}

//! `--format hosts`: a block for /etc/hosts, hosts(5). A script can find and replace it by its
//! marks.

use memberd_control::message::MemberRecord;

use super::Rendered;
use crate::format::printable;

/// Names of the machine itself, and of groups of addresses, as distributions have them in
/// /etc/hosts. Names below `localhost` are added by RFC 6761, 6.3.
const RESERVED: [&str; 12] = [
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost4.localdomain4",
    "localhost6",
    "localhost6.localdomain6",
    "ip6-localhost",
    "ip6-loopback",
    "ip6-localnet",
    "ip6-mcastprefix",
    "ip6-allnodes",
    "ip6-allrouters",
];

/// The marks, and between them a line for each member: its address and its name.
pub(super) fn render(members: &[MemberRecord]) -> Rendered {
    // A name that contains a space would become two names.
    let one_word = |text: &str| printable(text).replace(char::is_whitespace, "?");
    let (reserved, members): (Vec<_>, Vec<_>) =
        members.iter().partition(|member| is_reserved(&member.name));
    let lines = members
        .into_iter()
        .map(|member| format!("{}\t{}\n", one_word(&member.address), one_word(&member.name)));
    let text = format!("# BEGIN memberd\n{}# END memberd\n", lines.collect::<String>());
    let notes = reserved.into_iter().map(|MemberRecord { name, address, .. }| {
        format!(
            "{address} is left out, because {name} is what every machine calls itself: set \
             node.name there"
        )
    });
    Rendered { text, notes: notes.collect() }
}

/// Whether a name must not lead to another machine. Case does not count in host names: hosts(5),
/// RFC 4343.
fn is_reserved(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    RESERVED.contains(&name.as_str()) || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::is_reserved;

    #[test]
    fn names_of_the_machine_itself_are_reserved() {
        for name in ["localhost", "LocalHost", "localhost.", "a.localhost", "localhost.localdomain"]
        {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["vm1", "localhost1", "my-localhost", "localhost.example.org", "localdomain"] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}

//! `--format csv`: comma-separated values as in RFC 4180, but with the line ends of Unix.

use memberd_control::message::MemberRecord;

use crate::format::{printable, tags, timestamp};

const HEADER: &str =
    "name,address,port,status,since,incarnation,id,noticed_by,silent_ms,tags,suspected_by\n";

/// A header, and a line for each member.
pub(super) fn render(members: &[MemberRecord]) -> String {
    let lines = members.iter().map(|member| {
        let evidence = member.evidence.as_ref();
        let fields = [
            member.name.clone(),
            member.address.clone(),
            member.port.to_string(),
            member.status.as_str().to_owned(),
            timestamp(member.since),
            member.incarnation.to_string(),
            member.id.clone(),
            evidence.map(|evidence| evidence.accuser.clone()).unwrap_or_default(),
            evidence.map(|evidence| evidence.silent_for.to_string()).unwrap_or_default(),
            tags(&member.tags),
            member.suspected_by.clone().unwrap_or_default(),
        ];
        fields.map(|field| quoted(&printable(&field))).join(",") + "\n"
    });
    HEADER.to_owned() + &lines.collect::<String>()
}

/// A field, in quotes if it needs them.
fn quoted(field: &str) -> String {
    if field.contains([',', '"']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn only_what_needs_quotes_has_them() {
        assert_eq!(quoted("vm1"), "vm1");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}

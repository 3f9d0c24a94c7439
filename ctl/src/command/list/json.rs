//! `--format json`: an array with one object a line.

use memberd_control::message::MemberRecord;

use crate::exit::Failure;
use crate::json;

/// The members as an array.
pub(super) fn render(members: &[MemberRecord]) -> Result<String, Failure> {
    let members = members.iter().map(|member| json::text(&json::Member::from(member)));
    let members = members.collect::<Result<Vec<String>, Failure>>()?;
    Ok(match members.as_slice() {
        [] => "[]\n".to_owned(),
        members => format!("[\n  {}\n]\n", members.join(",\n  ")),
    })
}

//! `--format ansible`: the output of a dynamic inventory script for `--list`. It has all variables,
//! so that Ansible runs it only once.
//!
//! <https://docs.ansible.com/ansible/latest/dev_guide/developing_inventory.html>

use std::collections::BTreeMap;

use memberd_control::message::MemberRecord;
use memberd_control::tags::Tags;
use serde::Serialize;

use crate::exit::Failure;
use crate::json;

/// The group `memberd`, which has a group for each status below it, a group `tag_KEY_VALUE` for
/// each tag, and the variables of each host.
#[derive(Serialize)]
struct Inventory<'a> {
    _meta: Meta<'a>,
    #[serde(flatten)]
    groups: BTreeMap<String, Group<'a>>,
}

#[derive(Serialize)]
struct Meta<'a> {
    hostvars: BTreeMap<&'a str, Variables<'a>>,
}

#[derive(Serialize)]
struct Variables<'a> {
    ansible_host: &'a str,
    memberd_id: &'a str,
    memberd_port: u16,
    memberd_status: &'a str,
    memberd_incarnation: u64,
    memberd_tags: &'a Tags,
}

#[derive(Default, Serialize)]
struct Group<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<String>,
}

/// A part of a group's name: letters, digits and `_` only.
fn word(text: &str) -> String {
    text.replace(|character: char| !character.is_ascii_alphanumeric(), "_")
}

/// The inventory, on one line.
pub(super) fn render(members: &[MemberRecord]) -> Result<String, Failure> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let mut hostvars = BTreeMap::new();
    for member in members {
        let status = member.status.as_str();
        groups.entry(format!("memberd_{status}")).or_default().hosts.push(&member.name);
        hostvars.insert(
            member.name.as_str(),
            Variables {
                ansible_host: &member.address,
                memberd_id: &member.id,
                memberd_port: member.port,
                memberd_status: status,
                memberd_incarnation: member.incarnation,
                memberd_tags: &member.tags,
            },
        );
    }
    let children = groups.keys().cloned().collect();
    for member in members {
        for (key, value) in &member.tags {
            groups
                .entry(format!("tag_{}_{}", word(key), word(value)))
                .or_default()
                .hosts
                .push(&member.name);
        }
    }
    groups.insert("memberd".to_owned(), Group { hosts: Vec::new(), children });
    Ok(json::text(&Inventory { _meta: Meta { hostvars }, groups })? + "\n")
}

//! `--format ansible`: the output of a dynamic inventory script for `--list`. It has all variables,
//! so that Ansible runs it only once.
//!
//! <https://docs.ansible.com/ansible/latest/dev_guide/developing_inventory.html>

use std::borrow::Cow;
use std::collections::BTreeMap;

use memberd_control::message::{MemberRecord, MemberStatus};
use serde::{Serialize, Serializer};

use super::Rendered;
use crate::exit::Failure;
use crate::json;

/// How many characters of a hash stand behind a group's name.
const HASH_LENGTH: usize = 8;

/// The keys that begin so are Ansible's own in every object: `__ansible_unsafe`, `__ansible_vault`.
const ANSIBLES_KEYS: &str = "__ansible";

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
    hostvars: BTreeMap<Cow<'a, str>, Variables<'a>>,
}

#[derive(Serialize)]
struct Variables<'a> {
    ansible_host: &'a str,
    memberd_id: &'a str,
    memberd_port: u16,
    memberd_status: &'a str,
    memberd_incarnation: u64,
    memberd_tags: BTreeMap<&'a str, Text<'a>>,
}

/// A text that a member chose.
struct Text<'a>(&'a str);

impl Serialize for Text<'_> {
    /// Each of Jinja's delimiters begins with a `{`. Ansible evaluates such a text as a template,
    /// on the machine where it runs, unless it is marked: ansible/parsing/ajson.py.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Unsafe<'a> {
            __ansible_unsafe: &'a str,
        }
        match self.0.contains('{') {
            true => Unsafe { __ansible_unsafe: self.0 }.serialize(serializer),
            false => self.0.serialize(serializer),
        }
    }
}

#[derive(Default, Serialize)]
struct Group<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<String>,
}

/// The group of a tag. Its name has letters, digits and `_` only. Where other characters than `-`
/// and `.` were replaced, a hash of `KEY=VALUE` keeps it apart from others.
fn group_name(key: &str, value: &str) -> String {
    let replaced = |character: char| !character.is_ascii_alphanumeric() && character != '_';
    let name = format!("tag_{key}_{value}").replace(replaced, "_");
    if value.replace(['-', '.'], "").contains(replaced) {
        let hash = blake3::hash(format!("{key}={value}").as_bytes()).to_hex();
        return format!("{name}_{}", hash.chars().take(HASH_LENGTH).collect::<String>());
    }
    name
}

/// What stands before a name that is no host's.
const PREFIX: &str = "member_";

/// The host that stands for a member. A name that means something else to Ansible, such as
/// `localhost` or a group's name, has [`PREFIX`] before it. So has a name that is such a host, to
/// keep them apart.
fn host_name(member: &str) -> Cow<'_, str> {
    match is_ansibles(member.trim_start_matches(PREFIX)) {
        true => Cow::Owned(format!("{PREFIX}{member}")),
        false => Cow::Borrowed(member),
    }
}

/// Whether a name means something else to Ansible.
fn is_ansibles(member: &str) -> bool {
    let is_group = ["all", "ungrouped", "memberd"].contains(&member)
        || member.strip_prefix("memberd_").is_some_and(is_status)
        || member.starts_with("tag_");
    // The names that Ansible takes for the machine where it runs.
    let is_here = ["localhost", "127.0.0.1"].contains(&member);
    is_group || is_here
}

fn is_status(text: &str) -> bool {
    MemberStatus::ALL.iter().any(|status| status.as_str() == text)
}

/// The inventory, on one line.
pub(super) fn render(members: &[MemberRecord]) -> Result<Rendered, Failure> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let mut hostvars = BTreeMap::new();
    let mut notes = Vec::new();
    for member in members {
        let status = member.status.as_str();
        let host = host_name(&member.name);
        if host != member.name {
            let reason = match member.name.strip_prefix(PREFIX) {
                Some(other) => format!("its name stands for a member {other}"),
                None => "its name means something else to Ansible".to_owned(),
            };
            notes.push(format!(
                "the member {} is the host {host} of the inventory, because {reason}: give it \
                 another",
                member.name
            ));
        }
        groups.entry(format!("memberd_{status}")).or_default().hosts.push(host.clone());
        let (ansibles, tags): (Vec<_>, Vec<_>) =
            member.tags.iter().partition(|(key, _)| key.starts_with(ANSIBLES_KEYS));
        notes.extend(ansibles.into_iter().map(|(key, _)| {
            format!(
                "the tag {key} of {} is not in its variables, because Ansible has another meaning \
                 for such keys: give it another",
                member.name
            )
        }));
        hostvars.insert(
            host,
            Variables {
                ansible_host: &member.address,
                memberd_id: &member.id,
                memberd_port: member.port,
                memberd_status: status,
                memberd_incarnation: member.incarnation,
                memberd_tags: tags
                    .into_iter()
                    .map(|(key, value)| (key.as_str(), Text(value)))
                    .collect(),
            },
        );
    }
    let children = groups.keys().cloned().collect();
    let mut tags: BTreeMap<String, (&str, &str)> = BTreeMap::new();
    for member in members {
        for (key, value) in &member.tags {
            let name = group_name(key, value);
            let first = *tags.entry(name.clone()).or_insert((key, value));
            if first != (key, value) {
                notes.push(format!(
                    "the tags {}={} and {key}={value} are one group, {name}: give one of them \
                     another value",
                    first.0, first.1
                ));
            }
            groups.entry(name).or_default().hosts.push(host_name(&member.name));
        }
    }
    groups.insert("memberd".to_owned(), Group { hosts: Vec::new(), children });
    notes.sort();
    notes.dedup();
    let text = json::text(&Inventory { _meta: Meta { hostvars }, groups })? + "\n";
    Ok(Rendered { text, notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hashes are the first digits that `printf KEY=VALUE | b3sum` prints.
    #[test]
    fn a_group_whose_name_lost_characters_has_a_hash() {
        for (key, value, expected) in [
            ("role", "web", "tag_role_web"),
            ("zone", "rack-a", "tag_zone_rack_a"),
            ("k8s.io", "1.2", "tag_k8s_io_1_2"),
            ("zone", "", "tag_zone_"),
            ("zone", "db main", "tag_zone_db_main_5f9d9879"),
            ("zone", "北京", "tag_zone____7b0ee99a"),
            ("zone", "東京", "tag_zone____6de50ef1"),
            ("zone", "a/b", "tag_zone_a_b_ca5889bb"),
        ] {
            assert_eq!(group_name(key, value), expected);
        }
    }

    #[test]
    fn a_name_that_ansible_knows_is_no_host() {
        let names = ["all", "ungrouped", "memberd", "memberd_alive", "tag_role_web", "localhost"];
        for name in names {
            assert_eq!(host_name(name), format!("member_{name}"));
            // Whoever has that name is another host.
            let same = format!("member_{name}");
            assert_eq!(host_name(&same), format!("member_member_{name}"));
        }
        for name in [
            "vm1",
            "all1",
            "memberd1",
            "memberd_web",
            "tags",
            "localhost.localdomain",
            "member_vm1",
        ] {
            assert_eq!(host_name(name), name);
        }
    }
}

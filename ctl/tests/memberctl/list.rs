//! Tests of `list`.

use memberd_control::message::{MemberRecord, MemberStatus, RefusalKind, Reply, Request};
use serde_json::Value;

use crate::fake::{Daemon, memberctl, run};
use crate::records::{member, suspected};

fn listing(members: &[MemberRecord]) -> Daemon {
    // The list arrives in two parts, as a long list would.
    let (first, second) = members.split_at(members.len() / 2);
    Daemon::answering(vec![
        Reply::Members(first.to_vec()),
        Reply::Members(second.to_vec()),
        Reply::Done,
    ])
}

fn three() -> Vec<MemberRecord> {
    vec![
        member(1, MemberStatus::Alive),
        member(2, MemberStatus::Failed),
        member(103, MemberStatus::Left),
    ]
}

#[test]
fn the_text_is_an_aligned_table_with_the_own_machine_marked() {
    listing(&three()).run(&["list", "--all"]).printed(
        "  NAME   ADDRESS           STATUS  SINCE\n\
         * vm1    127.0.0.1:8946    alive   3 min ago\n  \
           vm2    127.0.0.2:8946    failed  3 min ago, noticed by vm2, last heard 1.76 s before\n  \
           vm103  127.0.0.103:8946  left    3 min ago\n",
    );
}

#[test]
fn an_ipv6_address_has_brackets_in_text_and_none_in_json() {
    let mut own = member(1, MemberStatus::Alive);
    own.address = "2001:db8::1".to_owned();
    let text = listing(&[own.clone()]).run(&["list"]).stdout;
    assert!(text.contains("* vm1   [2001:db8::1]:8946  alive "), "{text}");
    let json: Value =
        serde_json::from_str(&listing(&[own]).run(&["list", "--json"]).stdout).unwrap();
    assert_eq!(json[0]["address"], "2001:db8::1");
}

#[test]
fn json_is_an_array_of_objects() {
    let ended = listing(&three()).run(&["list", "--all", "--json"]);
    assert_eq!(ended.status, Some(0));
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    let members = json.as_array().unwrap();
    assert_eq!(members.len(), 3);
    assert_eq!(members[0]["id"], "vm1@127.0.0.1:8946/1763688033123");
    assert_eq!(members[0]["name"], "vm1");
    assert_eq!(members[0]["address"], "127.0.0.1");
    assert_eq!(members[0]["port"], 8946);
    assert_eq!(members[0]["status"], "alive");
    assert_eq!(members[0]["incarnation"], 1_763_688_033_123_u64);
    assert_eq!(members[0]["this_machine"], true);
    assert!(members[0]["since"].is_u64());
    assert_eq!((members[0].get("evidence"), members[0].get("suspected_by")), (None, None));
    assert_eq!(members[1]["status"], "failed");
    assert_eq!(members[1]["evidence"], serde_json::json!({"accuser": "vm2", "silent_for": 1769}));
    assert_eq!(members[2]["status"], "left");
    assert_eq!(members[2]["this_machine"], false);
}

#[test]
fn a_suspected_member_is_alive_in_every_format() {
    let listed = |options: &[&str]| listing(&[suspected(3)]).run(&[&["list"], options].concat());
    listed(&[]).printed(
        "  NAME  ADDRESS         STATUS  SINCE\n  \
           vm3   127.0.0.3:8946  alive   3 min ago, suspected by vm2\n",
    );
    let json: Value = serde_json::from_str(&listed(&["--json"]).stdout).unwrap();
    assert_eq!((&json[0]["status"], &json[0]["suspected_by"]), (&"alive".into(), &"vm2".into()));
    let csv = listed(&["--format", "csv"]).stdout;
    assert!(csv.contains(",alive,") && csv.ends_with("/1763688033123,,,,vm2\n"), "{csv}");
    assert_eq!(listed(&["--format", "hosts", "--status", "alive"]).stdout.lines().count(), 3);
    let (json, _) = inventory(&[suspected(3)]);
    assert_eq!(json["memberd_alive"], serde_json::json!({"hosts": ["vm3"]}));
}

#[test]
fn only_all_asks_for_the_gone() {
    for (line, all) in [(&["list"][..], false), (&["list", "--all"], true)] {
        let daemon = listing(&three());
        daemon.run(line);
        assert_eq!(daemon.request(), Request::List { all });
    }
}

const CSV_HEADER: &str =
    "name,address,port,status,since,incarnation,id,noticed_by,silent_ms,tags,suspected_by\n";

/// The formats, each with its output for an empty list. People and shell loops get none, and
/// programs get a valid document.
const OF_NOBODY: [(&str, &str); 7] = [
    ("table", ""),
    ("names", ""),
    ("json", "[]\n"),
    ("csv", CSV_HEADER),
    ("hosts", "# BEGIN memberd\n# END memberd\n"),
    ("ansible", "{\"_meta\":{\"hostvars\":{}},\"memberd\":{}}\n"),
    ("prometheus-sd", "[]\n"),
];

#[test]
fn a_list_of_nobody_is_status_1_and_an_empty_document() {
    for (form, document) in OF_NOBODY {
        let ended = listing(&three()).run(&["list", "--all", "--name", "nobody", "--format", form]);
        ended.failed(
            1,
            "memberctl: --name nobody: no member has such a name: see memberctl list --all\n",
        );
        assert_eq!(ended.stdout, document, "{form}");
    }
}

#[test]
fn outside_a_group_the_document_is_empty_too_beside_the_failure() {
    for (form, document) in OF_NOBODY {
        let ended =
            Daemon::refusing(RefusalKind::NotInGroup, "no").run(&["list", "--format", form]);
        ended.failed(1, "not in a group: memberctl join");
        assert_eq!(ended.stdout, document, "{form}");
    }
    assert_eq!(
        Daemon::refusing(RefusalKind::NotInGroup, "no").run(&["list", "--json"]).stdout,
        "[]\n"
    );
}

#[test]
fn without_a_live_match_it_says_how_to_list_the_others() {
    let words = "no member that is up matches: memberctl list --all shows the others too";
    listing(&three()).run(&["list", "--name", "vm2"]).failed(1, words);
    listing(&tagged()).run(&["list", "--name", "vm103", "--tag", "role=d-b"]).failed(1, words);
    listing(&three())
        .run(&["list", "--status", "failed", "--name", "vm1"])
        .failed(1, "memberctl: no member matches\n");
}

#[test]
fn a_name_or_a_tag_that_no_member_has_is_named() {
    let name = "memberctl: --name vm1x: no member has such a name: see memberctl list --all\n";
    let tag = "memberctl: --tag: no member has such tags: see memberctl list --all --tags\n";
    for line in [
        &["list", "--name", "vm1x"][..],
        &["list", "--all", "--name", "vm1x"],
        &["list", "--name", "vm2,vm1x"],
    ] {
        listing(&tagged()).run(line).failed(1, name);
    }
    for line in [
        &["list", "--tag", "role=nobody"][..],
        &["list", "--status", "left", "--tag", "role=web", "--tag", "x"],
    ] {
        listing(&tagged()).run(line).failed(1, tag);
    }
    run(memberctl().args(["list", "--name", "vm1,"]))
        .failed(2, "a name is empty: write GLOB[,GLOB]...");
    run(memberctl().args(["list", "--name", "[a"]))
        .failed(2, "[a: unclosed character class; missing ']'");
}

#[test]
fn a_port_is_of_use_for_prometheus_only() {
    run(memberctl().args(["list", "--port", "9100"]))
        .failed(2, "--port needs --format prometheus-sd");
    run(memberctl().args(["list", "--port", "0"])).failed(2, "a whole number from 1 to 65535");
}

#[test]
fn a_hostile_name_cannot_reach_the_terminal() {
    let mut bad = member(2, MemberStatus::Alive);
    bad.name = "vm\u{1b}]0;x\u{7}".to_owned();
    let text = listing(&[bad]).run(&["list"]).stdout;
    assert!(text.contains("  vm?]0;x?  127.0.0.2:8946"), "{text}");
}

/// Members out of order, two of which failed or left.
fn many() -> Vec<MemberRecord> {
    let gone = |number, status| member(number, status);
    vec![
        member(1, MemberStatus::Alive),
        member(10, MemberStatus::Alive),
        gone(11, MemberStatus::Left),
        member(2, MemberStatus::Alive),
        gone(3, MemberStatus::Failed),
    ]
}

fn names(line: &[&str]) -> Vec<String> {
    let ended = listing(&many()).run(&[&["list", "--format", "names"], line].concat());
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    ended.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn the_alive_come_first_and_numbers_count() {
    assert_eq!(names(&["--all"]), ["vm1", "vm2", "vm10", "vm3", "vm11"]);
}

#[test]
fn members_are_chosen_by_status_and_by_name() {
    assert_eq!(names(&["--status", "failed"]), ["vm3"]);
    assert_eq!(names(&["--status", "failed,left"]), ["vm3", "vm11"]);
    assert_eq!(names(&["--all", "--name", "vm1*"]), ["vm1", "vm10", "vm11"]);
    assert_eq!(names(&["--all", "--name", "vm?,*10"]), ["vm1", "vm2", "vm10", "vm3"]);
    assert_eq!(names(&["--all", "--name", "vm{1,2},*{3,10}"]), ["vm1", "vm2", "vm10", "vm3"]);
    let daemon = listing(&many());
    daemon.run(&["list", "--status", "left"]);
    assert_eq!(daemon.request(), Request::List { all: true });
}

#[test]
fn any_order_is_to_be_had() {
    let mut members = many();
    for (since, member) in [500, 400, 300, 200, 100].into_iter().zip(&mut members) {
        member.since = since;
        member.incarnation = 1_000 - since;
    }
    let sorted = |key: &str| {
        listing(&members).run(&["list", "--all", "--format", "names", "--sort", key]).stdout
    };
    assert_eq!(sorted("since"), "vm2\nvm10\nvm1\nvm3\nvm11\n");
    assert_eq!(sorted("incarnation"), "vm1\nvm10\nvm2\nvm11\nvm3\n");
    assert_eq!(sorted("address"), "vm1\nvm2\nvm10\nvm3\nvm11\n");
}

#[test]
fn csv_has_a_header_and_a_line_for_each() {
    let text = listing(&three()).run(&["list", "--all", "--format", "csv"]).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], CSV_HEADER.trim_end());
    assert!(
        lines[1].starts_with("vm1,127.0.0.1,8946,alive,20")
            && lines[1].ends_with("/1763688033123,,,,"),
        "{text}"
    );
    assert!(lines[2].ends_with("/1763688033123,vm2,1769,,"), "{text}");
    assert_eq!(lines.len(), 4);
}

#[test]
fn hosts_is_a_block_for_etc_hosts() {
    listing(&three()).run(&["list", "--all", "--format", "hosts"]).printed(
        "# BEGIN memberd\n127.0.0.1\tvm1\n127.0.0.2\tvm2\n127.0.0.103\tvm103\n# END memberd\n",
    );
}

#[test]
fn ansible_is_an_inventory_with_all_variables() {
    let text = listing(&three()).run(&["list", "--all", "--format", "ansible"]).stdout;
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        json["memberd"],
        serde_json::json!({"children": ["memberd_alive", "memberd_failed", "memberd_left"]})
    );
    assert_eq!(json["memberd_failed"], serde_json::json!({"hosts": ["vm2"]}));
    assert_eq!(json["_meta"]["hostvars"]["vm2"]["ansible_host"], "127.0.0.2");
    assert_eq!(json["_meta"]["hostvars"]["vm103"]["memberd_status"], "left");
}

/// One member with this name and these tags.
fn one(name: &str, tags: &[(&str, &str)]) -> Vec<MemberRecord> {
    let mut members = three();
    members.truncate(1);
    members[0].name = name.to_owned();
    members[0].address = "192.0.2.7".to_owned();
    members[0].tags =
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    members
}

/// hosts(5): whoever looks up localhost means this machine.
#[test]
fn hosts_never_leads_localhost_to_another_machine() {
    let mut members = one("LocalHost", &[]);
    members.extend(one("vm2", &[]));
    let ended = listing(&members).run(&["list", "--format", "hosts"]);
    assert_eq!(ended.stdout, "# BEGIN memberd\n192.0.2.7\tvm2\n# END memberd\n");
    assert!(ended.stderr.starts_with("memberctl: 192.0.2.7 is left out, because LocalHost is"));
    assert_eq!((ended.stderr.lines().count(), ended.status), (1, Some(0)));
}

fn inventory(members: &[MemberRecord]) -> (Value, String) {
    let ended = listing(members).run(&["list", "--format", "ansible"]);
    assert_eq!(ended.status, Some(0));
    (serde_json::from_str(&ended.stdout).unwrap(), ended.stderr)
}

/// Ansible evaluates what has a brace, unless it is marked. Its own keys would break the inventory.
#[test]
fn tags_are_no_templates_and_no_keys_of_ansible() {
    let tags = [("a", "{{ 1+1 }}"), ("b", "plain"), ("__ansible_vault", "x")];
    let (json, said) = inventory(&one("vm1", &tags));
    assert_eq!(
        json["_meta"]["hostvars"]["vm1"]["memberd_tags"],
        serde_json::json!({"a": {"__ansible_unsafe": "{{ 1+1 }}"}, "b": "plain"})
    );
    assert!(said.starts_with("memberctl: the tag __ansible_vault of vm1 is not in its"), "{said}");
}

#[test]
fn groups_of_different_tags_differ_or_that_is_reported() {
    let members = [
        one("vm1", &[("zone", "北京")]),
        one("vm2", &[("zone", "東京")]),
        one("vm3", &[("zone", "rack-a")]),
    ];
    let (json, said) = inventory(&members.concat());
    let groups: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        groups[3..],
        ["tag_zone____6de50ef1", "tag_zone____7b0ee99a", "tag_zone_rack_a"],
        "{groups:?}"
    );
    assert_eq!(said, "");
    let (_, said) = inventory(&[members[2].clone(), one("vm4", &[("zone", "rack_a")])].concat());
    let told = "memberctl: the tags zone=rack-a and zone=rack_a are one group, tag_zone_rack_a: ";
    assert!(said.starts_with(told), "{said}");
}

#[test]
fn a_member_with_a_name_of_ansible_gets_another() {
    let (json, said) = inventory(&one("localhost", &[("role", "web")]));
    for group in ["memberd_alive", "tag_role_web"] {
        assert_eq!(json[group], serde_json::json!({"hosts": ["member_localhost"]}));
    }
    let variables = &json["_meta"]["hostvars"]["member_localhost"];
    assert_eq!(variables["ansible_host"], "192.0.2.7");
    let told = "memberctl: the member localhost is the host member_localhost of the inventory";
    assert!(said.starts_with(told) && said.lines().count() == 1, "{said}");
    // A member that has the other name already is another host.
    let (json, said) = inventory(&[one("all", &[]), one("member_all", &[])].concat());
    let hosts = serde_json::json!({"hosts": ["member_all", "member_member_all"]});
    assert_eq!(json["memberd_alive"], hosts);
    assert_eq!(json["_meta"]["hostvars"].as_object().unwrap().len(), 2);
    let told = "memberctl: the member member_all is the host member_member_all of the inventory, \
        because its name stands for a member all: give it another";
    assert!(said.contains(told) && said.lines().count() == 2, "{said}");
}

#[test]
fn tags_that_become_one_label_are_reported() {
    let ended = listing(&one("vm1", &[("a.b", "1"), ("a-b", "2"), ("c", "3")])).run(&[
        "list",
        "--format",
        "prometheus-sd",
    ]);
    assert!(ended.stderr.starts_with("memberctl: vm1: two of its tags have one label"));
    assert_eq!(ended.status, Some(0));
}

#[test]
fn prometheus_sd_has_a_target_for_each() {
    let text = listing(&three())
        .run(&["list", "--all", "--format", "prometheus-sd", "--port", "9100"])
        .stdout;
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 3);
    assert_eq!(json[0]["targets"], serde_json::json!(["127.0.0.1:9100"]));
    assert_eq!(
        (&json[0]["labels"]["member"], &json[1]["labels"]["__meta_memberd_status"]),
        (&"vm1".into(), &"failed".into())
    );
}

/// Metrics are a setting of each machine, so a tag says who serves them, and where.
#[test]
fn a_tag_chooses_the_targets_and_their_ports() {
    let members = [
        one("vm1", &[("metrics", "9946")]),
        one("vm2", &[("role", "web")]),
        one("vm3", &[("metrics", "yes")]),
    ];
    let line = ["list", "--format", "prometheus-sd", "--port-tag", "metrics"];
    let ended = listing(&members.concat()).run(&line);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(ended.stdout.matches("targets").count(), 1, "{ended:?}");
    assert!(ended.stdout.contains(":9946\"]"), "{ended:?}");
    let left_out = "memberctl: vm3: its tag metrics=yes is no port, so it is left out\n";
    assert_eq!(ended.stderr, left_out);
    run(memberctl().args(["list", "--port-tag", "x"])).failed(2, "--port-tag needs --format");
}

#[test]
fn colour_follows_the_option() {
    let coloured = |line: &[&str]| listing(&three()).run(line).stdout.contains("\u{1b}[");
    assert!(coloured(&["list", "--color", "always"]));
    assert!(!coloured(&["list", "--color", "never"]));
    assert!(!coloured(&["list"]));
}

fn tagged() -> Vec<MemberRecord> {
    let mut members = three();
    for (member, role) in members.iter_mut().zip(["web", "web", "d-b"]) {
        member.tags = [("role", role), ("k8s.io", &member.name)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
    }
    members
}

#[test]
fn tags_choose_members_and_are_shown_when_asked_for() {
    listing(&tagged())
        .run(&["list", "--all", "--format", "names", "--tag", "role=web"])
        .printed("vm1\nvm2\n");
    listing(&tagged())
        .run(&["list", "--all", "--format", "names", "--tag", "role", "--tag", "k8s.io=vm103"])
        .printed("vm103\n");
    let table = listing(&tagged()).run(&["list", "--all", "--tags"]).stdout;
    assert!(table.lines().next().unwrap().ends_with("STATUS  TAGS"), "{table}");
    assert!(table.contains("alive   k8s.io=vm1 role=web\n"), "{table}");
    let without = listing(&three()).run(&["list", "--all", "--tags"]).stdout;
    assert!(without.lines().all(|line| !line.ends_with(' ')), "{without}");
    let plain = listing(&tagged()).run(&["list", "--all"]).stdout;
    assert!(!plain.contains("role"), "{plain}");
    assert_eq!(listing(&tagged()).run(&["list", "--tag", "=x"]).status, Some(2));
}

#[test]
fn tags_are_in_every_form_for_other_programs() {
    let printed = |form: &str| listing(&tagged()).run(&["list", "--all", "--format", form]).stdout;
    let json = |form: &str| -> Value { serde_json::from_str(&printed(form)).unwrap() };
    assert_eq!(json("json")[0]["tags"], serde_json::json!({"k8s.io": "vm1", "role": "web"}));
    let inventory = json("ansible");
    assert_eq!(inventory["tag_role_web"], serde_json::json!({"hosts": ["vm1", "vm2"]}));
    assert_eq!(inventory["tag_role_d_b"], serde_json::json!({"hosts": ["vm103"]}));
    assert_eq!(inventory["_meta"]["hostvars"]["vm2"]["memberd_tags"]["role"], "web");
    let labels = &json("prometheus-sd")[0]["labels"];
    assert_eq!(
        (&labels["__meta_memberd_tag_role"], &labels["__meta_memberd_tag_k8s_io"]),
        (&"web".into(), &"vm1".into())
    );
    assert!(printed("csv").lines().nth(1).unwrap().ends_with(",k8s.io=vm1 role=web,"));
}

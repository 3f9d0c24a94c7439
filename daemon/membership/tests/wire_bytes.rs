//! Compares the bytes of every datagram and every call with recorded ones. Members of other builds
//! read them, so no change of the code may change them. Version 1 had the same, with its number,
//! and without the ends of members: the map behind the updates.

#![cfg(test)]

use memberd_membership::{
    AgreementSettings, Body, CallReply, CallRequest, Claim, Digest, FailureEvidence, Forgotten,
    GroupSettings, Identity, Incarnation, JoinRefusal, Message, Name, SentAt, Summary, Suspicion,
    TagKey, TagValue, Tags, Update, VersionedTags, ViewNews, WallTime, wire,
};

use std::time::Duration;

const INCARNATION: Incarnation = Incarnation(1_763_688_033_123);

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn update(address: &str, claim: Claim, tags: VersionedTags) -> Update {
    let identity =
        Identity { name: name("vm3"), address: address.parse().unwrap(), incarnation: INCARNATION };
    Update { identity, claim, tags, ended: None }
}

/// One update of each form.
fn updates() -> Vec<Update> {
    let pair = (TagKey::new("zone").unwrap(), TagValue::new("a").unwrap());
    let tags = VersionedTags::new(2, Tags::new([pair]).unwrap());
    let evidence = FailureEvidence { detected_by: name("vm2"), silent_ms: 1_760 };
    vec![
        update("192.0.2.13:8946", Claim::Alive, tags),
        update("[2001:db8::d]:8946", Claim::Failed(evidence), VersionedTags::default())
            .ended_at(WallTime(INCARNATION.0 + 1_000)),
        update("192.0.2.13:8946", Claim::Left, VersionedTags::default())
            .ended_at(WallTime(INCARNATION.0 + 2_000)),
    ]
}

fn datagram(body: Body) -> Vec<u8> {
    let sent = SentAt { mono: 86_400_000, wall: WallTime(INCARNATION.0 + 86_400_000 - 3) };
    let mut bytes = Vec::new();
    wire::encode(&Message { incarnation: INCARNATION, sent, body }, &mut bytes);
    bytes
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares bytes with the recorded ones, which may be written in several pieces.
fn assert_bytes(what: &str, bytes: &[u8], recorded: &[&str]) {
    assert_eq!(hexadecimal(bytes), recorded.concat(), "{what}");
}

#[test]
fn datagrams_about_the_list_keep_their_bytes() {
    let digest = Digest { count: 5, hash: 0xdead_beef };
    let heartbeat = Body::Heartbeat { hash: 7, delay: Some(-2), updates: updates() };
    assert_bytes(
        "heartbeat",
        &datagram(heartbeat),
        &[
            "8802001a05265c00220721838663766d3346c000020d22f21b0000019aa3ffab630002a1",
            "647a6f6e6561618663766d335220010db800000000000000000000000d22f21b0000019a",
            "a3ffab630163766d321906e08463766d3346c000020d22f21b0000019aa3ffab6302a201",
            "1b0000019aa3ffaf4b021b0000019aa3ffb333019aa3ffab63",
        ],
    );
    assert_bytes(
        "updates",
        &datagram(Body::Updates(updates())),
        &[
            "8602011a05265c0022838663766d3346c000020d22f21b0000019aa3ffab630002a1647a",
            "6f6e6561618663766d335220010db800000000000000000000000d22f21b0000019aa3ff",
            "ab630163766d321906e08463766d3346c000020d22f21b0000019aa3ffab6302a2011b00",
            "00019aa3ffaf4b021b0000019aa3ffb333019aa3ffab63",
        ],
    );
    let summary = Summary { buckets: vec![1, 0x0203_0405] };
    assert_bytes(
        "summary",
        &datagram(Body::Summary(summary)),
        &["8502041a05265c0022480000000102030405019aa3ffab63"],
    );
    let announce = Body::Announce { name: name("vm9"), settings: 3, side: digest };
    assert_bytes(
        "knock",
        &datagram(announce),
        &["8802061a05265c002263766d3903051adeadbeef019aa3ffab63"],
    );
}

#[test]
fn datagrams_about_one_member_keep_their_bytes() {
    let digest = Digest { count: 5, hash: 0xdead_beef };
    let ask = Body::Probe { name: name("vm3"), incarnation: INCARNATION };
    assert_bytes(
        "ask",
        &datagram(ask),
        &["8602021a05265c002263766d331b0000019aa3ffab63019aa3ffab63"],
    );
    let answer =
        Body::ProbeReply { name: name("vm3"), incarnation: INCARNATION, sent: 9, age: 300 };
    assert_bytes(
        "answer",
        &datagram(answer),
        &["8802031a05265c002263766d331b0000019aa3ffab630919012c019aa3ffab63"],
    );
    let declared = Body::DeclaredFailed { incarnation: INCARNATION, side: digest };
    assert_bytes(
        "verdict",
        &datagram(declared),
        &["8702051a05265c00221b0000019aa3ffab63051adeadbeef019aa3ffab63"],
    );
    assert_bytes("leave", &datagram(Body::Leave), &["8402071a05265c0022019aa3ffab63"]);
    assert_bytes(
        "leave heard",
        &datagram(Body::LeaveAcknowledged),
        &["8402081a05265c0022019aa3ffab63"],
    );
}

#[test]
fn datagrams_of_swim_keep_their_bytes() {
    let ping = Body::Ping { hash: 7, delay: None, updates: Vec::new() };
    assert_bytes("ping", &datagram(ping), &["86020a1a05265c002207f6019aa3ffab63"]);
    let request = Body::PingRequest { name: name("vm3"), incarnation: INCARNATION, sent: 9 };
    assert_bytes(
        "ping request",
        &datagram(request),
        &["87020b1a05265c002263766d331b0000019aa3ffab6309019aa3ffab63"],
    );
    let indirect = Body::IndirectPing { requester: name("vm3") };
    assert_bytes("indirect ping", &datagram(indirect), &["85020c1a05265c002263766d33019aa3ffab63"]);
    let suspicion = |by, sent| Suspicion { name: name("vm3"), incarnation: INCARNATION, sent, by };
    let suspicions = Body::Suspicions(vec![suspicion(Some(name("vm2")), 9), suspicion(None, 10)]);
    assert_bytes(
        "suspicions",
        &datagram(suspicions),
        &[
            "85020d1a05265c0022828463766d331b0000019aa3ffab630963766d328463766d331b00",
            "00019aa3ffab630af6019aa3ffab63",
        ],
    );
}

/// A member that was forgotten on request.
fn forgotten() -> Forgotten {
    let identity = update("192.0.2.13:8946", Claim::Left, VersionedTags::default()).identity;
    Forgotten { identity, by: name("vm1"), keep: Duration::from_secs(86_400) }
}

/// Version 2 has these, and version 1 does not.
#[test]
fn messages_about_forgotten_members_keep_their_bytes() {
    let record = "8563766d3346c000020d22f21b0000019aa3ffab6363766d311a05265c00";
    let told = Body::Forgotten { hash: Some(7), records: vec![forgotten()] };
    assert_bytes("forgotten", &datagram(told), &["8602091a05265c00220781", record, "019aa3ffab63"]);
    let sender = update("192.0.2.13:8946", Claim::Alive, VersionedTags::default());
    let request = CallRequest::Forget { sender, forgotten: vec![forgotten()] };
    assert_bytes(
        "forget",
        &wire::encode_versioned(&request),
        &[
            "8202a166466f72676574a26673656e6465728463766d3346c000020d22f21b0000019aa3",
            "ffab630069666f72676f7474656e81",
            record,
        ],
    );
    let reply = CallReply::Forgotten(vec![forgotten()]);
    assert_bytes(
        "all forgotten",
        &wire::encode_versioned(&reply),
        &["8202a169466f72676f7474656e81", record],
    );
    let welcome = CallReply::Welcome { list: Vec::new(), last: 0, forgotten: vec![forgotten()] };
    assert_bytes(
        "welcome",
        &wire::encode_versioned(&welcome),
        &["8202a16757656c636f6d65a3646c69737480646c6173740069666f72676f7474656e81", record],
    );
}

#[test]
fn requests_between_members_keep_their_bytes() {
    let mut all = updates();
    let first = all.remove(0);
    let join = CallRequest::Join { newcomer: first.clone(), settings: GroupSettings::default() };
    assert_bytes(
        "join",
        &wire::encode_versioned(&join),
        &[
            "8202a1644a6f696ea2686e6577636f6d65728663766d3346c000020d22f21b0000019aa3",
            "ffab630002a1647a6f6e6561616873657474696e6773a378196d61785f73696d756c7461",
            "6e656f75735f6661696c7572657304726865617274626561745f696e74657276616ca264",
            "7365637300656e616e6f731a23c346006f6661696c7572655f74696d656f7574a2647365",
            "637301656e616e6f731a2cb41780",
        ],
    );
    let exchange = CallRequest::Exchange { sender: first, list: all };
    assert_bytes(
        "exchange",
        &wire::encode_versioned(&exchange),
        &[
            "8302a16845786368616e6765a26673656e6465728663766d3346c000020d22f21b000001",
            "9aa3ffab630002a1647a6f6e656161646c697374828663766d335220010db80000000000",
            "0000000000000d22f21b0000019aa3ffab630163766d321906e08463766d3346c000020d",
            "22f21b0000019aa3ffab6302a2001b0000019aa3ffaf4b011b0000019aa3ffb333",
        ],
    );
}

#[test]
fn replies_between_members_keep_their_bytes() {
    let welcome = CallReply::Welcome { list: updates(), last: 77, forgotten: Vec::new() };
    assert_bytes(
        "welcome",
        &wire::encode_versioned(&welcome),
        &[
            "8302a16757656c636f6d65a2646c697374838663766d3346c000020d22f21b0000019aa3",
            "ffab630002a1647a6f6e6561618663766d335220010db800000000000000000000000d22",
            "f21b0000019aa3ffab630163766d321906e08463766d3346c000020d22f21b0000019aa3",
            "ffab6302646c617374184da2011b0000019aa3ffaf4b021b0000019aa3ffb333",
        ],
    );
    assert_bytes(
        "list",
        &wire::encode_versioned(&CallReply::List(updates())),
        &[
            "8302a1644c697374838663766d3346c000020d22f21b0000019aa3ffab630002a1647a6f",
            "6e6561618663766d335220010db800000000000000000000000d22f21b0000019aa3ffab",
            "630163766d321906e08463766d3346c000020d22f21b0000019aa3ffab6302a2011b0000",
            "019aa3ffaf4b021b0000019aa3ffb333",
        ],
    );
    let (newcomer, holder) = ("vm3".to_owned(), "vm4".to_owned());
    let refusals: [(JoinRefusal, &[&str]); 7] = [
        (JoinRefusal::NotInGroup, &["8202a167526566757365646a4e6f74496e47726f7570"]),
        (
            JoinRefusal::NameTaken { newcomer: newcomer.clone(), holder: holder.clone() },
            &[
                "8202a16752656675736564a1694e616d6554616b656ea2686e6577636f6d657263766d33",
                "66686f6c64657263766d34",
            ],
        ),
        (
            JoinRefusal::AddressTaken { newcomer: newcomer.clone(), holder },
            &[
                "8202a16752656675736564a16c4164647265737354616b656ea2686e6577636f6d657263",
                "766d3366686f6c64657263766d34",
            ],
        ),
        (
            JoinRefusal::Settings {
                setting: "k".to_owned(),
                newcomer: "4".to_owned(),
                group: "5".to_owned(),
            },
            &[
                "8202a16752656675736564a16853657474696e6773a36773657474696e67616b686e6577",
                "636f6d657261346567726f75706135",
            ],
        ),
        (
            JoinRefusal::ClockAhead { newcomer },
            &["8202a16752656675736564a16a436c6f636b4168656164a1686e6577636f6d657263766d", "33"],
        ),
        (
            JoinRefusal::Version { group: 2 },
            &["8202a16752656675736564a16756657273696f6ea16567726f757002"],
        ),
        (JoinRefusal::Malformed, &["8202a16752656675736564694d616c666f726d6564"]),
    ];
    for (refusal, recorded) in refusals {
        let what = format!("{refusal:?}");
        assert_bytes(&what, &wire::encode_versioned(&CallReply::Refused(refusal)), recorded);
    }
}

#[test]
fn the_fingerprints_of_the_default_settings_are_fixed() {
    assert_eq!(GroupSettings::default().fingerprint(), 2_652_485_389);
    assert_eq!(GroupSettings::swim().fingerprint(), 1_185_480_453);
}

/// Only members that agree on views say so.
#[test]
fn the_news_of_a_view_keep_their_bytes() {
    let news =
        ViewNews { founding: [1; 16], recoveries: 0, recovery: [0; 16], number: 18, hash: [2; 32] };
    let (ones, zeros, twos) = ("01".repeat(16), "00".repeat(16), "02".repeat(32));
    let recorded = ["89020e1a05265c002250", &ones, "0050", &zeros, "125820", &twos, "019aa3ffab63"];
    assert_bytes("view", &datagram(Body::View(news)), &recorded);
    assert_eq!(wire::decode(&datagram(Body::View(news))).unwrap().body, Body::View(news));
}

#[test]
fn a_join_with_agreed_views_says_their_settings() {
    let newcomer = update("192.0.2.13:8946", Claim::Alive, VersionedTags::default());
    let agreement = AgreementSettings {
        initial_council: vec![name("vm1"), name("vm2")],
        council: 9,
        lease: Duration::from_secs(3),
    };
    let settings = GroupSettings { agreement: Some(agreement), ..GroupSettings::default() };
    let with = hexadecimal(&wire::encode_versioned(&CallRequest::Join {
        newcomer: newcomer.clone(),
        settings: settings.clone(),
    }));
    let without = CallRequest::Join { newcomer, settings: GroupSettings::default() };
    let without = hexadecimal(&wire::encode_versioned(&without));
    assert!(!without.contains("6167726565"), "without them there is not one byte more");
    // The map has one field more, which is the last: agreement = {initial_council, council, lease}.
    let field = "6961677265656d656e74a36f696e697469616c5f636f756e63696c8263766d3163766d32\
                 67636f756e63696c09656c65617365a2647365637303656e616e6f7300";
    assert!(with.ends_with(field), "{with}");
    assert_eq!(settings.fingerprint(), FINGERPRINT_OF_AGREEMENT);
}

/// That of the ring's defaults, founded by vm1 and vm2, with a council of 9 and a lease of 3 s.
const FINGERPRINT_OF_AGREEMENT: u32 = 3_760_705_781;

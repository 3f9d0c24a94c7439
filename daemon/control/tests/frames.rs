//! Laws of the framing: every message is decoded as it was encoded, and no bytes cause a panic.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use memberd_control::frame::{
    FrameError, HEADER_BYTES, Message, REPLY_CAP, decode, encode, length, read_frame, write_frame,
};
use memberd_control::grep::{
    GrepAsker, GrepCharacters, GrepColors, GrepCopy, GrepFiles, GrepFollow, GrepJournal,
    GrepMembers, GrepOrder, GrepOutcome, GrepPattern, GrepPosition, GrepPrint, GrepPrinting,
    GrepRequest, GrepSyntax, GrepTotals, OutputFile,
};
use memberd_control::message::{
    Change, ChangeKinds, EventRecord, EventsFrom, EvidenceRecord, Follow, Founded, Hello,
    MemberRecord, MemberStatus, MissedRecord, NeighbourRecord, PendingRecord, RefusalKind,
    ReloadReport, Reply, Request, RequestRefusal, RingPart, RunningGrep, SettingChange,
    StatusReport, ViewChange, ViewEventRecord, ViewOperation, ViewSummary,
};
use memberd_control::stats::{StatsQuestion, StatsRequest};
use memberd_control::tags::{TagFilter, Tags};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn hello() -> impl Strategy<Value = Hello> {
    (any::<u32>(), any::<String>()).prop_map(|(protocol, program)| Hello { protocol, program })
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        vec(any::<String>(), 0..4).prop_map(|introducers| Request::Join { introducers }),
        Just(Request::Leave),
        any::<bool>().prop_map(|all| Request::List { all }),
        Just(Request::Status),
        Just(Request::Events),
        grep_request().prop_map(|request| Request::Grep(Box::new(request))),
        (grep_request(), question()).prop_map(|(grep, question)| {
            let StatsQuestion { query, groups, bytes, every_ms } = question;
            Request::Stats(Box::new(StatsRequest { grep, query, groups, bytes, every_ms }))
        }),
        follow().prop_map(Request::Follow),
        option::of(any::<String>()).prop_map(|filter| Request::Log { filter }),
        Just(Request::Metrics),
        Just(Request::Ring),
        Just(Request::Reload),
    ]
}

prop_compose! {
    fn follow()(
        from in prop_oneof![
            any::<u64>().prop_map(EventsFrom::Since),
            any::<u64>().prop_map(EventsFrom::Last),
        ],
        kinds in prop_oneof![Just(ChangeKinds::Liveness), Just(ChangeKinds::All)],
        until in any::<Option<u64>>(),
    ) -> Follow {
        Follow { from, kinds, until }
    }
}

prop_compose! {
    fn pattern()(
        // No pattern contains a newline.
        patterns in vec(vec(prop_oneof![0..b'\n', b'\n' + 1..=u8::MAX], 0..20), 0..4),
        syntax in prop_oneof![
            Just(GrepSyntax::Basic),
            Just(GrepSyntax::Extended),
            Just(GrepSyntax::Fixed),
            Just(GrepSyntax::Perl),
        ],
        characters in prop_oneof![Just(GrepCharacters::Utf8), Just(GrepCharacters::Bytes)],
        flags in any::<[bool; 5]>(),
    ) -> GrepPattern {
        let [ignore_case, invert, words, whole_lines, null_data] = flags;
        GrepPattern {
            patterns, syntax, characters, ignore_case, invert, words, whole_lines, null_data,
        }
    }
}

prop_compose! {
    fn files()(
        globs in vec(vec(any::<String>(), 0..4), 6),
        flags in any::<[bool; 3]>(),
        priority in any::<Option<String>>(),
        span in any::<(Option<i64>, Option<i64>)>(),
    ) -> GrepFiles {
        let [rotated, journal, follow] = flags;
        let [globs, include, exclude, units, matches, only] =
            <[Vec<String>; 6]>::try_from(globs).unwrap();
        let boot = priority.clone().filter(|_| rotated);
        let identifiers = if follow { units.clone() } else { Vec::new() };
        let journal = journal.then_some(GrepJournal {
            units, priority, identifiers, boot, dmesg: rotated, user_units: include.clone(),
            facilities: exclude.clone(), namespace: None, matches,
        });
        let (since, until) = span;
        GrepFiles { globs, include, exclude, rotated, journal, since, until, follow, only }
    }
}

prop_compose! {
    fn printing()(
        what in prop_oneof![
            Just(GrepPrint::Lines),
            Just(GrepPrint::Matches),
            Just(GrepPrint::Count),
            Just(GrepPrint::FilesWithMatch),
            Just(GrepPrint::FilesWithoutMatch),
            Just(GrepPrint::Nothing),
        ],
        flags in any::<[bool; 8]>(),
        max_count in any::<Option<u64>>(),
        context in any::<(Option<u32>, Option<u32>)>(),
        group_separator in any::<Option<Vec<u8>>>(),
        colors in any::<bool>(),
    ) -> GrepPrinting {
        let [line_numbers, byte_offsets, initial_tab, no_names, flags @ ..] = flags;
        let [null_after_names, no_messages, json, by_time] = flags;
        GrepPrinting {
            what, line_numbers, byte_offsets, initial_tab, no_names, null_after_names, no_messages,
            max_count, before_context: context.0, after_context: context.1, group_separator, json,
            by_time, colors: colors.then(GrepColors::default), ..GrepPrinting::default()
        }
    }
}

fn tag_filter() -> impl Strategy<Value = TagFilter> {
    any::<(String, Option<String>)>().prop_map(|(key, value)| TagFilter { key, value })
}

prop_compose! {
    fn grep_request()(
        pattern in pattern(),
        files in files(),
        printing in printing(),
        on in vec(any::<String>(), 0..4),
        not_on in vec(any::<String>(), 0..4),
        tags in vec(tag_filter(), 0..3),
        output_file in option::of(any::<[u64; 2]>()),
        asker in option::of(any::<(String, Option<String>, Option<u32>)>()),
        order in prop_oneof![
            Just(GrepOrder::Found), Just(GrepOrder::Auto), Just(GrepOrder::Name),
        ],
        copies in any::<bool>(),
        kept_of in option::of(any::<String>()),
        follow_from in option::of((any::<(bool, u64)>(), vec(position(), 0..4))),
        stats in option::of(question()),
    ) -> GrepRequest {
        let output_file = output_file.map(|[device, inode]| OutputFile { device, inode });
        let members = GrepMembers { on, not_on, tags };
        let asker = asker.map(|(member, user, uid)| GrepAsker { member, user, uid });
        GrepRequest {
            members,
            pattern,
            files,
            printing,
            output_file,
            asker,
            order,
            copies,
            kept_of,
            follow_from: follow_from
                .map(|((again, since_ms), positions)| GrepFollow {
                again,
                since_ms,
                positions,
            }),
            stats,
        }
    }
}

fn question() -> impl Strategy<Value = StatsQuestion> {
    any::<(String, u64, u64, Option<u64>)>().prop_map(|(query, groups, bytes, every_ms)| {
        StatsQuestion { query, groups, bytes, every_ms }
    })
}

fn position() -> impl Strategy<Value = GrepPosition> {
    any::<(u64, u64, u64, Option<u64>, Option<u64>)>().prop_map(GrepPosition::from)
}

fn standing() -> impl Strategy<Value = MemberStatus> {
    prop_oneof![Just(MemberStatus::Alive), Just(MemberStatus::Failed), Just(MemberStatus::Left)]
}

prop_compose! {
    fn member()(
        words in any::<[String; 3]>(),
        port in any::<u16>(),
        status in standing(),
        incarnation in any::<u64>(),
        this_machine in any::<bool>(),
        since in any::<u64>(),
        evidence in option::of((any::<String>(), any::<u64>())
            .prop_map(|(accuser, silent_for)| EvidenceRecord { accuser, silent_for })),
        suspected_by in any::<Option<String>>(),
        tags in any::<Tags>(),
    ) -> MemberRecord {
        let [id, name, address] = words;
        MemberRecord {
            id, name, address, port, status, incarnation, this_machine, since, evidence,
            suspected_by, tags,
        }
    }
}

prop_compose! {
    fn neighbour()(
        name in any::<String>(),
        heartbeat_age in any::<Option<u64>>(),
        clock_offset in any::<Option<i64>>(),
        flags in any::<[bool; 3]>(),
        smallest_delay in any::<Option<u64>>(),
        lost_permille in any::<Option<u16>>(),
        suspected_by in any::<Option<String>>(),
    ) -> NeighbourRecord {
        let [agrees, watched, watches] = flags;
        NeighbourRecord {
            name, heartbeat_age, clock_offset, agrees, watched, watches, smallest_delay,
            lost_permille, suspected_by,
        }
    }
}

fn running_grep() -> impl Strategy<Value = RunningGrep> {
    any::<(Option<String>, u64)>()
        .prop_map(|(pattern, running_for)| RunningGrep { pattern, running_for })
}

prop_compose! {
    fn status_report()(
        words in any::<[String; 5]>(),
        id in any::<Option<String>>(),
        counts in any::<[u64; 5]>(),
        neighbours in vec(neighbour(), 0..4),
        counters in vec(any::<(String, u64)>(), 0..4),
        warnings in vec(any::<String>(), 0..4),
        greps in vec(running_grep(), 0..3),
        searches in any::<u64>(),
        tags in any::<Tags>(),
        keys in vec(any::<String>(), 0..3),
        view in option::of(view_summary()),
    ) -> StatusReport {
        let [version, phase, name, address, digest] = words;
        let [uptime, alive, failed, left, suspected] = counts;
        StatusReport {
            version, phase, name, address, id, uptime, alive, failed, left, suspected, digest,
            neighbours, counters, warnings, greps, searches, tags, keys, view,
        }
    }
}

fn view_summary() -> impl Strategy<Value = ViewSummary> {
    let numbers = any::<([u64; 4], bool, Option<u64>)>();
    (numbers, any::<Option<String>>(), vec(any::<String>(), 0..3)).prop_map(
        |(([number, term, members, pending], exclusive, stale_ms), leader, missing)| ViewSummary {
            number,
            term,
            leader,
            exclusive,
            members,
            pending,
            stale_ms,
            missing,
        },
    )
}

fn view_event() -> impl Strategy<Value = ViewEventRecord> {
    let change = prop_oneof![
        Just(ViewChange::Installed),
        Just(ViewChange::Elected),
        Just(ViewChange::Lost),
        Just(ViewChange::Pending),
        Just(ViewChange::Finished),
        Just(ViewChange::Stale),
        Just(ViewChange::Fresh),
    ];
    let names = || vec(any::<String>(), 0..3);
    let operations = vec(any::<String>(), 0..3).prop_map(|names| {
        let operation = |name| PendingRecord { operation: ViewOperation::Delete, name };
        names.into_iter().map(operation).collect()
    });
    let numbers = any::<([u64; 3], [Option<u64>; 2])>();
    let texts = any::<[Option<String>; 3]>();
    (change, numbers, texts, [names(), names(), names()], operations).prop_map(
        |(change, ([time, number, members], [term, after_ms]), texts, lists, operations)| {
            let ([leader, by, reason], [added, removed, missing]) = (texts, lists);
            ViewEventRecord {
                time,
                change,
                number,
                term,
                leader,
                added,
                removed,
                members,
                operations,
                by,
                reason,
                missing,
                after_ms,
            }
        },
    )
}

fn refusal() -> impl Strategy<Value = RequestRefusal> {
    let kind = prop_oneof![
        Just(RefusalKind::NotInGroup),
        Just(RefusalKind::Failed),
        Just(RefusalKind::NotPermitted),
        Just(RefusalKind::Usage),
        Just(RefusalKind::TimedOut),
        Just(RefusalKind::Version),
    ];
    (kind, any::<String>()).prop_map(|(kind, message)| RequestRefusal { kind, message })
}

fn outcome() -> impl Strategy<Value = GrepOutcome> {
    prop_oneof![
        any::<[u64; 5]>().prop_map(|[files, bytes, lines, errors, milliseconds]| {
            GrepOutcome::Searched(GrepTotals {
                files,
                bytes,
                lines,
                errors,
                milliseconds,
                unmatched: vec!["*.log".to_owned()],
            })
        }),
        any::<String>().prop_map(GrepOutcome::Lost),
        any::<String>().prop_map(GrepOutcome::Dropped),
        any::<(u64, bool)>().prop_map(|(failed, left)| GrepOutcome::NotAsked { failed, left }),
    ]
}

fn copy() -> impl Strategy<Value = GrepCopy> {
    (any::<String>(), any::<(u64, bool, Option<u64>)>(), any::<[u64; 2]>()).prop_map(
        |(keeper, (since, left, behind_ms), [dropped_bytes, lost_bytes])| GrepCopy {
            keeper,
            since,
            left,
            behind_ms,
            dropped_bytes,
            lost_bytes,
        },
    )
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        view_event().prop_map(|event| Reply::ViewEvent(Box::new(event))),
        (any::<(bool, String, bool)>(), option::of(any::<String>())).prop_map(|(report, value)| {
            let (reloaded, key, in_force) = report;
            let change = SettingChange { key, before: None, after: value, in_force };
            Reply::Reloaded(ReloadReport {
                reloaded,
                changed: vec![change],
                problems: Vec::new(),
                key_is_credential: in_force,
            })
        }),
        any::<(String, u64, bool)>().prop_map(|(id, alive, already)| Reply::Joined {
            founded: already.then_some(Founded::NoIntroducers),
            id,
            alive,
            already
        }),
        any::<bool>().prop_map(|was_member| Reply::Left { was_member }),
        vec(member(), 0..6).prop_map(Reply::Members),
        status_report().prop_map(|report| Reply::Status(Box::new(report))),
        (
            any::<u64>(),
            prop_oneof![Just(Change::Liveness), Just(Change::Tags)],
            standing(),
            member()
        )
            .prop_map(|(time, change, status, member)| Reply::Event(EventRecord {
                time,
                change,
                status,
                member
            })),
        // Longer than the decoder's own buffer of 4,096 bytes.
        (any::<String>(), vec(any::<u8>(), 0..20_000))
            .prop_map(|(member, bytes)| Reply::GrepOutput { member, bytes }),
        any::<(String, String)>().prop_map(|(member, text)| Reply::GrepMessage { member, text }),
        (any::<String>(), vec(any::<u8>(), 0..20_000))
            .prop_map(|(member, bytes)| Reply::StatsPartial { member, bytes }),
        any::<(String, bool)>()
            .prop_map(|(member, is_whole)| Reply::StatsRound { member, is_whole }),
        any::<[u64; 3]>().prop_map(|[asked, answered, bytes]| Reply::GrepProgress {
            asked,
            answered,
            bytes
        }),
        any::<String>().prop_map(Reply::GrepNotice),
        (any::<String>(), outcome())
            .prop_map(|(member, outcome)| Reply::GrepMember { member, outcome }),
        (any::<String>(), copy()).prop_map(|(member, copy)| Reply::GrepCopy { member, copy }),
        Just(Reply::Done),
        refusal().prop_map(Reply::Refused),
        any::<(u64, Option<u64>)>()
            .prop_map(|(until, count)| Reply::EventsMissed(MissedRecord { until, count })),
        any::<String>().prop_map(Reply::Metrics),
        any::<(u8, Vec<String>)>().prop_map(|(max_simultaneous_failures, names)| Reply::Ring(
            RingPart { max_simultaneous_failures, names }
        )),
    ]
}

/// Encodes and decodes with the pure functions and with the blocking ones.
fn comes_back<M: Message + PartialEq + std::fmt::Debug>(message: &M) -> Result<(), TestCaseError> {
    let frame = encode(message).unwrap();
    let (header, body) = frame.split_first_chunk::<HEADER_BYTES>().unwrap();
    prop_assert_eq!(length(*header, M::CAP).unwrap(), body.len());
    prop_assert_eq!(&decode::<M>(body).unwrap(), message);

    let mut stream = Vec::new();
    write_frame(&mut stream, message).unwrap();
    write_frame(&mut stream, message).unwrap();
    let mut reader = stream.as_slice();
    prop_assert_eq!(&read_frame::<M>(&mut reader).unwrap(), message);
    prop_assert_eq!(&read_frame::<M>(&mut reader).unwrap(), message);
    prop_assert!(matches!(read_frame::<M>(&mut reader), Err(FrameError::Closed)));
    Ok(())
}

/// The functions return for any bytes, and what they accept can be encoded.
fn is_judged(bytes: &[u8]) {
    fn judge<M: Message>(bytes: &[u8]) {
        let _ = read_frame::<M>(&mut &*bytes);
        if let Ok(message) = decode::<M>(bytes) {
            // It may be longer than the input, since records can omit optional fields. So only the
            // return counts.
            let _ = encode(&message);
        }
    }
    judge::<Hello>(bytes);
    judge::<Request>(bytes);
    judge::<Reply>(bytes);
}

proptest! {
    #[test]
    fn every_hello_comes_back(message in hello()) {
        comes_back(&message)?;
    }

    #[test]
    fn every_request_comes_back(message in request()) {
        comes_back(&message)?;
    }

    #[test]
    fn every_reply_comes_back(message in reply()) {
        comes_back(&message)?;
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        is_judged(&bytes);
    }

    #[test]
    fn a_changed_byte_never_panics(
        message in reply(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut frame = encode(&message).unwrap();
        let place = place.index(frame.len());
        frame[place] = byte;
        is_judged(&frame);
        is_judged(&frame[HEADER_BYTES..]);
    }

    #[test]
    fn a_missing_end_is_an_error(message in request(), cut in any::<prop::sample::Index>()) {
        let frame = encode(&message).unwrap();
        let cut = cut.index(frame.len());
        prop_assert!(read_frame::<Request>(&mut &frame[..cut]).is_err());
    }
}

#[test]
fn a_whole_mebibyte_of_output_is_too_long_for_a_reply() {
    let output = |count| Reply::GrepOutput { member: "vm3".to_owned(), bytes: vec![b'x'; count] };
    assert!(matches!(encode(&output(REPLY_CAP)), Err(FrameError::TooLong { .. })));
    let frame = encode(&output(REPLY_CAP - 100)).unwrap();
    assert_eq!(decode::<Reply>(&frame[HEADER_BYTES..]).unwrap(), output(REPLY_CAP - 100));
}

#[test]
fn a_full_part_of_the_list_fits_a_reply() {
    let longest = MemberRecord {
        id: "n".repeat(330),
        name: "n".repeat(255),
        address: "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255".to_owned(),
        port: u16::MAX,
        status: MemberStatus::Failed,
        incarnation: u64::MAX,
        this_machine: false,
        since: u64::MAX,
        evidence: Some(EvidenceRecord { accuser: "n".repeat(255), silent_for: u64::MAX }),
        suspected_by: Some("n".repeat(255)),
        tags: (10..26).map(|key| (format!("key{key}"), "v".repeat(11))).collect(),
    };
    let part = vec![longest; memberd_control::message::MEMBERS_PER_REPLY];
    assert!(encode(&Reply::Members(part)).is_ok());
}

//! What real searches print is taken from their own member, in any pieces, and from no other.

use super::super::answer_fault::MAX_ANSWERED_FILES;
use super::*;
use memberd_control::grep::{GrepColors, GrepPrinting, GrepTotals};
use memberd_control::stats::StatsQuestion;
use memberd_search::{Output, Query, Stopped};
use proptest::prelude::*;
use std::sync::atomic::AtomicBool;

const TEXT: &[u8] = b"one x\ntwo\nthree\nfour x x\n\xc3\xa4 \"x\"\\\x1b\nx\xff\n\nlast x";

/// Sums come only in answer to a question, and no lines.
#[test]
fn a_question_is_answered_with_sums_alone() {
    let member = Name::new("vm2").unwrap();
    let mut request = GrepRequest::default();
    let partial = |bytes| PeerReply::Partial(vec![0; bytes]);
    let mut check = AnswerCheck::new(&member, &request, false);
    assert_eq!(check.check(partial(1)), Err(AnswerFault::Unasked));
    request.stats = Some(StatsQuestion::default());
    let mut check = AnswerCheck::new(&member, &request, false);
    assert_eq!(check.check(partial(MAX_PARTIAL_BYTES)), Ok(partial(MAX_PARTIAL_BYTES)));
    assert_eq!(check.check(partial(MAX_PARTIAL_BYTES + 1)), Err(AnswerFault::Unasked));
    let lines = PeerReply::Lines(b"vm2:/a:x\n".to_vec());
    assert_eq!(check.check(lines), Err(AnswerFault::Unasked));
}

/// The forms of output, each with a change of the options.
fn requests() -> Vec<GrepRequest> {
    let mut requests = Vec::new();
    let whats = [
        GrepPrint::Lines,
        GrepPrint::Matches,
        GrepPrint::Count,
        GrepPrint::FilesWithMatch,
        GrepPrint::FilesWithoutMatch,
    ];
    // Every third combination has every pair of options.
    for bits in (0_u32..1 << 8).step_by(3) {
        for what in whats {
            let has = |bit: u32| bits & 1 << bit != 0;
            let mut request = GrepRequest::default();
            request.pattern.patterns = vec![b"x".to_vec()];
            request.pattern.null_data = has(0);
            request.printing = GrepPrinting {
                what,
                no_names: has(1),
                null_after_names: has(2),
                colors: has(3).then(GrepColors::default),
                after_context: has(4).then_some(1),
                line_numbers: has(5),
                initial_tab: has(5),
                byte_offsets: has(5),
                name_width: has(6).then_some(9),
                json: has(7),
                ..GrepPrinting::default()
            };
            requests.push(request);
        }
    }
    requests
}

#[derive(Default)]
struct Printed(Vec<u8>);

impl Output for Printed {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.0.extend(bytes);
        Ok(())
    }

    fn message(&mut self, _: String) -> Result<(), Stopped> {
        Ok(())
    }
}

fn printed(request: &GrepRequest) -> Vec<u8> {
    let query = Query {
        pattern: request.pattern.clone(),
        printing: request.printing.clone(),
        ..Query::default()
    };
    let (search, mut printed) = (query.compile().unwrap(), Printed::default());
    for file in ["/var/log/a", "/b\nvm2:/c"] {
        search.run_stream("vm1", file, &mut &TEXT[..], &mut printed, &AtomicBool::new(false));
    }
    printed.0
}

fn check(name: &str, request: &GrepRequest) -> AnswerCheck {
    AnswerCheck::new(&Name::new(name).unwrap(), request, false)
}

#[test]
fn what_a_search_prints_is_taken_in_any_pieces() {
    for (number, request) in requests().into_iter().enumerate() {
        let text = printed(&request);
        let whole = check("vm1", &request).check(PeerReply::Lines(text.clone()));
        assert_eq!(whole, Ok(PeerReply::Lines(text.clone())), "{:?}", request.printing);
        // All requests together are cut at all places.
        for at in (number % 13..text.len()).step_by(13) {
            let (first, rest) = text.split_at(at);
            let mut check = check("vm1", &request);
            let Ok(PeerReply::Part(mut passed)) = check.check(PeerReply::Part(first.to_vec()))
            else {
                panic!("{at} of {}: {:?}", text.escape_ascii(), request.printing);
            };
            assert!(first.starts_with(&passed));
            match check.check(PeerReply::Lines(rest.to_vec())) {
                Ok(PeerReply::Lines(more)) => passed.extend(more),
                other => panic!("{other:?} at {at} of {}", text.escape_ascii()),
            }
            assert_eq!(passed, text);
            assert_eq!(check.closing(), b"");
        }
    }
}

#[test]
fn what_a_search_prints_is_taken_from_no_other_member() {
    for request in requests() {
        let text = printed(&request);
        let has_names = !request.printing.no_names
            || request.printing.json
            || !matches!(
                request.printing.what,
                GrepPrint::Lines | GrepPrint::Matches | GrepPrint::Count
            );
        if has_names && !text.is_empty() {
            for other in ["vm2", "vm", "vm11"] {
                check(other, &request).check(PeerReply::Lines(text.clone())).unwrap_err();
            }
        }
        // Without its last byte, a line has no end.
        if let Some((_, cut)) = text.split_last().filter(|_| !request.printing.no_names) {
            check("vm1", &request).check(PeerReply::Lines(cut.to_vec())).unwrap_err();
        }
    }
}

#[test]
fn pieces_come_in_the_order_that_was_asked_for() {
    let plain = GrepRequest::default();
    let mut by_time = plain.clone();
    by_time.printing.by_time = true;
    let line = || b"vm1:/a:x\n".to_vec();
    let timed = |bytes: &[u8]| {
        let mut lines = TimedLines::default();
        lines.push(5, b"");
        lines.push(5, bytes);
        PeerReply::Timed(lines)
    };
    let done = || PeerReply::Done(GrepTotals::default());
    let unasked = |request: &GrepRequest, replies: Vec<PeerReply>| {
        let mut check = check("vm1", request);
        let mut replies = replies.into_iter().map(|reply| check.check(reply).err());
        replies.find_map(|fault| fault)
    };
    let is = |fault| Some(fault);
    assert_eq!(unasked(&plain, vec![PeerReply::Lines(line()), done()]), None);
    assert_eq!(unasked(&plain, vec![timed(b"")]), is(AnswerFault::Unasked));
    assert_eq!(unasked(&plain, vec![PeerReply::TimedPart(5, line())]), is(AnswerFault::Unasked));
    let part = || PeerReply::Part(line());
    assert_eq!(unasked(&plain, vec![part(), done()]), is(AnswerFault::Unended));
    assert_eq!(unasked(&plain, vec![part(), PeerReply::Refused(String::new())]), None);
    assert_eq!(unasked(&by_time, vec![timed(&line()), timed(b""), done()]), None);
    assert_eq!(unasked(&by_time, vec![PeerReply::Lines(line())]), is(AnswerFault::Unasked));
    assert_eq!(unasked(&by_time, vec![part()]), is(AnswerFault::Unasked));
    assert_eq!(unasked(&by_time, vec![timed(b"vm1:/a:x")]), is(AnswerFault::Unended));
    assert_eq!(unasked(&by_time, vec![timed(b"vm2:/a:x\n")]), is(AnswerFault::Name));
    let long = || PeerReply::TimedPart(5, b"vm1:/a:lo".to_vec());
    let end = || PeerReply::Lines(b"ng\n".to_vec());
    assert_eq!(unasked(&by_time, vec![long(), end(), timed(&line())]), None);
    assert_eq!(unasked(&by_time, vec![long(), timed(&line())]), is(AnswerFault::Unasked));
    let mut quiet = plain;
    quiet.printing.what = GrepPrint::Nothing;
    assert_eq!(unasked(&quiet, vec![PeerReply::Lines(line())]), is(AnswerFault::Unasked));
}

/// No end of a line ever comes.
#[test]
fn a_line_and_an_answer_have_an_end() {
    let mut unended = check("vm1", &GrepRequest::default());
    unended.check(PeerReply::Part(b"vm1:/a:".to_vec())).unwrap();
    let piece = || PeerReply::Part(vec![b'x'; 16 << 20]);
    let pieces = (0..).find_map(|count| unended.check(piece()).err().map(|fault| (count, fault)));
    assert_eq!(pieces, Some((8, AnswerFault::TooLong)));
    assert_eq!(unended.closing(), b"\n");
    let mut request = GrepRequest::default();
    request.printing.what = GrepPrint::Count;
    let mut counts = check("vm1", &request);
    let piece = || PeerReply::Lines(b"vm1:/a:1\n".repeat(MAX_ANSWERED_FILES / 2));
    assert!(counts.check(piece()).is_ok() && counts.check(piece()).is_ok());
    assert_eq!(counts.check(piece()), Err(AnswerFault::Files));
}

/// What is passed on of these pieces, and is closed where they end.
fn passed(request: &GrepRequest, pieces: &[(bool, String)]) -> String {
    let mut check = check("vm1", request);
    let mut passed = Vec::new();
    for (is_part, text) in pieces {
        let bytes = text.clone().into_bytes();
        let reply = if *is_part { PeerReply::Part(bytes) } else { PeerReply::Lines(bytes) };
        match check.check(reply) {
            Ok(PeerReply::Part(bytes) | PeerReply::Lines(bytes)) => passed.extend(bytes),
            _ => break,
        }
    }
    passed.extend(check.closing());
    String::from_utf8(passed).unwrap()
}

/// Pieces made of what answers are made of, in any order.
fn pieces(words: &'static [&'static str]) -> impl Strategy<Value = Vec<(bool, String)>> {
    let text = proptest::collection::vec(proptest::sample::select(words), 0..8);
    let piece = (any::<bool>(), text.prop_map(|words| words.concat()));
    proptest::collection::vec(piece, 0..6)
}

const TEXT_WORDS: &[&str] =
    &["vm1:/", "vm1", ":/", "vm2:/a:x\n", "a:", "x", "\n", "--\n", "-", "1", "vm1:/a:1\n"];

const JSON_WORDS: &[&str] = &[
    "{\"schema\":1,\"type\":\"match\",\"member\":\"vm1\",\"file\":\"/",
    "{\"schema\":1,\"type\":\"match\",\"member\":\"vm2\",\"file\":\"/",
    "\"",
    ",\"text\":\"",
    ",\"member\":\"vm2\"",
    ",\"x\":",
    "[",
    "]",
    "{\"start\":",
    "}",
    "}\n",
    "1",
    ",",
    "ä",
    "\\u001b",
    "\\",
];

proptest! {
    #[test]
    fn every_line_that_is_passed_on_has_its_members_name(pieces in pieces(TEXT_WORDS)) {
        for what in [GrepPrint::Lines, GrepPrint::Count, GrepPrint::FilesWithMatch] {
            let mut request = GrepRequest::default();
            request.printing.what = what;
            let passed = passed(&request, &pieces);
            prop_assert!(passed.is_empty() || passed.ends_with('\n'), "{:?}", passed);
            prop_assert!(passed.lines().all(|line| line.starts_with("vm1:/")), "{:?}", passed);
        }
    }

    #[test]
    fn every_object_that_is_passed_on_names_its_member(pieces in pieces(JSON_WORDS)) {
        let mut request = GrepRequest::default();
        request.printing.json = true;
        let passed = passed(&request, &pieces);
        prop_assert!(passed.is_empty() || passed.ends_with('\n'), "{:?}", passed);
        for line in passed.lines() {
            let object = serde_json::from_str::<serde_json::Value>(line);
            let member = object.as_ref().map(|object| object["member"].as_str());
            prop_assert_eq!(member.ok().flatten(), Some("vm1"), "{:?}", line);
        }
    }
}

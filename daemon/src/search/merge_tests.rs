//! Tests the merge without a network: it compares the members' frames with the output.

use super::super::context::Asker;
use super::super::limits::Limits;
use super::super::local::LocalSearcher;
use super::*;
use memberd_control::grep::GrepRequest;
use memberd_search::ExposedFiles;
use memberd_transport::{Caller, Seal};
use proptest::prelude::*;

/// The client's output when members send these frames.
fn merged(members: Vec<Vec<PeerReply>>) -> String {
    merged_with("", members)
}

/// The same, with this separator between groups of lines.
fn merged_with(separator: &str, members: Vec<Vec<PeerReply>>) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bytes = runtime.block_on(async {
        let (replies, mut client) = mpsc::channel(1_000);
        let caller = Caller {
            address: ([127, 0, 0, 1], 1).into(),
            bind: [127, 0, 0, 1].into(),
            seal: Seal::plain(),
        };
        let from = Asker { caller, user: memberd_transport::Source::Anyone };
        let offer = ExposedFiles::new::<&str>(&[]).unwrap();
        let searcher = Arc::new(LocalSearcher::new("vm1".to_owned(), offer, Limits::default()));
        let request = GrepRequest::default();
        let context = QueryContext::new(from, searcher, request, None, replies).unwrap();
        let mut sources = Vec::new();
        for frames in members {
            let (sender, receiver) = mpsc::channel(1);
            sources.push(Source { frames: receiver, front: Front::Lines(TimedLines::default()) });
            tokio::spawn(async move {
                for frame in frames {
                    sender.send(frame).await.unwrap();
                }
            });
        }
        Merger::new(Arc::new(context), b'\n', separator.as_bytes().to_vec())
            .run(&mut sources)
            .await
            .unwrap();
        let mut bytes = Vec::new();
        while let Ok(reply) = client.try_recv() {
            let Reply::GrepOutput { bytes: part, .. } = reply else { panic!("{reply:?}") };
            bytes.extend(part);
        }
        bytes
    });
    String::from_utf8(bytes).unwrap()
}

fn timed(lines: &[(i64, &str)]) -> PeerReply {
    let mut timed = TimedLines::default();
    lines.iter().for_each(|(time, line)| timed.push(*time, line.as_bytes()));
    PeerReply::Timed(timed)
}

#[test]
fn lines_come_by_time_and_then_in_the_order_of_members() {
    let members = vec![
        vec![timed(&[(1, "a1\n"), (5, "a5\n")]), timed(&[(5, "a5 again\n"), (9, "a9\n")])],
        vec![],
        vec![timed(&[(-3, "c-3\n")]), timed(&[]), timed(&[(5, "c5\n")])],
    ];
    assert_eq!(merged(members), "c-3\na1\na5\na5 again\nc5\na9\n");
}

#[test]
fn groups_are_separated_at_marks_and_between_members() {
    let members = vec![
        vec![
            timed(&[(1, ""), (1, "a1\n"), (1, "a1+1\n"), (4, "a4\n"), (4, "a4+1\n")]),
            timed(&[(6, ""), (6, "a6\n")]),
        ],
        vec![timed(&[(4, ""), (4, "b4\n")]), timed(&[(5, "b5\n")])],
    ];
    assert_eq!(merged_with("--\n", members), "a1\na1+1\na4\na4+1\n--\nb4\nb5\n--\na6\n");
    let between = vec![vec![timed(&[(1, "a1\n"), (3, "a3\n")])], vec![timed(&[(2, "b2\n")])]];
    assert_eq!(merged_with("--\n", between), "a1\n--\nb2\n--\na3\n");
    let long = vec![PeerReply::TimedPart(2, b"lo".to_vec()), PeerReply::Lines(b"ng\n".to_vec())];
    assert_eq!(merged_with("--\n", vec![vec![timed(&[(1, "a1\n")])], long]), "a1\n--\nlong\n");
}

#[test]
fn a_long_line_stays_whole_and_a_lost_one_is_ended() {
    let part = |text: &str| PeerReply::Part(text.as_bytes().to_vec());
    let long = vec![
        PeerReply::TimedPart(2, b"lo".to_vec()),
        part("n"),
        PeerReply::Lines(b"g\n".to_vec()),
        timed(&[(4, "a4\n")]),
    ];
    let cut = vec![
        timed(&[(1, "b1\n"), (3, "b3\n")]),
        PeerReply::TimedPart(5, b"cu".to_vec()),
        part("t"),
    ];
    assert_eq!(merged(vec![long, cut]), "b1\nlong\nb3\na4\ncut\n");
}

proptest! {
    #[test]
    fn nothing_is_lost_and_the_order_is_that_of_time(
        members in proptest::collection::vec(proptest::collection::vec(-20_i64..20, 0..40), 0..6),
        frame in 1_usize..7,
    ) {
        let mut all = Vec::new();
        let mut sent = Vec::new();
        for (member, mut times) in members.into_iter().enumerate() {
            times.sort_unstable();
            let lines: Vec<(i64, String)> = times
                .iter()
                .enumerate()
                .map(|(n, time)| (*time, format!("{time} {member} {n}\n")))
                .collect();
            let numbered = lines.iter().enumerate();
            all.extend(numbered.map(|(n, (time, line))| (*time, member, n, line.clone())));
            let frames = lines.chunks(frame).map(|lines| {
                timed(&lines.iter().map(|(time, line)| (*time, line.as_str())).collect::<Vec<_>>())
            });
            sent.push(frames.collect());
        }
        all.sort();
        let expected: String = all.into_iter().map(|(.., line)| line).collect();
        prop_assert_eq!(merged(sent), expected);
    }
}

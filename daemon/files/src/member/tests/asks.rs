//! Questions and changes find the primary, and end in time.

use super::super::asks::{AskOutput, Asked, Asks, What};
use super::*;
use crate::catalog::{Answer, Done};
use crate::ids::{Generation, InodeId, OperationId};
use crate::keeper::Reply;
use crate::view::{MemberOfView, ShareKeepers};

fn name(at: usize) -> Name {
    Name::new(&format!("vm{at}")).unwrap()
}

fn at(ms: u64) -> BootTime {
    BootTime::from_epoch(Duration::from_millis(ms))
}

fn asks() -> Asks<u8> {
    let (added, since) = (Epoch(1), Epoch(1));
    let keepers = (0..3).map(name).collect();
    let keepers = ShareKeepers { added, since, keepers, ..ShareKeepers::default() };
    let view = FilesView {
        epoch: Epoch(1),
        members: (0..4).map(|at| (name(at), MemberOfView::default())).collect(),
        shares: BTreeMap::from([(share("s"), keepers)]),
    };
    let mut asks = Asks::new(name(3), 100, at(0));
    asks.handle_view(at(0), &Arc::new(view));
    asks
}

fn begin(asks: &mut Asks<u8>, stale: Option<bool>) {
    let what = match stale {
        Some(stale) => What::Question { query: Query::Usage, stale },
        None => What::Change {
            operation: OperationId(7),
            epoch: Epoch(1),
            mutation: Mutation::SetQuota { bytes: None, names: None },
        },
    };
    asks.begin(at(0), 1, &share("s"), what, Duration::from_secs(50));
}

/// To whom it goes, under which number, and which state will do.
type Sent = (Name, u64, Option<u64>);

/// What goes out next, or how it ended.
fn next(asks: &mut Asks<u8>) -> Option<Result<Sent, Asked>> {
    Some(match asks.poll_output()? {
        AskOutput::Send(to, FilesMessage::Ask { request, at_least, .. }) => {
            Ok((to, request, at_least))
        }
        AskOutput::Send(to, FilesMessage::Propose { request, operation, .. }) => {
            assert_eq!(operation, OperationId(7), "always the same id");
            Ok((to, request, None))
        }
        AskOutput::Send(_, other) => panic!("{other:?}"),
        AskOutput::Done(_, asked) => Err(asked),
    })
}

fn sent(asks: &mut Asks<u8>) -> (Name, u64) {
    let (to, request, _) = next(asks).unwrap().unwrap();
    (to, request)
}

fn answer() -> Reply {
    let done = Done { inode: InodeId(1), generation: Generation(1), length: 0 };
    Reply::Answer { answer: Answer::Done(done), index: 5 }
}

#[test]
fn whoever_is_silent_is_passed_over() {
    let mut asks = asks();
    begin(&mut asks, None);
    assert_eq!(sent(&mut asks).0, name(0));
    asks.handle_timeout(at(999));
    assert!(next(&mut asks).is_none());
    asks.handle_timeout(at(1_000));
    let (to, request) = sent(&mut asks);
    assert_eq!(to, name(1));
    let primary = Some(name(2));
    asks.handle_reply(at(1_010), &name(1), request, Epoch(1), Reply::NotPrimary { primary });
    assert_eq!(sent(&mut asks).0, name(2), "the one that is named, at once");
    asks.handle_reply(at(1_020), &name(2), request, Epoch(1), answer());
    assert!(matches!(next(&mut asks), Some(Err(Asked::Answer(_)))));
    begin(&mut asks, Some(false));
    assert_eq!(sent(&mut asks).0, name(2), "it is known now");
}

/// Backups name a primary that knows nothing of it: nobody is asked thousands of times.
#[test]
fn keepers_that_name_each_other_are_asked_slowly() {
    let mut asks = asks();
    begin(&mut asks, None);
    let (mut now, mut count) = (0, 0);
    let result = loop {
        match next(&mut asks) {
            Some(Err(asked)) => break asked,
            Some(Ok((to, request, _))) => {
                count += 1;
                let primary = Some(name(0)).filter(|_| to != name(0));
                asks.handle_reply(at(now), &to, request, Epoch(1), Reply::NotPrimary { primary });
            }
            None => {
                let due = asks.poll_timeout().unwrap().since_epoch();
                now = u64::try_from(due.as_millis()).unwrap();
                asks.handle_timeout(at(now));
            }
        }
    };
    assert_eq!(result, Asked::Silence { in_doubt: false }, "each said that it did nothing");
    assert!((300..3_000).contains(&count), "{count} in 50 s");
}

#[test]
fn what_got_no_answer_is_in_doubt() {
    let mut asks = asks();
    begin(&mut asks, None);
    let (to, request) = sent(&mut asks);
    asks.handle_reply(at(10), &to, request, Epoch(1), Reply::Unknown);
    asks.handle_timeout(at(50_000));
    let last = std::iter::from_fn(|| next(&mut asks)).last();
    assert_eq!(last, Some(Err(Asked::Silence { in_doubt: true })));
    assert_eq!(asks.poll_timeout(), None);
}

/// A question that may be answered by an older state is, after a while, and by this member first.
#[test]
fn a_minority_gets_what_some_keeper_has() {
    let mut asks = asks();
    begin(&mut asks, Some(true));
    for ms in [1_000, 2_000] {
        assert_eq!(next(&mut asks).unwrap().unwrap().2, None);
        asks.handle_timeout(at(ms));
    }
    assert_eq!(next(&mut asks).unwrap().unwrap().2, None);
    asks.handle_timeout(at(3_000));
    let (to, request, at_least) = next(&mut asks).unwrap().unwrap();
    assert_eq!(at_least, Some(0));
    let usage = Found::Refused(Refusal::NotFound);
    let reply = Reply::Found { found: usage, index: 3, is_newest: false };
    asks.handle_reply(at(3_010), &to, request, Epoch(1), reply);
    assert!(matches!(next(&mut asks), Some(Err(Asked::Found { is_newest: false, .. }))));
}

#[test]
fn a_share_that_goes_ends_its_questions() {
    let mut asks = asks();
    begin(&mut asks, Some(true));
    sent(&mut asks);
    let view = FilesView { epoch: Epoch(2), ..FilesView::default() };
    asks.handle_view(at(10), &Arc::new(view));
    assert_eq!(next(&mut asks), Some(Err(Asked::NoShare)));
    begin(&mut asks, Some(true));
    assert_eq!(next(&mut asks), Some(Err(Asked::NoShare)));
}

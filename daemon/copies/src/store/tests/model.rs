//! Any sequence of what can happen, against a model that keeps everything in memory.

use super::{FakeSpans, SMALL, assert_kept, block_of, copy_of, head_of, id, name, open, text_of};
use crate::store::{Limits, Refused};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Event {
    /// Appends so many bytes to a stream.
    Append(usize, usize),
    Sync,
    SealAll,
    Idle,
    /// Time passes, in milliseconds.
    Prune(u64),
    Limit(u64),
    Reopen,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (1_usize..4, 1_usize..4_000).prop_map(|(stream, bytes)| Event::Append(stream, bytes)),
        2 => Just(Event::Sync),
        1 => Just(Event::SealAll),
        3 => Just(Event::Idle),
        1 => (0_u64..400_000).prop_map(Event::Prune),
        1 => (4_000_u64..40_000).prop_map(Event::Limit),
        1 => Just(Event::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// What is kept of a stream is what was appended, from where it was dropped up to its end: no
    /// gap, and nothing twice.
    #[test]
    fn what_is_kept_is_what_was_appended(events in proptest::collection::vec(event(), 1..60)) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let vm1 = name("vm1");
        let mut limits = SMALL;
        let mut store = open(root, limits);
        let mut spans = FakeSpans::default();
        let mut now_ms = store.now_ms;
        let mut ends = [0_usize; 4];
        for event in events {
            match event {
                Event::Append(stream, bytes) => {
                    let from = ends[stream];
                    let text = text_of(id(stream as u64), from..from + bytes);
                    let block = block_of(id(stream as u64), from as u64, &text);
                    let appended = match store.append(&vm1, &block) {
                        Err(Refused::Unknown) => {
                            store.head(&vm1, head_of(id(stream as u64))).unwrap();
                            store.append(&vm1, &block)
                        }
                        appended => appended,
                    };
                    match appended {
                        Ok(_) => ends[stream] += bytes,
                        Err(refused) => prop_assert_eq!(refused, Refused::Full),
                    }
                }
                Event::Sync => drop(store.sync().unwrap()),
                Event::SealAll => store.seal_all(&mut spans).unwrap(),
                Event::Idle => drop(store.idle_step(&mut spans, now_ms)),
                Event::Prune(passed_ms) => {
                    now_ms += passed_ms;
                    store.prune(now_ms);
                }
                Event::Limit(source_bytes) => {
                    limits = Limits { source_bytes, ..limits };
                    store.set_limits(limits);
                }
                Event::Reopen => {
                    store.sync().unwrap();
                    drop(store);
                    store = open(root, limits);
                    prop_assert_eq!(store.take_notes(), Vec::<String>::new());
                }
            }
        }
        store.sync().unwrap();
        for (stream, end) in (0_u64..).zip(ends) {
            if let Some(copy) = copy_of(root, "vm1", id(stream)) {
                let begin = usize::try_from(copy.begin).unwrap();
                if (copy.begin, copy.end) != (0, 0) {
                    assert_kept(root, id(stream), begin..end);
                }
            }
        }
        store.prune(now_ms);
        prop_assert!(store.counts().bytes <= limits.source_bytes);
    }
}

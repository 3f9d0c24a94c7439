//! Fuzzes times: of log lines, of the output of journalctl, and of users in `--since` and
//! `--until`.
//!
//! The first byte chooses one of these. The eight bytes before log lines are the time of the file's
//! last change.
#![no_main]

use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use memberd_fuzz::in_time;
use memberd_search::{GrepBinary, NO_TIME, Output, Query, Search, Stopped, Times, Zone};
use moment::moment;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

/// The parser, which is not public in memberctl's crate.
#[path = "../../../ctl/src/moment.rs"]
#[allow(dead_code, reason = "memberctl calls it")]
mod moment;

/// A zone with summer time, in the format of POSIX (TZ).
const RULES: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

/// The same zone in the format of tzfile(5): no changes in the past.
static ZONE: LazyLock<Zone> = LazyLock::new(|| {
    let counts = [0, 0, 0, 0, 1, 4].map(u32::to_be_bytes).concat();
    let part =
        [b"TZif2", &[0; 15][..], &counts, &3_600_i32.to_be_bytes(), &[0, 0], b"CET\0"].concat();
    Zone::of(&[&part[..], &part, b"\n", RULES.as_bytes(), b"\n"].concat()).expect("a zone")
});

/// A search that selects every line.
static ALL: LazyLock<Search> = LazyLock::new(|| {
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec![Vec::new()];
        query.printing.no_names = true;
        query.printing.binary = GrepBinary::Text;
    });
    query.compile().expect("a pattern")
});

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    match (kind % 4, bytes.split_first_chunk::<8>(), str::from_utf8(bytes)) {
        (0 | 1, Some((modified, lines)), _) => of_lines(i64::from_be_bytes(*modified), lines),
        (2, _, _) => of_the_journal(bytes),
        (3, _, Ok(text)) => of_a_user(text),
        _ => {}
    }
});

/// Checks that the time of a line does not depend on earlier lines, and survives printing and
/// reading.
fn of_lines(modified: i64, lines: &[u8]) {
    let mut times = Times::new(&ZONE, modified);
    for line in lines.split(|byte| *byte == b'\n') {
        let time = in_time(line, || Times::new(&ZONE, modified).of(line));
        assert_eq!(times.of(line), time);
        let printed = time
            .and_then(|time| Timestamp::from_millisecond(time).ok())
            .map(|time| time.to_string());
        // The parser reads years of four digits without a sign.
        if let Some(printed) = printed.filter(|printed| !printed.starts_with('-')) {
            assert_eq!(Times::new(&ZONE, modified).of(printed.as_bytes()), time, "{printed}");
        }
    }
}

/// Checks that all lines come out, and that times never go back.
fn of_the_journal(bytes: &[u8]) {
    #[derive(Default)]
    struct Taken(Vec<u8>, Option<i64>);
    impl Output for Taken {
        fn lines(&mut self, _: Vec<u8>) -> Result<(), Stopped> {
            panic!("a line without its time");
        }

        fn timed(&mut self, milliseconds: i64, bytes: &[u8]) -> Result<(), Stopped> {
            assert!(milliseconds >= self.1.unwrap_or(NO_TIME));
            self.1 = Some(milliseconds);
            self.0.extend_from_slice(bytes);
            Ok(())
        }

        fn message(&mut self, text: String) -> Result<(), Stopped> {
            panic!("{text}");
        }
    }
    let mut taken = Taken::default();
    let totals =
        ALL.run_stream_by_time("vm1", "journal", &mut &*bytes, &mut taken, &AtomicBool::new(false));
    let end: &[u8] = if bytes.is_empty() || bytes.ends_with(b"\n") { b"" } else { b"\n" };
    assert_eq!(taken.0, [bytes, end].concat());
    assert_eq!((totals.errors, totals.interrupted), (0, false));
}

/// Checks that a moment survives printing and reading, or that the error repeats the text.
fn of_a_user(text: &str) {
    let zone = TimeZone::posix(RULES).expect("a zone");
    let now = Timestamp::from_second(1_763_688_033).expect("a time").to_zoned(zone);
    match in_time(text.as_bytes(), || moment(text, &now)) {
        Ok(milliseconds) => {
            if let Ok(time) = Timestamp::from_millisecond(milliseconds) {
                assert_eq!(moment(&time.to_string(), &now), Ok(milliseconds), "{time}");
            }
            if milliseconds >= 0 {
                let since_epoch = format!("@{}.{:03}", milliseconds / 1_000, milliseconds % 1_000);
                assert_eq!(moment(&since_epoch, &now), Ok(milliseconds), "{since_epoch}");
            }
        }
        Err(words) => assert!(words.starts_with("invalid time '") && words.contains(text)),
    }
}

//! Checks the section `[limits]`: the limits of greps on this machine. It owns no state.

use super::problems::{Problems, span};
use super::raw;
use crate::search::limits::Limits;
use memberd_search::MemoryBudget;
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;

const SEARCHES: RangeInclusive<u16> = 1..=256;
const THREADS: RangeInclusive<u16> = 1..=64;
const TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
const GREPS: RangeInclusive<u16> = 1..=64;

/// The units and their bytes, the smallest first.
const UNITS: [(&str, u64); 4] =
    [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

pub(super) fn limits(raw: &raw::Limits, problems: &mut Problems) -> Limits {
    let default = Limits::default();
    let time = span(raw.search_time.as_ref(), "limits.search_time", &TIMES, problems);
    if let (Some(set), Some(time)) = (&raw.search_time, time)
        && !TIMES.contains(&time)
    {
        problems.add(
            set,
            "limits.search_time",
            format!("{:?} is not between 1s and 24h", set.get_ref()),
        );
    }
    let output = raw.search_output.as_ref().and_then(|set| {
        size(set.get_ref()).map_err(|error| problems.add(set, "limits.search_output", error)).ok()
    });
    let memory = raw.search_memory.as_ref().and_then(|set| {
        memory(set.get_ref()).map_err(|error| problems.add(set, "limits.search_memory", error)).ok()
    });
    Limits {
        searches: count(raw.searches.as_ref(), "limits.searches", SEARCHES, problems)
            .unwrap_or(default.searches),
        search_threads: count(
            raw.search_threads.as_ref(),
            "limits.search_threads",
            THREADS,
            problems,
        )
        .and_then(NonZero::new)
        .unwrap_or(default.search_threads),
        search_time: time.unwrap_or(default.search_time),
        search_output: output.unwrap_or(default.search_output),
        search_memory: memory.unwrap_or(default.search_memory),
        greps: count(raw.greps.as_ref(), "limits.greps", GREPS, problems).unwrap_or(default.greps),
    }
}

fn count(
    set: Option<&Spanned<u16>>,
    key: &str,
    range: RangeInclusive<u16>,
    problems: &mut Problems,
) -> Option<usize> {
    let set = set?;
    if !range.contains(set.get_ref()) {
        problems.add(
            set,
            key,
            format!("{} is not between {} and {}", set.get_ref(), range.start(), range.end()),
        );
    }
    Some(usize::from(*set.get_ref()))
}

/// Reads the size of the memory for searches.
fn memory(text: &str) -> Result<usize, String> {
    let least = MemoryBudget::LEAST_BYTES;
    match usize::try_from(size(text)?) {
        Ok(bytes) if bytes >= least => Ok(bytes),
        Ok(_) => Err(format!(
            "{text:?} is too little for some searches: give at least \"{}MiB\"",
            least >> 20
        )),
        Err(_) => Err(format!("{text:?} is too large")),
    }
}

/// Reads `64MiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let bytes = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes);
    match (number.parse::<u64>(), bytes) {
        (Ok(0), Some(_)) => Err(format!("{text:?} is zero: give at least \"1KiB\"")),
        (Ok(number), Some(bytes)) => {
            number.checked_mul(bytes).ok_or_else(|| format!("{text:?} is too large"))
        }
        _ => Err(format!(
            "{text:?} is not a size: write a number with KiB, MiB, GiB or TiB, such as \"64MiB\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_for_searches_has_room_for_each_kind() {
        let least = format!("{}MiB", MemoryBudget::LEAST_BYTES >> 20);
        assert_eq!(memory(&least), Ok(MemoryBudget::LEAST_BYTES));
        let words = memory("64MiB").unwrap_err();
        assert_eq!(
            words,
            format!("\"64MiB\" is too little for some searches: give at least \"{least}\"")
        );
        assert!(memory("64").unwrap_err().contains("is not a size"));
    }

    #[test]
    fn sizes_have_a_unit() {
        for (text, bytes) in [("1KiB", Ok(1024)), ("64MiB", Ok(64 << 20)), ("16GiB", Ok(16 << 30))]
        {
            assert_eq!(size(text), bytes, "{text}");
        }
        for (text, words) in [
            (
                "64",
                "\"64\" is not a size: write a number with KiB, MiB, GiB or TiB, such as \"64MiB\"",
            ),
            (
                "1.5GiB",
                "\"1.5GiB\" is not a size: write a number with KiB, MiB, GiB or TiB, such as \
                \"64MiB\"",
            ),
            ("0MiB", "\"0MiB\" is zero: give at least \"1KiB\""),
            ("99999999999TiB", "\"99999999999TiB\" is too large"),
        ] {
            assert_eq!(size(text), Err(words.to_owned()), "{text}");
        }
    }
}

//! Folds members' names to globs with ranges of numbers, in the dialect of `--on`. It owns no
//! state.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use memberd_control::name_order::natural;

/// The longest glob in bytes, so that each can be given to `--on` again.
const MOST_GLOB_BYTES: usize = 200;

/// The most digits of a number in a range.
const MOST_DIGITS: usize = 18;

/// A name without one of its numbers: the text before the number, and the text behind it.
type Frame<'n> = (&'n str, &'n str);

/// Globs that match these names and no others, in natural order: `vm[1-12]`, `db1`.
pub(crate) fn fold<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let names: BTreeSet<&str> = names.into_iter().collect();
    let mut sizes: HashMap<Frame<'_>, usize> = HashMap::new();
    for name in &names {
        for place in numbers(name) {
            *sizes.entry(frame(name, &place)).or_default() += 1;
        }
    }
    let mut groups: BTreeMap<Frame<'_>, Vec<&str>> = BTreeMap::new();
    let mut globs = Vec::new();
    for name in names {
        // Of numbers that serve as well, the last one counts.
        let places = numbers(name).into_iter();
        let best = places.max_by_key(|place| sizes.get(&frame(name, place)).copied());
        match best {
            Some(place) => {
                let number = name.get(place.clone()).unwrap_or_default();
                groups.entry(frame(name, &place)).or_default().push(number);
            }
            None => globs.push((name, name.to_owned())),
        }
    }
    let mut folded: Vec<(String, String)> =
        globs.into_iter().map(|(first, glob)| (first.to_owned(), glob)).collect();
    for (frame, numbers) in groups {
        folded.extend(glob_group(frame, numbers));
    }
    folded.sort_by(|(one, _), (other, _)| natural(one, other));
    folded.into_iter().map(|(_, glob)| glob).collect()
}

/// The same as one text of about `most_bytes` at most. What does not fit is counted.
pub(crate) fn text(names: &[&str], most_bytes: usize) -> String {
    let globs = fold(names.iter().copied());
    let mut shown = String::new();
    for (index, glob) in globs.iter().enumerate() {
        if index > 0 && shown.len() + glob.len() > most_bytes {
            return format!("{shown} and {} more", globs.len() - index);
        }
        if index > 0 {
            shown.push(',');
        }
        shown.push_str(glob);
    }
    shown
}

/// Where the numbers of a name are.
fn numbers(name: &str) -> Vec<Range<usize>> {
    let mut places: Vec<Range<usize>> = Vec::new();
    for (at, _) in name.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
        match places.last_mut() {
            Some(place) if place.end == at => place.end = at + 1,
            _ => places.push(at..at + 1),
        }
    }
    places.retain(|place| place.len() <= MOST_DIGITS);
    places
}

fn frame<'n>(name: &'n str, place: &Range<usize>) -> Frame<'n> {
    (name.get(..place.start).unwrap_or_default(), name.get(place.end..).unwrap_or_default())
}

/// The globs of the names that one frame makes with these numbers, each with its first name.
fn glob_group((before, behind): Frame<'_>, mut numbers: Vec<&str>) -> Vec<(String, String)> {
    let is_padded = |number: &&str| number.len() > 1 && number.starts_with('0');
    let padded: BTreeSet<usize> = numbers.iter().copied().filter(is_padded).map(str::len).collect();
    // A number without zeros belongs to the padded ones of its length, if there are any.
    let padding = |number: &str| Some(number.len()).filter(|length| padded.contains(length));
    let value = |number: &str| number.parse::<u64>().unwrap_or_default();
    numbers.sort_by_key(|number| (padding(number), value(number)));
    let mut runs: Vec<(&str, &str)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last))
                if padding(last) == padding(number) && value(last) + 1 == value(number) =>
            {
                *last = number;
            }
            _ => runs.push((number, number)),
        }
    }
    let mut globs: Vec<(String, String)> = Vec::new();
    let mut list: Vec<(&str, &str)> = Vec::new();
    let mut length = 0;
    for run in runs {
        if !list.is_empty() && length + before.len() + behind.len() > MOST_GLOB_BYTES {
            globs.push(glob((before, behind), &std::mem::take(&mut list)));
            length = 0;
        }
        length += run.0.len() + run.1.len() + 2;
        list.push(run);
    }
    globs.push(glob((before, behind), &list));
    globs
}

/// The glob of a list of ranges, with its first name.
fn glob((before, behind): Frame<'_>, runs: &[(&str, &str)]) -> (String, String) {
    let first = runs.first().map(|(first, _)| *first).unwrap_or_default();
    let name = format!("{before}{first}{behind}");
    let range = |(first, last): &(&str, &str)| match first == last {
        true => (*first).to_owned(),
        false => format!("{first}-{last}"),
    };
    match runs {
        [(first, last)] if first == last => (name.clone(), name),
        runs => {
            let list: Vec<String> = runs.iter().map(range).collect();
            (name, format!("{before}[{}]{behind}", list.join(",")))
        }
    }
}

#[cfg(test)]
mod tests {
    use memberd_control::name_globs::NameGlobs;

    use super::*;

    #[test]
    fn names_are_folded_to_ranges() {
        for (names, globs) in [
            (&["vm1"][..], &["vm1"][..]),
            (&["vm2", "vm1", "vm3", "vm1"], &["vm[1-3]"]),
            (&["vm9", "vm10", "vm11"], &["vm[9-11]"]),
            (&["vm1", "vm3", "vm4", "vm12"], &["vm[1,3-4,12]"]),
            (&["vm08", "vm09", "vm10", "vm12"], &["vm[08-10,12]"]),
            (&["vm1", "vm01"], &["vm[1,01]"]),
            (&["db", "vm1", "vm2", "app"], &["app", "db", "vm[1-2]"]),
            (&["a-01.x1.org", "a-02.x1.org", "a-03.x1.org"], &["a-[01-03].x1.org"]),
            (&["r1-1", "r1-2", "r2-1", "r2-2"], &["r1-[1-2]", "r2-[1-2]"]),
            (&["0", "1", "2"], &["[0-2]"]),
            (&["x1234567890123456789", "x1"], &["x1", "x1234567890123456789"]),
            (&[], &[]),
        ] {
            assert_eq!(fold(names.iter().copied()), globs, "{names:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_and_its_rest_counted() {
        let names: Vec<String> = (0..1_000).map(|number| format!("vm{}", 3 * number)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(fold(names.iter().copied()).iter().all(|glob| glob.len() < 256));
        let shown = text(&names, 300);
        assert!(shown.len() < 700 && shown.starts_with("vm[0,3,6,"), "{shown}");
        assert!(shown.ends_with(" more"), "{shown}");
        assert_eq!(text(&["a", "b"], 300), "a,b");
    }

    /// What is printed can be given to `--on` again, and means the same members.
    #[test]
    fn the_globs_match_the_names_and_no_others() {
        let mut all: Vec<String> = Vec::new();
        for before in ["a", "a-", "b.1x"] {
            for number in ["0", "1", "2", "9", "10", "11", "00", "01", "02", "09", "010", "100"] {
                all.extend(
                    ["", "b", ".2", ".10"].map(|behind| format!("{before}{number}{behind}")),
                );
            }
        }
        // Every step takes another part of the names, larger ones and smaller ones.
        for step in 1..40 {
            let (names, others): (Vec<_>, Vec<_>) =
                all.iter().enumerate().partition(|(index, _)| index * index % 41 < step);
            let globs = fold(names.iter().map(|(_, name)| name.as_str()));
            let matched: NameGlobs = globs.join(",").parse().unwrap();
            for (_, name) in names {
                assert!(matched.matches(name), "{name} {globs:?}");
            }
            for (_, name) in others {
                assert!(!matched.matches(name), "{name} {globs:?}");
            }
        }
    }
}

//! The searches that are measured, and how much faster copies should be. It owns no state.

use super::programs::Pattern;

/// One search.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    pub(crate) pattern: Pattern,
    /// How many times faster the search of copies should be, if there is an aim.
    pub(crate) aim: Option<Aim>,
}

/// What a search of copies should reach: the time of another program by its own, at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aim {
    /// ripgrep and the searches of the .gz files, the older build's as well.
    pub(crate) gz: f64,
    pub(crate) rg: Option<f64>,
    pub(crate) zstdgrep: Option<f64>,
}

impl Aim {
    const RARE: Aim = Aim { gz: 30.0, rg: Some(30.0), zstdgrep: Some(8.0) };
    const IN_1_OF_100: Aim = Aim { gz: 5.0, rg: Some(5.0), zstdgrep: None };
    const REGEX: Aim = Aim { gz: 15.0, rg: Some(15.0), zstdgrep: None };
    /// At most 1.1 times the time.
    const NOT_SLOWER: Aim = Aim { gz: 1.0 / 1.1, rg: None, zstdgrep: None };
}

/// The searches, in the order of the table.
pub(crate) const CASES: [Case; 13] = [
    case("rare word", &["-F"], "quagga-0042", Some(Aim::RARE)),
    case("rare id", &["-F"], "5bd1e995c6a4a793", Some(Aim::RARE)),
    case("in 1 % of the blocks", &["-F"], "circuit breaker opened", Some(Aim::IN_1_OF_100)),
    case("rare regex", &["-E"], "user=[0-9]+ .*timeout", Some(Aim::REGEX)),
    case("no literal, `-c`", &["-c", "-E"], "[0-9][a-f]{4}[0-9]{4}[a-f]", Some(Aim::NOT_SLOWER)),
    case("in no block", &["-F"], "zebra-9999", None),
    case("rare part of a word", &["-F"], "agga-00", None),
    case("rare part of an id", &["-F"], "e995c6a4a793", None),
    case("half of a rare id", &["-F"], "e995c6a4", None),
    case("rare word, `-i`", &["-i", "-F"], "QUAGGA-0042", None),
    case("rare word, `-w`", &["-w", "-F"], "quagga-0042", None),
    case("one of two rare words", &["-E"], "quagga-0042|5bd1e995c6a4a793", None),
    case("in half of the lines, `-c`", &["-c", "-F"], "shop", None),
];

const fn case(
    what: &'static str,
    options: &'static [&'static str],
    pattern: &'static str,
    aim: Option<Aim>,
) -> Case {
    Case { what, pattern: Pattern { options, pattern }, aim }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{INCIDENT, RARE_ID, RARE_WORD, TIMEOUT};

    /// The patterns are words of the text.
    #[test]
    fn the_patterns_are_of_what_the_text_has() {
        let of = |what: &str| CASES.iter().find(|case| case.what == what).unwrap().pattern.pattern;
        assert_eq!(of("rare word"), RARE_WORD);
        assert_eq!(of("rare id"), RARE_ID);
        assert_eq!(of("in 1 % of the blocks"), INCIDENT);
        assert_eq!(of("one of two rare words"), format!("{RARE_WORD}|{RARE_ID}"));
        assert!(of("rare regex").ends_with(TIMEOUT));
        for (what, word) in [
            ("rare part of a word", RARE_WORD),
            ("rare part of an id", RARE_ID),
            ("half of a rare id", RARE_ID),
        ] {
            assert!(word.contains(of(what)));
        }
    }
}

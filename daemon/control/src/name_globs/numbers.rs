//! Ranges of numbers in names, as ClusterShell's node sets have them: `[08-12]`, `[1,3-5]`,
//! `[1-9/2]`. Numbers are compared, so a large range costs no more than a small one.

use super::fault::Fault;

/// The most digits of a number. It then fits into 64 bits.
const MOST_DIGITS: usize = 18;

/// The numbers of one pair of brackets or braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbers(Vec<Range>);

/// Every `step`th number from `first` to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u64,
    last: u64,
    step: u64,
    /// With how many digits each number is written, if it is padded with zeros.
    width: Option<usize>,
}

impl Numbers {
    /// Reads a list such as `1,3-5,10-20/2`. It is None if the text has another form.
    pub(super) fn list(text: &str) -> Option<Result<Numbers, Fault>> {
        let ranges = text.split(',').map(|part| {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(step)),
                None => (part, None),
            };
            let (first, last) = match range.split_once('-') {
                Some((first, last)) => (first, last),
                None if step.is_none() => (range, range),
                None => return None,
            };
            written(&[first, last, step.unwrap_or("1")]).then_some((first, last, step))
        });
        let ranges: Vec<(&str, &str, Option<&str>)> = ranges.collect::<Option<_>>()?;
        let ranges = ranges.into_iter().map(|(first, last, step)| Range::new(first, last, step));
        Some(ranges.collect::<Result<_, _>>().map(Numbers))
    }

    /// Reads `1..9` or `1..9..2`, as bash writes them between braces. It is None if the text has
    /// another form.
    pub(super) fn sequence(text: &str) -> Option<Result<Numbers, Fault>> {
        let parts: Vec<&str> = text.split("..").collect();
        let (first, last, step) = match *parts.as_slice() {
            [first, last] => (first, last, None),
            [first, last, step] => (first, last, Some(step)),
            _ => return None,
        };
        written(&parts).then(|| Range::new(first, last, step).map(|range| Numbers(vec![range])))
    }

    /// How many of the first characters may be one of the numbers: none, one or several lengths.
    pub(super) fn lengths<'t>(&'t self, text: &'t [char]) -> impl Iterator<Item = usize> + 't {
        let zero = text.first() == Some(&'0');
        let mut value = 0_u64;
        let digits = text.iter().map_while(|character| character.to_digit(10));
        digits.take(MOST_DIGITS).enumerate().filter_map(move |(before, digit)| {
            value = value * 10 + u64::from(digit);
            let length = before + 1;
            self.0.iter().any(|range| range.contains(value, length, zero)).then_some(length)
        })
    }

    /// All the numbers as they are written, in order.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().flat_map(|range| {
            let width = range.width.unwrap_or(0);
            (0..=(range.last - range.first) / range.step)
                .map(move |place| format!("{:0width$}", range.first + place * range.step))
        })
    }
}

impl Range {
    fn new(first: &str, last: &str, step: Option<&str>) -> Result<Range, Fault> {
        let padded = |text: &str| text.len() > 1 && text.starts_with('0');
        if (padded(first) || padded(last)) && first.len() != last.len() {
            return Err(Fault::Padding { first: first.to_owned(), last: last.to_owned() });
        }
        let range = Range {
            first: number(first)?,
            last: number(last)?,
            step: step.map_or(Ok(1), number)?,
            width: padded(first).then_some(first.len()),
        };
        if range.first > range.last {
            return Err(Fault::Range);
        }
        if range.step == 0 { Err(Fault::Step) } else { Ok(range) }
    }

    /// Whether this number is in the range, if it is written with so many digits, and a zero first
    /// or not.
    fn contains(self, value: u64, length: usize, zero: bool) -> bool {
        let spelled = match self.width {
            Some(width) => length == width,
            None => !zero || length == 1,
        };
        spelled
            && (self.first..=self.last).contains(&value)
            && (value - self.first).is_multiple_of(self.step)
    }
}

/// Whether each text is a number.
fn written(texts: &[&str]) -> bool {
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    texts.iter().all(digits)
}

fn number(digits: &str) -> Result<u64, Fault> {
    let short = (digits.len() <= MOST_DIGITS).then(|| digits.parse().ok()).flatten();
    short.ok_or(Fault::Digits(MOST_DIGITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &str) -> Result<Vec<String>, Fault> {
        Numbers::list(list).unwrap().map(|numbers| numbers.texts().collect())
    }

    /// The right values are those of ClusterShell 1.9.1: `nodeset -e 'vm[LIST]'`.
    #[test]
    fn lists_are_read_as_clustershell_reads_them() {
        for (list, expected) in [
            ("08-12", "08 09 10 11 12"),
            ("1-12", "1 2 3 4 5 6 7 8 9 10 11 12"),
            ("1,3-5", "1 3 4 5"),
            ("1-9/2", "1 3 5 7 9"),
            ("9-10", "9 10"),
            ("00-03", "00 01 02 03"),
            ("007,9", "007 9"),
            ("098-101", "098 099 100 101"),
            ("5-5", "5"),
        ] {
            let expected = expected.split(' ').map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(texts(list), Ok(expected), "{list}");
        }
    }

    /// ClusterShell refuses these too.
    #[test]
    fn ranges_that_cannot_be_are_refused() {
        let padding = |first: &str, last: &str| {
            Err(Fault::Padding { first: first.to_owned(), last: last.to_owned() })
        };
        assert_eq!(texts("01-100"), padding("01", "100"));
        assert_eq!(texts("8-012"), padding("8", "012"));
        assert_eq!(texts("1-09"), padding("1", "09"));
        assert_eq!(texts("12-9"), Err(Fault::Range));
        assert_eq!(texts("1-9/0"), Err(Fault::Step));
        assert_eq!(texts("1-9999999999999999999"), Err(Fault::Digits(18)));
    }

    #[test]
    fn other_texts_are_no_lists() {
        for text in ["", ",", "1,", "1-", "-1", "1-2-3", "a", "1/2", "1-9/", "1--2", "1 -2", "٣"] {
            assert_eq!(Numbers::list(text), None, "{text:?}");
        }
        for text in ["", "1", "1..", "..1", "1...3", "a..c", "1..2..3..4", "-1..2"] {
            assert_eq!(Numbers::sequence(text), None, "{text:?}");
        }
        assert!(Numbers::sequence("08..12").unwrap().is_ok());
    }

    #[test]
    fn only_numbers_as_they_are_written_match() {
        let lengths = |list: &str, text: &str| -> Vec<usize> {
            let text: Vec<char> = text.chars().collect();
            Numbers::list(list).unwrap().unwrap().lengths(&text).collect()
        };
        assert_eq!(lengths("1-12", "12x"), [1, 2]);
        assert_eq!(lengths("1-12", "123"), [1, 2]);
        assert_eq!(lengths("1-12", "13"), [1]);
        assert_eq!(lengths("1-12", "08"), [0; 0]);
        assert_eq!(lengths("08-12", "8"), [0; 0]);
        assert_eq!(lengths("08-12", "081"), [2]);
        assert_eq!(lengths("0-3", "00"), [1]);
        assert_eq!(lengths("1-9/2", "4"), [0; 0]);
        assert_eq!(lengths("1-999999999999999999", &"9".repeat(30)), (1..=18).collect::<Vec<_>>());
    }
}

//! The query of a request, from raw bytes: percent-encoding is decoded once, a plus is a space.

use crate::error::FileError;

/// The most parameters of a request. Clients send at most about fifteen.
const MOST: usize = 64;

/// The parameters. Their names are compared without case, as Hadoop does, and the last of a name
/// counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses what is behind the question mark.
    pub(crate) fn parse(raw: &[u8]) -> Result<Query, FileError> {
        let mut parameters = Vec::new();
        for pair in raw.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if parameters.len() == MOST {
                return Err(FileError::Invalid(format!("at most {MOST} parameters")));
            }
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(at);
            let value = value.strip_prefix(b"=").unwrap_or(value);
            parameters.push((decode(name, true)?, decode(value, true)?));
        }
        Ok(Query(parameters))
    }

    /// A parameter. One that is empty counts as absent, since clients send those.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let named = |(have, _): &&(String, String)| have.eq_ignore_ascii_case(name);
        let found = self.0.iter().rev().find(named).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    /// A parameter that is true or false in any case: clients in Python send `True`.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, FileError> {
        match self.get(name) {
            None => Ok(None),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(FileError::Invalid(format!("{name} is neither true nor false"))),
        }
    }

    /// A parameter that is a number of at most 63 bits, as in Java.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, FileError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
        let wrong = || FileError::Invalid(format!("{name} is no number from 0 to 2^63 - 1"));
        number.map(Some).ok_or_else(wrong)
    }
}

/// Decodes percent-encoded UTF-8.
pub(crate) fn decode(raw: &[u8], plus_is_space: bool) -> Result<String, FileError> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = (rest.next().and_then(digit), rest.next().and_then(digit));
                let (Some(high), Some(low)) = digits else {
                    let why = "a percent sign is not followed by two hexadecimal digits";
                    return Err(FileError::Invalid(why.to_owned()));
                };
                high << 4 | low
            }
            b'+' if plus_is_space => b' ',
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| FileError::Invalid("not in UTF-8".to_owned()))
}

fn digit(byte: &u8) -> Option<u8> {
    char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_once() {
        let query = Query::parse("OP=open&a=x+%2B%2520&b&=&overwrite=True&a=ü".as_bytes()).unwrap();
        assert_eq!(query.get("op"), Some("open"));
        assert_eq!((query.get("a"), query.get("b"), query.get("c")), (Some("ü"), None, None));
        assert_eq!(Query::parse(b"a=x+%2B%2520").unwrap().get("A"), Some("x +%20"));
        assert_eq!(query.flag("overwrite"), Ok(Some(true)));
        assert_eq!(query.flag("recursive"), Ok(None));
        assert!(query.flag("op").is_err());
    }

    #[test]
    fn what_is_no_query_is_refused() {
        for bad in [b"a=%".as_slice(), b"a=%4", b"a=%zz", b"a=%ff", b"a=\xff", &b"a&".repeat(65)] {
            assert!(Query::parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
        assert!(Query::parse(&b"a&".repeat(64)).is_ok());
    }

    #[test]
    fn numbers_are_those_of_java() {
        let number = |text: &str| Query::parse(text.as_bytes()).unwrap().number("n");
        assert_eq!(number("n=9223372036854775807"), Ok(Some(i64::MAX.unsigned_abs())));
        assert_eq!(number("n="), Ok(None));
        for bad in ["n=9223372036854775808", "n=-1", "n=1x"] {
            assert!(number(bad).is_err(), "{bad}");
        }
    }
}

//! Numbers as lines have them, and arithmetic at its bounds.

use super::Decimal;

fn shown(text: &str) -> Option<String> {
    Decimal::parse(text.as_bytes()).map(|number| number.to_string())
}

#[test]
fn numbers_are_read_exactly() {
    let table = [
        ("0", "0"),
        ("-0", "0"),
        ("007", "7"),
        ("0.10", "0.1"),
        ("-12.500", "-12.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("+3", "3"),
        ("1e3", "1000"),
        ("1.5E-3", "0.0015"),
        ("18446744073709551615", "18446744073709551615"),
        ("9999999999999999999999999999", "9999999999999999999999999999"),
        ("0.1234567890123456789", "0.123456789012345678"),
        ("1e-400", "0"),
        ("0e400", "0"),
        ("0.00000000000000000000000000000000000000000001", "0"),
    ];
    for (text, expected) in table {
        assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn what_is_no_number_is_refused() {
    for text in
        ["", "-", ".", "+", "1.2.3", "0x10", "inf", "NaN", " 1", "1 ", "1e", "e5", "1e99999", "--1"]
    {
        assert_eq!(shown(text), None, "{text}");
    }
    assert_eq!(shown("10000000000000000000000000000"), None, "10^28");
    assert_eq!(shown("1e28"), None);
    assert_eq!(shown(&"9".repeat(400)), None);
}

fn number(text: &str) -> Decimal {
    Decimal::parse(text.as_bytes()).unwrap()
}

#[test]
fn arithmetic_is_exact_or_rounded_as_documented() {
    assert_eq!(number("0.1").plus(number("0.2")), Some(number("0.3")));
    assert_eq!(number("1.5").times(number("-2")), Some(number("-3")));
    assert_eq!(number("2").divided_by(number("3")), Some(number("0.666666667")));
    assert_eq!(number("-2").divided_by(number("3")), Some(number("-0.666666667")));
    assert_eq!(number("1").divided_by(number("0")), None);
    assert_eq!(number("0.000000000000000001").divided_by(number("8")), Some(number("0")));
    assert_eq!(number("-7.5").remainder(number("2")), Some(number("-1.5")));
    assert_eq!(number("-7.5").floor(), number("-8"));
    assert_eq!(number("2.345").rounded(2), Some(number("2.35")));
    assert_eq!(number("-2.5").rounded(0), Some(number("-3")));
    assert_eq!(number("9e27").plus(number("9e27")), None, "too large");
}

#[test]
fn numbers_are_ordered_by_value() {
    let ordered =
        ["-9e27", "-1.5", "-1.4", "0", "0.000000000000000001", "0.5", "1", "1.01", "9e27"];
    for pair in ordered.windows(2) {
        assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
    }
}

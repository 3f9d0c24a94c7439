//! What patterns need, and that no line which they select lacks it.

use std::sync::atomic::AtomicBool;

use grep_matcher::Matcher as _;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::memory::MemoryBudget;
use crate::pattern::Budget;
use crate::query::Query;
use memberd_control::grep::{GrepCharacters, GrepSyntax};

fn query(syntax: GrepSyntax, pattern: &str) -> Query {
    Query::default().with(|query| {
        query.pattern.patterns = vec![pattern.as_bytes().to_vec()];
        query.pattern.syntax = syntax;
    })
}

fn extended(pattern: &str) -> Query {
    query(GrepSyntax::Extended, pattern)
}

fn perl(pattern: &str) -> Query {
    query(GrepSyntax::Perl, pattern)
}

/// The needs in short: `<word>`, `~any case`, `(a & b)`, `(a | b)`, and `*` for anything.
fn show(needs: &Needs) -> String {
    let several = |needs: &[Needs], sign| {
        let shown: Vec<String> = needs.iter().map(show).collect();
        format!("({})", shown.join(sign))
    };
    match needs {
        Needs::Anything => "*".to_owned(),
        Needs::All(needs) => several(needs, " & "),
        Needs::Any(needs) => several(needs, " | "),
        Needs::Literal(literal) => format!(
            "{}{}{}{}",
            if literal.ignores_case { "~" } else { "" },
            if literal.begins_word { "<" } else { "" },
            String::from_utf8_lossy(&literal.bytes),
            if literal.ends_word { ">" } else { "" },
        ),
    }
}

fn shown(query: &Query) -> String {
    show(query.compile().unwrap().needs())
}

#[test]
fn literals_are_taken_from_patterns() {
    for (pattern, expected) in [
        ("timeout", "timeout"),
        ("user=[0-9]+ .*timeout", "(user= & timeout)"),
        ("(GET|POST) /cart", "(GET /cart | POST /cart)"),
        ("colou?r", "(color | colour)"),
        ("[Ee]rror", "~error"),
        ("sh[aiou]p", "(shap | ship | shop | shup)"),
        ("x[a-z]ray", "ray"),
        ("(foo)+bar", "(foo & foobar)"),
        ("(foo){2,3}", "(foofoo | foofoofoo)"),
        ("(foo){2,30}bar", "(foo & foobar)"),
        ("(foo)*bar", "bar"),
        ("^begin.*end$", "(<begin & end>)"),
        ("\\<word\\>", "<word>"),
        ("\\Bword\\b", "word>"),
        ("(deadlock|[0-9]{30}|lost)", "*"),
        ("(deadlock.*found|lost)", "((deadlock & found) | lost)"),
        ("", "*"),
        ("a*", "*"),
        ("x|", "*"),
        ("(timeout)=\\1", "timeout=timeout"),
        ("[^[:space:]]{4}", "*"),
        ("gr\u{fc}n", "gr\u{fc}n"),
        ("foo\nbar", "(foo | bar)"),
    ] {
        assert_eq!(shown(&extended(pattern)), expected, "{pattern}");
    }
}

#[test]
fn options_change_what_is_needed() {
    let with = |change: fn(&mut Query)| shown(&extended("Task 12345").with(change));
    assert_eq!(with(|_| ()), "Task 12345");
    assert_eq!(with(|query| query.pattern.ignore_case = true), "~task 12345");
    assert_eq!(with(|query| query.pattern.words = true), "<Task 12345>");
    assert_eq!(with(|query| query.pattern.whole_lines = true), "<Task 12345>");
    assert_eq!(with(|query| query.pattern.invert = true), "*");
    assert_eq!(with(|query| query.pattern.null_data = true), "*");
    assert_eq!(with(|query| query.printing.max_count = Some(0)), "()");
    assert_eq!(with(|query| query.pattern.patterns = Vec::new()), "()");
    let fixed = query(GrepSyntax::Fixed, "Gr\u{fc}n.Task\nx86_64 host");
    assert_eq!(shown(&fixed), "(Gr\u{fc}n.Task | x86_64 host)");
    let any_case = fixed.clone().with(|query| query.pattern.ignore_case = true);
    assert_eq!(shown(&any_case), "(~n.task | ~x86_64 host)");
    let words = fixed.with(|query| query.pattern.words = true);
    assert_eq!(shown(&words), "(<Gr\u{fc}n.Task> | <x86_64 host>)");
}

#[test]
fn perl_patterns_need_what_is_certain() {
    for (pattern, expected) in [
        ("user=\\d+ .*timeout", "(user= & timeout)"),
        ("(?i)error", "~error"),
        ("(?<!no )error(?= (in|at) \\))", "error"),
        ("(?<=(?=x)[)]\\))error", "error"),
        ("(?<name>abc)(?:def)(?>ghi)", "abcdefghi"),
        ("(abc)\\1def", "(abc & def)"),
        ("abc\\K\"def", "abc\"def"),
        ("abc\\h*+def", "(abc & def)"),
        ("{\"user\":{1,2}", "({\"user\": | {\"user\"::)"),
        ("[[:alpha:]]bcd", "bcd"),
        ("[^x]bcd", "bcd"),
        ("[]x]bcd", "bcd"),
        ("\\bword\\b", "<word>"),
        ("a\\<abc", "a<abc"),
        ("abc\\x41", "*"),
        ("\\Qa.c\\E", "*"),
        ("a(?i)bcd", "*"),
        ("(?x)a b c d", "*"),
        ("abc\\N{U+41}", "*"),
        ("(abc)(?1)", "*"),
        ("abc(*SKIP)", "*"),
        ("[a[:x]y:]]bcd", "*"),
    ] {
        assert_eq!(
            perl(pattern).compile().map(|search| show(search.needs())).unwrap_or("*".into()),
            expected,
            "{pattern}"
        );
    }
}

#[test]
fn more_literals_than_a_filter_looks_up_are_not_needed() {
    let lines = |count: usize| {
        let words: Vec<String> = (0..count).map(|at| format!("word{at:05}")).collect();
        words.join("\n")
    };
    for syntax in [GrepSyntax::Fixed, GrepSyntax::Basic] {
        assert!(matches!(
            query(syntax, &lines(MAX_LITERALS)).compile().unwrap().needs(),
            Needs::Any(_)
        ));
        assert_eq!(shown(&query(syntax, &lines(MAX_LITERALS + 1))), "*");
    }
    let long = "abcdefgh".repeat(1000);
    for (syntax, bytes) in
        [(GrepSyntax::Fixed, 8000), (GrepSyntax::Extended, 900), (GrepSyntax::Perl, 4000)]
    {
        let search = query(syntax, &long[..bytes]).compile().unwrap();
        assert!(literals(search.needs()) > 0 && literals(search.needs()) < 3);
    }
    assert_eq!(shown(&perl(&long)), "*");
}

/// Whether a line has what is needed, with no filter in between.
fn holds(needs: &Needs, line: &[u8]) -> bool {
    match needs {
        Needs::Anything => true,
        Needs::All(needs) => needs.iter().all(|needs| holds(needs, line)),
        Needs::Any(needs) => needs.iter().any(|needs| holds(needs, line)),
        Needs::Literal(literal) => (0..line.len()).any(|start| {
            let before = start.checked_sub(1).and_then(|at| line.get(at));
            end_of(literal, line, start).is_some_and(|end| {
                let goes_on_before = literal.begins_word && before.is_some_and(is_word);
                let goes_on_after = literal.ends_word && line.get(end).is_some_and(is_word);
                !goes_on_before && !goes_on_after
            })
        }),
    }
}

/// Where the literal ends that begins at this place of a line.
fn end_of(literal: &Literal, line: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    for byte in &literal.bytes {
        let rest = line.get(at..)?;
        at += match byte {
            b'k' if literal.ignores_case && rest.starts_with("\u{212a}".as_bytes()) => 3,
            b's' if literal.ignores_case && rest.starts_with("\u{17f}".as_bytes()) => 2,
            _ if rest.first()? == byte => 1,
            _ if literal.ignores_case && rest.first()?.eq_ignore_ascii_case(byte) => 1,
            _ => return None,
        };
    }
    Some(at)
}

/// Parts of patterns in all languages but that of fixed strings.
fn part() -> impl Strategy<Value = String> {
    let atom = select(vec![
        "abc", "k12345", "Task", "s\u{17f}", "\u{212a}", "x", "_", " ", ".", "[ab]", "[^a]",
        "[Kk]", "[a-d]", "[0-9]", "\\w", "\u{e9}", "user=", "-", "\\b", "^", "$",
    ]);
    let suffix = select(vec!["", "", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,1}", "{3,}"]);
    let leaf = (atom, suffix.clone()).prop_map(|(atom, suffix)| match atom {
        "\\b" | "^" | "$" => atom.to_owned(),
        _ if suffix.is_empty() || atom.chars().count() == 1 => format!("{atom}{suffix}"),
        _ if atom.starts_with('[') || atom.starts_with('\\') => format!("{atom}{suffix}"),
        _ => format!("({atom}){suffix}"),
    });
    leaf.prop_recursive(3, 12, 3, move |inner| {
        let several = prop::collection::vec(inner, 1..4).prop_map(|parts| parts.concat());
        prop_oneof![
            (several.clone(), suffix.clone())
                .prop_map(|(inner, suffix)| format!("({inner}){suffix}")),
            (several.clone(), several.clone(), suffix.clone())
                .prop_map(|(a, b, suffix)| format!("({a}|{b}){suffix}")),
            several,
        ]
    })
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "abc",
        "k12345",
        "K12345",
        "Task",
        "TASK",
        "ta\u{17f}k",
        "s",
        "\u{212a}",
        "k",
        "K",
        "x",
        "_",
        " ",
        "b",
        "a",
        "4",
        "77",
        "\u{e9}",
        "user=",
        "-",
        "\u{201c}",
    ]);
    let bytes = select(vec![&b""[..], b"", b"", b"\xff", b"\xe2\x84"]);
    prop::collection::vec((piece, bytes), 0..8).prop_map(|pieces| {
        pieces.iter().flat_map(|(piece, bytes)| [piece.as_bytes(), bytes].concat()).collect()
    })
}

proptest! {
    #![proptest_config(cases::the_same(1_000))]

    /// Whatever the pattern and its options, a line that matches has what they need.
    #[test]
    fn every_line_that_matches_has_what_is_needed(
        pattern in part(),
        syntax in select(vec![GrepSyntax::Extended, GrepSyntax::Perl, GrepSyntax::Fixed]),
        utf8: bool,
        options: [bool; 4],
        reference: bool,
        lines in prop::collection::vec(line(), 12),
    ) {
        let pattern = if reference { format!("({pattern})-\\1") } else { pattern };
        let [ignore_case, words, whole_lines, is_part] = options;
        let query = query(syntax, &pattern).with(|query| {
            query.pattern.ignore_case = ignore_case;
            query.pattern.words = words;
            query.pattern.whole_lines = whole_lines;
            if !utf8 {
                query.pattern.characters = GrepCharacters::Bytes;
            }
            if syntax == GrepSyntax::Fixed && is_part {
                // A string that the lines have.
                query.pattern.patterns = vec![lines[0].clone(), b"Task".to_vec()];
            }
        });
        let Ok(search) = query.compile() else { return Ok(()) };
        let (cancel, memory) = (AtomicBool::new(false), MemoryBudget::default());
        let budget = Budget::new(&cancel, &memory);
        for line in lines {
            if search.engine.matcher(&budget).is_match(&line).unwrap_or(false) {
                let needs = search.needs();
                prop_assert!(
                    holds(needs, &line),
                    "{} for {:?}",
                    show(needs),
                    String::from_utf8_lossy(&line)
                );
            }
        }
    }
}

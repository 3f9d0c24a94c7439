//! Compares the matcher with a naive reference, which tries every way.

use super::*;
use proptest::prelude::*;

/// Whether the tokens match the whole text.
fn naive(tokens: &[Token], text: &[char]) -> bool {
    let Some((token, tokens)) = tokens.split_first() else { return text.is_empty() };
    let one = |fits: &dyn Fn(char) -> bool| {
        text.split_first().is_some_and(|(first, rest)| fits(*first) && naive(tokens, rest))
    };
    match token {
        Token::Character(character) => one(&|other| other == *character),
        Token::Any => one(&|_| true),
        Token::Class { negated, ranges } => one(&|character| {
            ranges.iter().any(|(from, to)| *from <= character && character <= *to) != *negated
        }),
        Token::Star => (0..=text.len()).any(|length| naive(tokens, &text[length..])),
        Token::Numbers(numbers) => numbers.texts().any(|number| {
            let number: Vec<char> = number.chars().collect();
            text.strip_prefix(number.as_slice()).is_some_and(|rest| naive(tokens, rest))
        }),
        Token::Either(globs) => {
            globs.iter().any(|glob| naive(&[glob.as_slice(), tokens].concat(), text))
        }
    }
}

proptest! {
    #[test]
    fn a_naive_matcher_agrees(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "a", "b", "1", "2", "*", "?", "[ab]", "[!a]", "[0-2]", "[8-12]", "[08-12]",
                "[1,11-13]", "[1-9/3]", "{a,b1}", "{,1*}", "{a,{1,2?}}", "{1..12}",
            ]),
            0..7,
        ),
        name in "[ab012]{0,8}",
    ) {
        let glob = Glob::new(&parts.concat()).unwrap();
        let start = glob.start.chars().map(Token::Character);
        let tokens: Vec<Token> = start.chain(glob.rest.iter().cloned()).collect();
        let text: Vec<char> = name.chars().collect();
        prop_assert_eq!(glob.matches(&name), naive(&tokens, &text));
        // What a glob spells out are the names that it matches.
        if let Spelled::Names(names) = glob.spelled(50) {
            prop_assert!(names.iter().all(|name| glob.matches(name)), "{:?}", names);
        }
    }
}

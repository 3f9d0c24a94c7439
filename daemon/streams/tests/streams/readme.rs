//! The questions of the README are questions.

use super::support::plan;

#[test]
fn questions_of_the_readme_compile() {
    let readme = include_str!("../../README.md");
    let questions: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.contains("| ") && !line.starts_with("cargo"))
        .collect();
    assert_eq!(questions.len(), 10, "{questions:?}");
    for question in questions {
        assert!(!plan(question).columns().is_empty());
    }
}

/// It names each stage, each figure and each function.
#[test]
fn words_of_the_language_are_in_the_readme() {
    let readme = include_str!("../../README.md");
    let words = "nginx apache json logfmt syslog parse regex where let keep sort top count sum min \
                 max avg distinct p50 p99 p999 lower upper length floor round has if concat member \
                 file time line every over as from desc asc contains startswith endswith matches";
    for word in words.split_whitespace() {
        let is_part = |character: char| character.is_alphanumeric() || character == '_';
        assert!(readme.split(|next| !is_part(next)).any(|known| known == word), "{word}");
    }
}

//! What is said of a key that a file of settings or of a job should not have. It owns no state.

/// Suggests the key that was meant. `refusal` is serde's text, which ends in the known keys:
/// ``expected one of `name`, `port` ``.
pub(crate) fn unknown_key(word: &str, refusal: &str) -> String {
    let known: Vec<&str> = refusal
        .rsplit("expected ")
        .next()
        .unwrap_or_default()
        .split('`')
        .skip(1)
        .step_by(2)
        .collect();
    let nearest = known.iter().min_by_key(|name| edits(word, name));
    match nearest {
        Some(name) if edits(word, name) <= 1 + word.len() / 4 => {
            format!("unknown key: did you mean {name}?")
        }
        _ => format!("unknown key: known keys are {}", known.join(", ")),
    }
}

/// The number of single-character changes that turn one word into the other: the Levenshtein
/// distance.
fn edits(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, left) in one.chars().enumerate() {
        let mut last = index + 1;
        let mut next = vec![last];
        for (above, right) in row.windows(2).zip(other.chars()) {
            if let [diagonal, above] = above {
                last = (diagonal + usize::from(left != right)).min(above + 1).min(last + 1);
                next.push(last);
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_words_is_their_number_of_changes() {
        for (one, other, distance) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("port", "prot", 2),
            ("naem", "name", 2),
            ("kitten", "sitting", 3),
            ("a", "a", 0),
        ] {
            assert_eq!(edits(one, other), distance, "{one} {other}");
        }
    }
}

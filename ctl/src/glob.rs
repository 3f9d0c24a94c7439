//! Globs over names: `*` for any characters, `?` for one, `[a-c]` or `[!a-c]` for one of a set,
//! `{web,db}` for one of several texts.

/// `GLOB[,GLOB]...`, cut at its commas; a comma between braces is a glob's own.
pub(crate) fn cut(text: &str) -> Vec<String> {
    at_commas(text).map(str::to_owned).collect()
}

fn at_commas(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |character| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
}

/// Whether a name matches. A `[` without its `]` stands for itself, as in fnmatch(3), and so does a
/// `{` without its `}`. For each choice between braces, takes time proportional to both lengths at
/// most.
pub(crate) fn matches(glob: &str, name: &str) -> bool {
    match braces(glob) {
        Some((before, inside, behind)) => {
            at_commas(inside).any(|choice| matches(&format!("{before}{choice}{behind}"), name))
        }
        None => matches_plainly(glob, name),
    }
}

/// What is before, in and behind the first braces.
fn braces(glob: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = glob.split_once('{')?;
    let mut depth = 1_usize;
    let end = rest.find(|character| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    let (inside, behind) = rest.split_at(end);
    Some((before, inside, behind.strip_prefix('}')?))
}

fn matches_plainly(glob: &str, name: &str) -> bool {
    let (glob, name): (Vec<char>, Vec<char>) = (glob.chars().collect(), name.chars().collect());
    let (mut glob, mut name) = (glob.as_slice(), name.as_slice());
    // After the last star seen: what follows it, and what it has not eaten yet.
    let mut star: Option<(&[char], &[char])> = None;
    loop {
        if let ['*', rest @ ..] = glob {
            star = Some((rest, name));
            glob = rest;
        } else if let ([_, behind @ ..], Some(rest)) = (name, one(glob, name)) {
            (glob, name) = (rest, behind);
        } else if glob.is_empty() && name.is_empty() {
            return true;
        } else if let Some((rest, [_, behind @ ..])) = star {
            star = Some((rest, behind));
            (glob, name) = (rest, behind);
        } else {
            return false;
        }
    }
}

/// What of the glob is left when its first element has matched the first character.
fn one<'g>(glob: &'g [char], name: &[char]) -> Option<&'g [char]> {
    let (first, rest) = glob.split_first()?;
    let character = name.first()?;
    match first {
        '?' => Some(rest),
        '[' => match set(rest) {
            Some((members, negated, behind)) => {
                (contains(members, *character) != negated).then_some(behind)
            }
            None => (character == first).then_some(rest),
        },
        _ => (character == first).then_some(rest),
    }
}

/// The inside of a set, whether it is negated, and what comes behind it. A `]` that is first is a
/// member.
fn set(glob: &[char]) -> Option<(&[char], bool, &[char])> {
    let (negated, inside) = match glob {
        ['!' | '^', inside @ ..] => (true, inside),
        inside => (false, inside),
    };
    let end = 1 + inside.iter().skip(1).position(|character| *character == ']')?;
    Some((inside.get(..end)?, negated, inside.get(end + 1..)?))
}

fn contains(members: &[char], character: char) -> bool {
    match members {
        [from, '-', to, rest @ ..] => {
            (*from..=*to).contains(&character) || contains(rest, character)
        }
        [member, rest @ ..] => *member == character || contains(rest, character),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{cut, matches};

    #[test]
    fn commas_part_globs_but_not_between_braces() {
        assert_eq!(cut("vm1,web*,"), ["vm1", "web*", ""]);
        assert_eq!(cut("vm{1,2},{a,{b,c}}x,y"), ["vm{1,2}", "{a,{b,c}}x", "y"]);
        assert_eq!(cut("a},b"), ["a}", "b"]);
    }

    #[test]
    fn names_match_as_in_a_shell() {
        for (glob, name, expected) in [
            ("vm3", "vm3", true),
            ("vm3", "vm30", false),
            ("vm*", "vm", true),
            ("vm*", "wm1", false),
            ("*3", "vm13", true),
            ("*m*1*", "vm2-m1", true),
            ("vm?", "vm3", true),
            ("vm?", "vm", false),
            ("vm[1-3]", "vm2", true),
            ("vm[1-3]", "vm4", false),
            ("vm[!1-3]", "vm4", true),
            ("vm[135]", "vm3", true),
            ("vm[]x]", "vm]", true),
            ("vm[-1]", "vm-", true),
            ("vm[1", "vm[1", true),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("vm{1,2}", "vm2", true),
            ("vm{1,2}", "vm3", false),
            ("{web,db}-?{,0}", "db-10", true),
            ("{a,{b,c*}}x", "c12x", true),
            ("vm{1", "vm{1", true),
            ("vm}", "vm}", true),
        ] {
            assert_eq!(matches(glob, name), expected, "{glob} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_long_time() {
        assert!(!matches(&"*a".repeat(60), &"a".repeat(59)));
        assert!(!matches(&format!("{}b", "*a".repeat(500)), &"a".repeat(2_000)));
    }
}

//! Patterns and globs of greps: compiled, or refused in words.
//!
//! The first byte tells the syntax and the options; a pattern ends with a newline.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_search::{Narrow, Offer, Print, Query, Syntax};

fuzz_target!(|input: &[u8]| {
    let Some((options, text)) = input.split_first() else { return };
    let bit = |place: u8| options >> place & 1 == 1;
    let query = Query {
        patterns: text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect(),
        syntax: match options % 3 {
            0 => Syntax::Basic,
            1 => Syntax::Extended,
            _ => Syntax::Fixed,
        },
        ignore_case: bit(2),
        words: bit(3),
        whole_lines: bit(4),
        print: if bit(5) { Print::Matches } else { Print::Lines },
        ..Query::default()
    };
    match query.compile() {
        Ok(search) => drop(search),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let Ok(text) = str::from_utf8(text) else { return };
    let globs: Vec<String> = text.split('\n').map(str::to_owned).collect();
    // A glob, or an error.
    let _ = Narrow::new(&globs);
    let _ = Offer::new(&globs);
});

//! Fuzzes patterns and globs of greps, over files and over names. They compile and search a line,
//! or an error message refuses them.
//!
//! The first byte chooses the syntax and the options. A newline ends a pattern. A pattern that
//! backtracks may take ten million steps and 16 MiB for a line. Finding its matches may take as
//! much again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_control::name_globs::NameGlobs;
use memberd_search::{ExposedFiles, FileFilter, GrepPrint, GrepSyntax, Output, Query, Stopped};
use std::sync::atomic::AtomicBool;

/// The longest line that a pattern searches, in bytes.
const LINE: usize = 64;

/// Checks the results, which are parts of the line.
struct Nowhere;

impl Output for Nowhere {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        // Each match, even an empty one, comes with a newline and with the names before it.
        assert!(bytes.len() <= (LINE + 1) * (LINE + "vm1:log:\n".len()));
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        assert!(!text.is_empty());
        Ok(())
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((options, text)) = input.split_first() else { return };
    let bit = |place: u8| options >> place & 1 == 1;
    let query = Query::default().with(|query| {
        query.pattern.patterns = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        query.pattern.syntax = match options % 4 {
            0 => GrepSyntax::Basic,
            1 => GrepSyntax::Extended,
            2 => GrepSyntax::Fixed,
            _ => GrepSyntax::Perl,
        };
        query.pattern.ignore_case = bit(2);
        query.pattern.words = bit(3);
        query.pattern.whole_lines = bit(4);
        query.printing.what = if bit(5) { GrepPrint::Matches } else { GrepPrint::Lines };
    });
    match query.compile() {
        Ok(search) => {
            let mut line = text.split(|byte| *byte == b'\n').next_back().unwrap_or_default();
            line = line.get(..LINE).unwrap_or(line);
            let totals =
                search.run_stream("vm1", "log", &mut line, &mut Nowhere, &AtomicBool::new(false));
            assert!(totals.lines <= 1 && !totals.interrupted);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let Ok(text) = str::from_utf8(text) else { return };
    let globs: Vec<String> = text.split('\n').map(str::to_owned).collect();
    // The result is a glob or an error.
    let _ = FileFilter::new(&globs);
    let _ = ExposedFiles::new(&globs);
    // What a glob over names spells out are names that it matches.
    for glob in NameGlobs::new(globs).iter().flat_map(NameGlobs::iter) {
        let names = glob.spelled().ok().flatten().unwrap_or_default();
        assert!(names.iter().take(20).all(|name| glob.matches(name)));
        glob.matches("vm12.rack-3");
    }
});

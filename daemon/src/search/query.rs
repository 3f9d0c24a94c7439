//! A request as the search engine takes it.

use memberd_control::grep::{
    GrepBinary, GrepCharacters, GrepColors, GrepPattern, GrepPrint, GrepPrinting, GrepRequest,
    GrepSyntax,
};
use memberd_search::{Binary, Characters, Colors, Print, Query, Sgr, Syntax};

/// The request's patterns and printing; `compiled_bytes` is how large each automaton may be.
///
/// # Errors
/// When what should be colours is anything else.
pub(super) fn query(request: &GrepRequest, compiled_bytes: usize) -> Result<Query, String> {
    let GrepPattern {
        patterns,
        syntax,
        characters,
        ignore_case,
        invert,
        words,
        whole_lines,
        null_data,
    } = &request.pattern;
    let printing = &request.printing;
    Ok(Query {
        compiled_bytes,
        patterns: patterns.clone(),
        syntax: match syntax {
            GrepSyntax::Basic => Syntax::Basic,
            GrepSyntax::Extended => Syntax::Extended,
            GrepSyntax::Fixed => Syntax::Fixed,
            GrepSyntax::Perl => Syntax::Perl,
        },
        characters: match characters {
            GrepCharacters::Utf8 => Characters::Utf8,
            GrepCharacters::Bytes => Characters::Bytes,
        },
        ignore_case: *ignore_case,
        invert: *invert,
        words: *words,
        whole_lines: *whole_lines,
        null_data: *null_data,
        print: print(printing),
        line_numbers: printing.line_numbers || printing.json,
        byte_offsets: printing.byte_offsets,
        initial_tab: printing.initial_tab,
        no_names: printing.no_names,
        name_width: printing.name_width.filter(|_| !printing.json).unwrap_or(0),
        null_after_names: printing.null_after_names,
        no_messages: printing.no_messages,
        max_count: printing.max_count,
        before_context: printing.before_context,
        after_context: printing.after_context,
        group_separator: printing.group_separator.clone(),
        binary: match printing.binary {
            GrepBinary::Report => Binary::Report,
            GrepBinary::Text => Binary::Text,
            GrepBinary::Skip => Binary::Skip,
        },
        colors: printing.colors.as_ref().map(colors).transpose()?,
        json: printing.json,
    })
}

fn print(printing: &GrepPrinting) -> Print {
    match printing.what {
        GrepPrint::Lines => Print::Lines,
        GrepPrint::Matches => Print::Matches,
        GrepPrint::Count => Print::Count,
        GrepPrint::FilesWithMatch => Print::FilesWithMatch,
        GrepPrint::FilesWithoutMatch => Print::FilesWithoutMatch,
        GrepPrint::Nothing => Print::Nothing,
    }
}

/// Checked here as well: the request may come from another program than memberctl.
fn colors(colors: &GrepColors) -> Result<Colors, String> {
    let sgr = |numbers: &String| {
        Sgr::new(numbers).ok_or("a colour is not made of a few digits and semicolons")
    };
    Ok(Colors {
        selected_match: sgr(&colors.selected_match)?,
        context_match: sgr(&colors.context_match)?,
        selected_line: sgr(&colors.selected_line)?,
        context_line: sgr(&colors.context_line)?,
        file_name: sgr(&colors.file_name)?,
        line_number: sgr(&colors.line_number)?,
        byte_offset: sgr(&colors.byte_offset)?,
        separator: sgr(&colors.separator)?,
        reverse: colors.reverse,
        no_erase: colors.no_erase,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_search::{MAX_COMPILED_BYTES, Output, Stopped};
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_request_for_nothing_special_is_a_query_for_nothing_special() {
        assert_eq!(query(&GrepRequest::default(), MAX_COMPILED_BYTES), Ok(Query::default()));
        let colors = Some(GrepColors::default());
        let colored = GrepRequest {
            printing: GrepPrinting { colors, ..GrepPrinting::default() },
            ..GrepRequest::default()
        };
        assert_eq!(
            query(&colored, MAX_COMPILED_BYTES).map(|query| query.colors),
            Ok(Some(Colors::default()))
        );
    }

    #[test]
    fn nothing_but_colours_is_taken_for_colours() {
        let odd = GrepColors { separator: "1m\u{1b}[2J".to_owned(), ..GrepColors::default() };
        let request = GrepRequest {
            printing: GrepPrinting { colors: Some(odd), ..GrepPrinting::default() },
            ..GrepRequest::default()
        };
        assert!(query(&request, MAX_COMPILED_BYTES).is_err());
    }

    /// Keeps the lines, each with its end.
    #[derive(Default)]
    struct Kept(Vec<u8>);

    impl Output for Kept {
        fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
            self.0.extend(bytes);
            Ok(())
        }

        fn message(&mut self, _: String) -> Result<(), Stopped> {
            Ok(())
        }
    }

    #[test]
    fn what_separates_members_is_what_separates_groups_of_lines() {
        let context = GrepPrinting { after_context: Some(0), ..GrepPrinting::default() };
        let colors = |separator: &str, no_erase| {
            let colors =
                GrepColors { separator: separator.to_owned(), no_erase, ..GrepColors::default() };
            GrepPrinting { colors: Some(colors), ..context.clone() }
        };
        let separator = |separator: Option<&[u8]>| GrepPrinting {
            group_separator: separator.map(<[u8]>::to_vec),
            ..context.clone()
        };
        let what = |what| GrepPrinting { what, ..context.clone() };
        let table = [
            GrepPrinting::default(),
            context.clone(),
            GrepPrinting { before_context: Some(1), ..GrepPrinting::default() },
            GrepPrinting { json: true, ..context.clone() },
            separator(None),
            separator(Some(b"")),
            separator(Some(b"~ \xff ~")),
            colors("36", false),
            colors("01;36", true),
            colors("", false),
            what(GrepPrint::Matches),
            what(GrepPrint::Count),
            what(GrepPrint::Nothing),
        ];
        for printing in table {
            let pattern = GrepPattern { patterns: vec!["x".into()], ..GrepPattern::default() };
            let request = GrepRequest { pattern, printing, ..GrepRequest::default() };
            let search = query(&request, MAX_COMPILED_BYTES).unwrap().compile().unwrap();
            let mut kept = Kept::default();
            search.run_stream(
                "vm1",
                "f",
                &mut &b"x\n\n\nx\n"[..],
                &mut kept,
                &AtomicBool::new(false),
            );
            let lines: Vec<&[u8]> = kept.0.split_inclusive(|byte| *byte == b'\n').collect();
            // What precedes the second line with an x is the context that it has, and before that
            // the separator.
            let between = lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default();
            let context = usize::from(request.printing.before_context == Some(1));
            let between = between.get(..between.len() - context).unwrap_or_default().concat();
            assert_eq!(
                between,
                request.printing.separator().unwrap_or_default(),
                "{:?}",
                request.printing
            );
        }
    }
}

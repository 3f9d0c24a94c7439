//! A request as the search engine takes it.

use memberd_control::grep::{
    GrepBinary, GrepCharacters, GrepColors, GrepPattern, GrepPrint, GrepPrinting, GrepRequest, GrepSyntax,
};
use memberd_search::{Binary, Characters, Colors, Print, Query, Sgr, Syntax};

/// The request's patterns and printing; `compiled_bytes` is how large each automaton may be.
///
/// # Errors
/// When what should be colours is anything else.
pub(super) fn query(request: &GrepRequest, compiled_bytes: usize) -> Result<Query, String> {
    let GrepPattern { patterns, syntax, characters, ignore_case, invert, words, whole_lines, null_data } = &request.pattern;
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
    let sgr = |numbers: &String| Sgr::new(numbers).ok_or("a colour is not made of a few digits and semicolons");
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
    use memberd_search::MAX_COMPILED_BYTES;

    #[test]
    fn a_request_for_nothing_special_is_a_query_for_nothing_special() {
        assert_eq!(query(&GrepRequest::default(), MAX_COMPILED_BYTES), Ok(Query::default()));
        let colors = Some(GrepColors::default());
        let colored = GrepRequest { printing: GrepPrinting { colors, ..GrepPrinting::default() }, ..GrepRequest::default() };
        assert_eq!(query(&colored, MAX_COMPILED_BYTES).map(|query| query.colors), Ok(Some(Colors::default())));
    }

    #[test]
    fn nothing_but_colours_is_taken_for_colours() {
        let odd = GrepColors { separator: "1m\u{1b}[2J".to_owned(), ..GrepColors::default() };
        let request =
            GrepRequest { printing: GrepPrinting { colors: Some(odd), ..GrepPrinting::default() }, ..GrepRequest::default() };
        assert!(query(&request, MAX_COMPILED_BYTES).is_err());
    }
}

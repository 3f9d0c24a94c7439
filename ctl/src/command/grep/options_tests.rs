//! Tables of command lines: what they ask for, and what is wrong with them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use memberd_control::grep::{
    GrepBinary, GrepCharacters, GrepOrder, GrepPattern, GrepPrint, GrepRequest, GrepSyntax,
};

use super::super::flags::{FLEET, Flag, GNU};
use super::{Command, Environment, OptionError};

fn arguments(line: &[&str]) -> Vec<OsString> {
    line.iter().map(OsString::from).collect()
}

fn parse(line: &[OsString], terminal: bool) -> Result<Command, String> {
    super::parse(line, &Environment { terminal, ..Environment::default() })
        .map_err(OptionError::text)
}

impl OptionError {
    /// The text of the error, as grep has it.
    pub(crate) fn text(self) -> String {
        match self {
            OptionError::Usage(text) | OptionError::File(text) => text,
        }
    }
}

fn search(line: &[&str]) -> GrepRequest {
    match parse(&arguments(line), false) {
        Ok(Command::Search(request, _)) => *request,
        other => panic!("{line:?}: {other:?}"),
    }
}

fn request(patterns: &[&str], change: impl FnOnce(&mut GrepRequest)) -> GrepRequest {
    let patterns = patterns.iter().map(|pattern| pattern.as_bytes().to_vec()).collect();
    let mut request = GrepRequest {
        pattern: GrepPattern { patterns, ..GrepPattern::default() },
        order: GrepOrder::Auto,
        copies: true,
        ..GrepRequest::default()
    };
    change(&mut request);
    request
}

/// Each line asks for pattern `p` and one change.
#[test]
fn each_option_asks_for_what_grep_means_by_it() {
    type Change = fn(&mut GrepRequest);
    let table: &[(&[&str], Change)] = &[
        (&["p"], |_| {}),
        (&["-G", "p"], |_| {}),
        (&["-E", "p"], |r| r.pattern.syntax = GrepSyntax::Extended),
        (&["-F", "p"], |r| r.pattern.syntax = GrepSyntax::Fixed),
        (&["-FF", "p"], |r| r.pattern.syntax = GrepSyntax::Fixed),
        (&["-E", "--extended-regexp", "p"], |r| r.pattern.syntax = GrepSyntax::Extended),
        (&["--extended-regexp", "p"], |r| r.pattern.syntax = GrepSyntax::Extended),
        (&["-i", "p"], |r| r.pattern.ignore_case = true),
        (&["-y", "p"], |r| r.pattern.ignore_case = true),
        (&["--ignore-case", "p"], |r| r.pattern.ignore_case = true),
        (&["-i", "--no-ignore-case", "p"], |_| {}),
        (&["--no-ignore-case", "-i", "p"], |r| r.pattern.ignore_case = true),
        (&["-v", "p"], |r| r.pattern.invert = true),
        (&["--invert-match", "p"], |r| r.pattern.invert = true),
        (&["-w", "p"], |r| r.pattern.words = true),
        (&["-x", "p"], |r| r.pattern.whole_lines = true),
        (&["-n", "p"], |r| r.printing.line_numbers = true),
        (&["-h", "p"], |r| r.printing.no_names = true),
        (&["-hH", "p"], |_| {}),
        (&["-H", "--no-filename", "p"], |r| r.printing.no_names = true),
        (&["-s", "p"], |r| r.printing.no_messages = true),
        (&["-m", "3", "p"], |r| r.printing.max_count = Some(3)),
        (&["-m3", "p"], |r| r.printing.max_count = Some(3)),
        (&["--max-count=0", "p"], |r| r.printing.max_count = Some(0)),
        (&["-m", "-1", "p"], |_| {}),
        (&["--line-buffered", "-U", "--unix-byte-offsets", "p"], |_| {}),
        (&["-P", "p"], |r| r.pattern.syntax = GrepSyntax::Perl),
        (&["--perl-regexp", "-P", "p"], |r| r.pattern.syntax = GrepSyntax::Perl),
        (&["-z", "p"], |r| r.pattern.null_data = true),
        (&["--null-data", "p"], |r| r.pattern.null_data = true),
        (&["-b", "p"], |r| r.printing.byte_offsets = true),
        (&["--byte-offset", "p"], |r| r.printing.byte_offsets = true),
        (&["-T", "p"], |r| r.printing.initial_tab = true),
        (&["--initial-tab", "p"], |r| r.printing.initial_tab = true),
        (&["-Z", "p"], |r| r.printing.null_after_names = true),
        (&["--null", "p"], |r| r.printing.null_after_names = true),
        (&["-a", "p"], |r| r.printing.binary = GrepBinary::Text),
        (&["--text", "p"], |r| r.printing.binary = GrepBinary::Text),
        (&["-I", "p"], |r| r.printing.binary = GrepBinary::Skip),
        (&["--binary-files=text", "p"], |r| r.printing.binary = GrepBinary::Text),
        (&["--binary-files=without-match", "p"], |r| r.printing.binary = GrepBinary::Skip),
        (&["-a", "--binary-files=binary", "p"], |_| {}),
        (&["--group-separator=XX", "p"], |r| r.printing.group_separator = Some(b"XX".to_vec())),
        (&["--group-separator", "", "p"], |r| r.printing.group_separator = Some(vec![])),
        (&["--no-group-separator", "p"], |r| r.printing.group_separator = None),
        (&["--include=*.log", "--include", "x", "p"], |r| {
            r.files.include = vec!["*.log".to_owned(), "x".to_owned()];
        }),
        (&["--exclude=*.log", "p"], |r| r.files.exclude = vec!["*.log".to_owned()]),
        (&["-A0", "p"], |r| r.printing.after_context = Some(0)),
    ];
    for (line, change) in table {
        assert_eq!(search(line), request(&["p"], change), "{line:?}");
    }
}

#[test]
fn the_output_follows_greps_order_of_precedence() {
    for (line, print) in [
        (&["-c", "p"][..], GrepPrint::Count),
        (&["-o", "p"], GrepPrint::Matches),
        (&["-oc", "p"], GrepPrint::Count),
        (&["-cl", "p"], GrepPrint::FilesWithMatch),
        (&["-lL", "p"], GrepPrint::FilesWithoutMatch),
        (&["-Ll", "p"], GrepPrint::FilesWithMatch),
        (&["-qcl", "p"], GrepPrint::Nothing),
        (&["--silent", "p"], GrepPrint::Nothing),
        (&["--quiet", "p"], GrepPrint::Nothing),
    ] {
        assert_eq!(search(line).printing.what, print, "{line:?}");
    }
}

#[test]
fn context_comes_from_its_own_option_before_the_general_one() {
    for (line, before, after) in [
        (&["-A3", "p"][..], None, Some(3)),
        (&["-B", "2", "p"], Some(2), None),
        (&["-C1", "p"], Some(1), Some(1)),
        (&["-C1", "-A4", "p"], Some(1), Some(4)),
        (&["-A4", "-C1", "p"], Some(1), Some(4)),
        (&["-12", "p"], Some(12), Some(12)),
        (&["-1", "-2", "p"], Some(2), Some(2)),
        (&["-1n2", "p"], Some(2), Some(2)),
        (&["-n3i", "p"], Some(3), Some(3)),
        (&["--context=7", "-B0", "p"], Some(0), Some(7)),
        (&["-A", "+1", "p"], None, Some(1)),
        (&["-A", "99999999999999999999", "p"], None, Some(u32::MAX)),
    ] {
        let request = search(line);
        assert_eq!(
            (request.printing.before_context, request.printing.after_context),
            (before, after),
            "{line:?}"
        );
    }
}

#[test]
fn patterns_come_from_options_or_else_the_first_operand() {
    for (line, patterns, files) in [
        (&["p", "f", "g"][..], &["p"][..], &["f", "g"][..]),
        (&["-e", "p", "f"], &["p"], &["f"]),
        (&["-ep", "f", "-e", "q"], &["p", "q"], &["f"]),
        (&["--regexp=p", "--regexp", "q"], &["p", "q"], &[]),
        (&["a\nb"], &["a", "b"], &[]),
        (&["-e", "a\nb", "-e", "c"], &["a", "b", "c"], &[]),
        (&["a\n"], &["a", ""], &[]),
        (&[""], &[""], &[]),
        (&["-e", "-x"], &["-x"], &[]),
        (&["-e", "--", "f"], &["--"], &["f"]),
        (&["--", "-x", "-v"], &["-x"], &["-v"]),
        (&["p", "--", "--"], &["p"], &["--"]),
        (&["p", "-"], &["p"], &["-"]),
    ] {
        let request = search(line);
        assert_eq!(
            request.pattern.patterns,
            patterns.iter().map(|pattern| pattern.as_bytes()).collect::<Vec<_>>(),
            "{line:?}"
        );
        assert_eq!(request.files.globs, files, "{line:?}");
    }
}

#[test]
fn options_may_be_combined_cut_short_and_given_after_operands() {
    assert_eq!(
        search(&["-inA3", "p"]),
        request(&["p"], |r| {
            r.pattern.ignore_case = true;
            r.printing.line_numbers = true;
            r.printing.after_context = Some(3);
        })
    );
    assert_eq!(
        search(&["p", "f", "-vc"]),
        request(&["p"], |r| {
            r.files.globs = vec!["f".to_owned()];
            r.pattern.invert = true;
            r.printing.what = GrepPrint::Count;
        })
    );
    // Two long names of one option do not make its beginning ambiguous.
    assert_eq!(search(&["--fix", "p"]).pattern.syntax, GrepSyntax::Fixed);
    assert_eq!(search(&["--cou", "p"]).printing.what, GrepPrint::Count);
    assert_eq!(search(&["--col=always", "p"]).pattern.patterns, [b"p"]);
    assert_eq!(search(&["--max", "2", "p"]).printing.max_count, Some(2));
}

#[test]
fn colour_is_off_unless_asked_for_and_auto_asks_the_terminal() {
    let color = |line: &[&str], terminal| match parse(&arguments(line), terminal) {
        Ok(Command::Search(request, _)) => request.printing.colors.is_some(),
        other => panic!("{line:?}: {other:?}"),
    };
    for (line, on_terminal, elsewhere) in [
        (&["p"][..], false, false),
        (&["--color", "p"], true, false),
        (&["--colour=auto", "p"], true, false),
        (&["--color=always", "p"], true, true),
        (&["--color=always", "--color=never", "p"], false, false),
    ] {
        assert_eq!(color(line, true), on_terminal, "{line:?}");
        assert_eq!(color(line, false), elsewhere, "{line:?}");
    }
}

#[test]
fn help_and_version_need_no_pattern() {
    assert_eq!(parse(&arguments(&["--help"]), false), Ok(Command::Help));
    assert_eq!(parse(&arguments(&["p", "--he"]), false), Ok(Command::Help));
    assert_eq!(parse(&arguments(&["-V"]), false), Ok(Command::Version));
}

#[test]
fn errors_have_the_text_of_grep() {
    for (line, words) in [
        (&[][..], "no PATTERN was given"),
        (&["-i"], "no PATTERN was given"),
        (&["-j", "p"], "invalid option -- 'j'"),
        (&["-ij", "p"], "invalid option -- 'j'"),
        (&["-é", "p"], "invalid option -- 'é'"),
        (&["--foo", "p"], "unrecognized option '--foo'"),
        (
            &["--co", "p"],
            "option '--co' is ambiguous; possibilities: '--context' '--color' '--colour' '--count'",
        ),
        (&["--count=3", "p"], "option '--count' doesn't allow an argument"),
        (&["--regexp"], "option '--regexp' requires an argument"),
        (&["-e"], "option requires an argument -- 'e'"),
        (&["-m", "1x", "p"], "invalid max count"),
        (&["-m", "", "p"], "invalid max count"),
        (&["-A", "x", "p"], "x: invalid context length argument"),
        (&["-A", "-1", "p"], "-1: invalid context length argument"),
        (&["-C", "", "p"], ": invalid context length argument"),
        (&["--color=foo", "p"], "invalid argument 'foo' for '--color'"),
        (&["--binary-files=foo", "p"], "unknown binary-files type"),
        (&["-f", "/no/such", "p"], "/no/such: No such file or directory"),
    ] {
        assert_eq!(parse(&arguments(line), false), Err(words.to_owned()), "{line:?}");
    }
}

#[test]
fn perls_patterns_go_with_no_others_and_there_is_only_one() {
    for line in [
        &["-P", "-E", "p"][..],
        &["-F", "-P", "p"],
        &["-PG", "p"],
        &["-E", "-F", "p"],
        &["-FE", "p"],
        &["-G", "p", "--extended-regexp"],
    ] {
        assert_eq!(
            parse(&arguments(line), false),
            Err("conflicting matchers specified".to_owned()),
            "{line:?}"
        );
    }
    for line in [&["-P", "-e", "a", "-e", "b"][..], &["-P", "a\nb"]] {
        assert_eq!(
            parse(&arguments(line), false),
            Err("the -P option only supports a single pattern".to_owned()),
            "{line:?}"
        );
    }
}

#[test]
fn patterns_come_from_files_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (patterns, empty) = (file("patterns", b"a\n\xff\n"), file("empty", b""));
    assert_eq!(
        search(&["-f", &patterns, "-e", "b", "f"]).pattern.patterns,
        [&b"a"[..], b"\xff", b"b"]
    );
    assert_eq!(search(&[&format!("--file={empty}"), "f"]).pattern.patterns, Vec::<Vec<u8>>::new());
    let globs = file("globs", b"*.gz\nx\n");
    assert_eq!(search(&["--exclude-from", &globs, "p"]).files.exclude, ["*.gz", "x"]);
}

#[test]
fn what_would_mean_nothing_is_refused_by_name() {
    for (line, name) in [
        (&["-ir", "p"][..], "-r"),
        (&["-R", "p"], "-R"),
        (&["--recursive", "p"], "--recursive"),
        (&["-d", "skip", "p"], "-d"),
        (&["-D", "skip", "p"], "-D"),
        (&["--exclude-dir=x", "p"], "--exclude-dir"),
        (&["--label=x", "p"], "--label"),
        (&["-X", "egrep", "p"], "-X"),
    ] {
        let words = parse(&arguments(line), false).unwrap_err();
        assert!(
            words.starts_with(&format!("option '{name}' is not supported by memberctl: ")),
            "{line:?} {words}"
        );
    }
}

#[test]
fn a_pattern_may_be_any_bytes_and_a_file_must_be_text() {
    let odd = || OsString::from_vec(vec![b'a', 0xff]);
    let Ok(Command::Search(request, _)) = parse(&[odd()], false) else { panic!("no search") };
    assert_eq!(request.pattern.patterns, [b"a\xff"]);
    assert_eq!(parse(&["p".into(), odd()], false), Err("a\u{fffd}: not valid UTF-8".to_owned()));
}

#[test]
fn the_locale_goes_with_the_patterns() {
    let environment = Environment { characters: GrepCharacters::Bytes, ..Environment::default() };
    let Ok(Command::Search(request, _)) = super::parse(&arguments(&["p"]), &environment) else {
        panic!("no search")
    };
    assert_eq!(request.pattern.characters, GrepCharacters::Bytes);
}

#[test]
fn names_are_aligned_on_a_terminal_unless_programs_read_them() {
    let width = |line: &[&str], aligned| {
        let environment = Environment { aligned, ..Environment::default() };
        match super::parse(&arguments(line), &environment) {
            Ok(Command::Search(request, _)) => request.printing.name_width,
            other => panic!("{line:?}: {other:?}"),
        }
    };
    for line in [
        &["x"][..],
        &["-n", "-c", "x"],
        &["--merge", "x"],
        &["--count-by", "member", "x"],
        &["-A1", "--color=always", "x"],
    ] {
        assert_eq!((width(line, true), width(line, false)), (Some(0), None), "{line:?}");
    }
    for line in [&["-h", "x"][..], &["-Z", "x"], &["--json", "x"], &["--count-by", "file", "x"]] {
        assert_eq!(width(line, true), None, "{line:?}");
    }
}

#[test]
fn the_help_and_with_it_the_manual_name_every_option() {
    let words: Vec<&str> = crate::command::grep::HELP
        .split([' ', '\n', ',', '=', '[', ']', ';', '.', ':', '(', ')'])
        .collect();
    // What is refused, and the second names that grep keeps for old scripts, its own help leaves
    // out as well.
    let silent = ["--fixed-regexp", "--colour", "--unix-byte-offsets"];
    for (flag, letters, names, _) in GNU.iter().chain(FLEET) {
        if matches!(flag, Flag::Refused(_)) {
            continue;
        }
        for option in letters
            .chars()
            .map(|letter| format!("-{letter}"))
            .chain(names.iter().map(|name| format!("--{name}")))
        {
            assert!(
                words.contains(&option.as_str()) || silent.contains(&option.as_str()),
                "{option}"
            );
        }
    }
}

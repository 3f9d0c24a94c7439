//! Tables of command lines with options that GNU grep does not have.

use std::ffi::OsString;

use memberd_control::grep::{GrepJournal, GrepOrder, GrepPrint, GrepRequest};

use super::super::options::{Command, Environment, OptionError, parse};
use super::*;

fn parsed(line: &[&str]) -> Result<(GrepRequest, Presentation), String> {
    let arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
    match parse(&arguments, &Environment::default()).map_err(OptionError::text)? {
        Command::Search(request, presentation) => Ok((*request, presentation)),
        other => panic!("{line:?}: {other:?}"),
    }
}

fn asked(line: &[&str]) -> (GrepRequest, Presentation) {
    parsed(line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

#[test]
fn members_are_named_by_globs_one_or_several() {
    let (request, _) = asked(&["--on", "web*,db1", "--on={a,b}2", "--not-on", "web3", "x"]);
    assert_eq!(request.members.on, ["web*", "db1", "{a,b}2"]);
    assert_eq!(request.members.not_on, ["web3"]);
    assert_eq!(request.pattern.patterns, [b"x"]);
}

#[test]
fn each_option_asks_for_one_thing() {
    type Check = fn(&GrepRequest, Presentation) -> bool;
    let table: &[(&[&str], Check)] = &[
        (&["--rotated", "x"], |r, _| r.files.rotated),
        (&["--follow", "x"], |r, _| r.files.follow),
        (&["--merge", "x"], |r, _| r.printing.by_time),
        (&["--control-chars=raw", "x"], |_, p| p.control_chars == ControlChars::Raw),
        (&["--merge", "-o", "--since", "1h", "x"], |r, _| {
            r.printing.by_time && r.files.since.is_some()
        }),
        (&["--merge", "-C2", "x"], |r, _| {
            r.printing.by_time && r.printing.after_context == Some(2)
        }),
        (&["--follow", "-A", "3", "-i", "x"], |r, _| {
            r.files.follow && r.printing.after_context == Some(3)
        }),
        (&["--json", "x"], |r, _| r.printing.json),
        (&["--json", "--color=always", "x"], |r, _| r.printing.json && r.printing.colors.is_none()),
        (&["--json", "-c", "x"], |r, _| r.printing.json && r.printing.what == GrepPrint::Count),
        (&["--since", "@5", "--until", "@6.5", "x"], |r, _| {
            (r.files.since, r.files.until) == (Some(5_000), Some(6_500))
        }),
        (&["--journal", "--merge", "x"], |r, _| r.files.journal.is_some() && r.printing.by_time),
        (&["--journal", "x"], |r, _| r.files.journal == Some(GrepJournal::default())),
        (&["--follow", "--journal", "-m1", "-A1", "x"], |r, _| {
            r.files.follow
                && r.files.journal.is_some()
                && r.printing.max_count == Some(1)
                && r.printing.after_context == Some(1)
        }),
        (&["x", "-u", "a.service", "-ub", "-perr", "--journal"], |r, _| {
            let units = vec!["a.service".to_owned(), "b".to_owned()];
            let priority = Some("err".to_owned());
            r.files.journal == Some(GrepJournal { units, priority, ..GrepJournal::default() })
        }),
        (&["--count-by", "member", "x"], |r, v| {
            r.printing.what == GrepPrint::Count && v.count_by == Some(CountBy::Member)
        }),
        (&["-c", "--count-by=file", "x"], |r, v| {
            r.printing.null_after_names && v.count_by == Some(CountBy::File)
        }),
        (&["-c", "--total", "x"], |_, v| v.total),
        (&["--count-by", "member", "--total", "x"], |_, v| v.total),
        (&["--stats", "x"], |_, v| v.stats),
        (&["--limit", "5", "-l", "x"], |_, v| v.limit == Some(5)),
        (&["--limit=5", "--merge", "x"], |r, v| v.limit == Some(5) && r.printing.by_time),
        (&["--last=5", "x"], |r, v| v.last == Some(5) && r.printing.by_time),
        (&["--fold", "-h", "x"], |_, v| v.fold),
    ];
    for (line, check) in table {
        let (request, presentation) = asked(line);
        assert!(check(&request, presentation), "{line:?}: {request:?} {presentation:?}");
    }
}

/// Where the order of members does not show, none is asked for.
#[test]
fn members_come_in_an_order_where_it_shows() {
    for (line, order) in [
        (&[][..], GrepOrder::Auto),
        (&["-c"], GrepOrder::Auto),
        (&["--json"], GrepOrder::Auto),
        (&["--limit=3"], GrepOrder::Auto),
        (&["--order=auto"], GrepOrder::Auto),
        (&["--order=name"], GrepOrder::Name),
        (&["--order", "found"], GrepOrder::Found),
        (&["--fold"], GrepOrder::Name),
        (&["-q"], GrepOrder::Found),
        (&["--merge"], GrepOrder::Found),
        (&["--last=3"], GrepOrder::Found),
        (&["--follow"], GrepOrder::Found),
        (&["--count-by=file"], GrepOrder::Found),
    ] {
        assert_eq!(asked(&[line, &["x"]].concat()).0.order, order, "{line:?}");
    }
}

#[test]
fn each_option_of_the_journal_selects_a_part() {
    type Set = fn(&mut GrepJournal);
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let table: &[(&[&str], Set)] = &[
        (&["-t", "sshd", "--identifier=a b"], |j| {
            j.identifiers = vec!["sshd".to_owned(), "a b".to_owned()];
        }),
        (&["--boot"], |j| j.boot = Some("0".to_owned())),
        (&["--boot=-1"], |j| j.boot = Some("-1".to_owned())),
        (&["-k"], |j| j.dmesg = true),
        (&["--dmesg", "--boot=all"], |j| {
            (j.dmesg, j.boot) = (true, Some("all".to_owned()));
        }),
        (&["--user-unit=a"], |j| j.user_units = vec!["a".to_owned()]),
        (&["--facility", "auth,4"], |j| j.facilities = vec!["auth,4".to_owned()]),
        (&["--namespace=+web"], |j| j.namespace = Some("+web".to_owned())),
        (&["_PID=1", "A=x", "A=y"], |j| {
            j.matches = ["_PID=1", "A=x", "A=y"].map(str::to_owned).to_vec();
        }),
    ];
    for (line, set) in table {
        let mut journal = GrepJournal::default();
        set(&mut journal);
        let (request, _) = asked(&[&["--journal", "-e", "x"], *line].concat());
        assert_eq!((request.files.journal, request.files.globs), (Some(journal), words(&[])));
    }
    // Without --journal this is a file, and after the pattern only.
    assert_eq!(asked(&["x", "A=x"]).0.files.globs, words(&["A=x"]));
    assert_eq!(asked(&["--journal", "A=x"]).0.pattern.patterns, [b"A=x"]);
}

#[test]
fn only_options_of_grep_can_be_abbreviated() {
    // --on is an option for fleets, written out; --onl and --o are grep's --only-matching.
    assert_eq!(asked(&["--on", "a", "x"]).0.printing.what, GrepPrint::Lines);
    for abbreviation in ["--onl", "--o"] {
        assert_eq!(asked(&[abbreviation, "x"]).0.printing.what, GrepPrint::Matches);
    }
    assert_eq!(asked(&["--count", "x"]).1, Presentation::default());
    for (option, words) in [
        ("--foll", "unrecognized option '--foll'"),
        ("--count-b=file", "unrecognized option '--count-b'"),
        ("--merg", "unrecognized option '--merg'"),
        ("--js", "unrecognized option '--js'"),
    ] {
        assert_eq!(parsed(&[option, "x"]).unwrap_err(), words);
    }
}

#[test]
fn options_that_cannot_be_combined_are_refused_by_name() {
    for (line, words) in [
        (&["-u", "a", "x"][..], "option '-u' needs '--journal'"),
        (&["-p", "err", "x"], "option '-p' needs '--journal'"),
        (
            &["-p", "loud", "--journal", "x"],
            "invalid priority 'loud': one of emerg, alert, crit, err, warning, notice, info, \
            debug, or FROM..TO",
        ),
        (&["-t", "a", "x"], "option '-t' needs '--journal'"),
        (&["-k", "-u", "a", "x"], "option '-k' needs '--journal'"),
        (&["--boot", "x"], "option '--boot' needs '--journal'"),
        (
            &["--journal", "--boot=x", "x"],
            "invalid boot 'x': -1 for the one before the current one, 1 for the first, or an id",
        ),
        (
            &["--journal", "--facility=help", "x"],
            "invalid facility 'help': names such as auth,authpriv,local0, or numbers from 0 to 23",
        ),
        (&["--journal", "--namespace=../x", "x"], "invalid namespace '../x': NAME, +NAME or *"),
        (&["--journal", "--user-unit=a*", "x"], "invalid unit 'a*': '--user-unit' takes no glob"),
        (
            &["--journal", "-u", "a", "--user-unit=b", "x"],
            "option '-u' cannot be combined with '--user-unit'",
        ),
        (&["--journal", "x", "_PID=1", "b=2"], "option '--journal' cannot be combined with 'FILE'"),
        (&["--journal", "x", "a.log"], "option '--journal' cannot be combined with 'FILE'"),
        (
            &["--journal", "--rotated", "x"],
            "option '--journal' cannot be combined with '--rotated'",
        ),
        (&["--merge", "--follow", "x"], "option '--merge' cannot be combined with '--follow'"),
        (&["--merge", "-c", "x"], "option '--merge' cannot be combined with '-c'"),
        (&["--merge", "-q", "x"], "option '--merge' cannot be combined with '-q'"),
        (&["--follow", "-c", "x"], "option '--follow' cannot be combined with '-c'"),
        (&["--follow", "-l", "x"], "option '--follow' cannot be combined with '-l'"),
        (&["--follow", "-q", "x"], "option '--follow' cannot be combined with '-q'"),
        (
            &["--journal", "--merge", "--follow", "x"],
            "option '--merge' cannot be combined with '--follow'",
        ),
        (
            &["--follow", "--since", "1h", "x"],
            "option '--follow' cannot be combined with '--since'",
        ),
        (&["--follow", "--stats", "x"], "option '--follow' cannot be combined with '--stats'"),
        (&["--json", "-o", "x"], "option '--json' cannot be combined with '-o'"),
        (&["--json", "-h", "x"], "option '--json' cannot be combined with '-h'"),
        (
            &["--json", "--count-by", "file", "x"],
            "option '--json' cannot be combined with '--count-by'",
        ),
        (&["--json", "-c", "--total", "x"], "option '--json' cannot be combined with '--total'"),
        (&["--count-by", "day", "x"], "invalid argument 'day' for '--count-by': member or file"),
        (&["--count-by", "file", "-l", "x"], "option '--count-by' cannot be combined with '-l'"),
        (&["--count-by", "file", "-h", "x"], "option '--count-by' cannot be combined with '-h'"),
        (&["--total", "x"], "option '--total' needs '-c'"),
        (&["--on", "a,,b", "x"], "option '--on' has an empty name: write --on GLOB[,GLOB]..."),
        (&["--since", "1h", "--until", "2h", "x"], "'--since' is not before '--until'"),
        (&["--on"], "option '--on' requires an argument"),
        (&["--follow=yes", "x"], "option '--follow' doesn't allow an argument"),
    ] {
        assert_eq!(parsed(line).unwrap_err(), words, "{line:?}");
    }
    assert!(parsed(&["--since", "soon", "x"]).unwrap_err().starts_with("invalid time 'soon'"));
}

#[test]
fn options_over_all_members_that_cannot_be_combined_are_refused() {
    for (line, words) in [
        (&["--order=size", "x"][..], "invalid argument 'size' for '--order': auto, name or found"),
        (&["--order=name", "--merge", "x"], "option '--order' cannot be combined with '--merge'"),
        (&["--order=name", "--follow", "x"], "option '--order' cannot be combined with '--follow'"),
        (&["--limit=0", "x"], "invalid argument '0' for '--limit': a number of lines from 1"),
        (
            &["--last=1000001", "x"],
            "invalid argument '1000001' for '--last': a number of lines from 1 to 1000000",
        ),
        (&["--limit=1", "--last=1", "x"], "option '--limit' cannot be combined with '--last'"),
        (&["--limit=1", "-q", "x"], "option '--limit' cannot be combined with '-q'"),
        (&["--limit=1", "-c", "x"], "option '--limit' cannot be combined with '-c'"),
        (&["--limit=1", "-L", "x"], "option '--limit' cannot be combined with '-L'"),
        (&["--last=1", "-c", "x"], "option '--last' cannot be combined with '-c'"),
        (&["--last=1", "--follow", "x"], "option '--last' cannot be combined with '--follow'"),
        (&["--fold", "--json", "x"], "option '--fold' cannot be combined with '--json'"),
        (&["--fold", "--limit=1", "x"], "option '--limit' cannot be combined with '--fold'"),
    ] {
        assert_eq!(parsed(line).unwrap_err(), words, "{line:?}");
    }
}

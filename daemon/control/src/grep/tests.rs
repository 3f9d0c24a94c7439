//! The bytes of a grep's request and of its totals: members of one version must agree on them.

use super::*;

fn encoded(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes.escape_ascii().to_string()
}

/// A request that sets every option of the first versions.
fn full_request() -> GrepRequest {
    GrepRequest {
        members: GrepMembers {
            on: vec!["web*".to_owned()],
            not_on: vec!["db1".to_owned()],
            tags: vec!["zone=a".parse().unwrap()],
        },
        pattern: GrepPattern {
            patterns: vec![b"a\xff".to_vec(), Vec::new()],
            syntax: GrepSyntax::Extended,
            characters: GrepCharacters::Bytes,
            ignore_case: true,
            invert: true,
            words: true,
            whole_lines: true,
            null_data: true,
        },
        files: GrepFiles {
            globs: vec!["*.log".to_owned()],
            include: vec!["a*".to_owned()],
            exclude: vec!["b*".to_owned()],
            rotated: true,
            journal: Some(GrepJournal {
                units: vec!["ssh".to_owned()],
                priority: Some("err".to_owned()),
                ..GrepJournal::default()
            }),
            since: Some(-1),
            until: Some(1_763_688_033_123),
            follow: true,
            only: Vec::new(),
        },
        printing: GrepPrinting {
            what: GrepPrint::FilesWithoutMatch,
            line_numbers: true,
            byte_offsets: true,
            initial_tab: true,
            no_names: true,
            name_width: Some(7),
            null_after_names: true,
            no_messages: true,
            max_count: Some(300),
            before_context: Some(0),
            after_context: Some(70_000),
            group_separator: Some(b"~".to_vec()),
            binary: GrepBinary::Skip,
            colors: Some(GrepColors::default()),
            json: true,
            by_time: true,
        },
        output_file: None,
        asker: None,
        order: GrepOrder::Found,
        copies: false,
        kept_of: None,
        follow_from: None,
        stats: None,
    }
}

#[test]
fn the_bytes_of_a_plain_request_do_not_change() {
    assert_eq!(
        encoded(&GrepRequest::default()),
        "\\xa4gmembers\\xa3bon\\x80fnot_on\\x80dtags\\x80gpattern\\xa8hpatterns@fsyntaxeBasic\
        jcharactersdUtf8kignore_case\\xf4finvert\\xf4ewords\\xf4kwhole_lines\\xf4inull_data\
        \\xf4efiles\\xa8eglobs\\x80ginclude\\x80gexclude\\x80grotated\\xf4gjournal\\xf6esinc\
        e\\xf6euntil\\xf6ffollow\\xf4hprinting\\xb0dwhateLineslline_numbers\\xf4lbyte_offset\
        s\\xf4kinitial_tab\\xf4hno_names\\xf4jname_width\\xf6pnull_after_names\\xf4kno_messa\
        ges\\xf4imax_count\\xf6nbefore_context\\xf6mafter_context\\xf6ogroup_separator\\x82\
        \\x18-\\x18-fbinaryfReportfcolors\\xf6djson\\xf4gby_time\\xf4"
    );
}

#[test]
fn the_bytes_of_a_full_request_do_not_change() {
    assert_eq!(
        encoded(&full_request()),
        "\\xa4gmembers\\xa3bon\\x81dweb*fnot_on\\x81cdb1dtags\\x81\\xa2ckeydzoneevalueaagpatt\
        ern\\xa8hpatternsDa\\xff\\n\\nfsyntaxhExtendedjcharacterseByteskignore_case\\xf5finv\
        ert\\xf5ewords\\xf5kwhole_lines\\xf5inull_data\\xf5efiles\\xa8eglobs\\x81e*.loggincl\
        ude\\x81ba*gexclude\\x81bb*grotated\\xf5gjournal\\xa2eunits\\x81csshhprioritycerresi\
        nce euntil\\x1b\\x00\\x00\\x01\\x9a\\xa3\\xff\\xabcffollow\\xf5hprinting\\xb0dwhatqF\
        ilesWithoutMatchlline_numbers\\xf5lbyte_offsets\\xf5kinitial_tab\\xf5hno_names\\xf5j\
        name_width\\x07pnull_after_names\\xf5kno_messages\\xf5imax_count\\x19\\x01,nbefore_c\
        ontext\\x00mafter_context\\x1a\\x00\\x01\\x11pogroup_separator\\x81\\x18~fbinarydSki\
        pfcolors\\xaanselected_matche01;31mcontext_matche01;31mselected_line`lcontext_line`i\
        file_nameb35kline_numberb32kbyte_offsetb32iseparatorb36greverse\\xf4hno_erase\\xf4dj\
        son\\xf5gby_time\\xf5"
    );
}

/// The field is told to the client's own daemon alone, and absent otherwise.
#[test]
fn the_file_of_the_output_is_an_optional_field() {
    let output_file = Some(OutputFile { device: 1, inode: 2 });
    let request = GrepRequest { output_file, ..GrepRequest::default() };
    let bytes = encoded(&request);
    assert!(bytes.ends_with("koutput_file\\xa2fdevice\\x01einode\\x02"), "{bytes}");
    let without = bytes.replacen("\\xa5", "\\xa4", 1);
    let without = without.strip_suffix("koutput_file\\xa2fdevice\\x01einode\\x02");
    assert_eq!(without, Some(encoded(&GrepRequest::default()).as_str()));
}

/// The first versions pass over the field. What they send has none.
#[test]
fn who_asks_is_an_optional_field() {
    let asker = GrepAsker { member: "vm1".to_owned(), user: Some("eve".to_owned()), uid: Some(7) };
    let request = GrepRequest { asker: Some(asker), ..GrepRequest::default() };
    let bytes = encoded(&request);
    let field = "easker\\xa3fmembercvm1dusercevecuid\\x07";
    let without = bytes.replacen("\\xa5", "\\xa4", 1);
    let without = without.strip_suffix(field);
    assert_eq!(without, Some(encoded(&GrepRequest::default()).as_str()), "{bytes}");
    let mut plain = Vec::new();
    ciborium::into_writer(&GrepAsker { member: "vm1".into(), user: None, uid: None }, &mut plain)
        .unwrap();
    let read: GrepAsker = ciborium::from_reader(plain.as_slice()).unwrap();
    assert_eq!((read.user, read.uid), (None, None));
}

/// An order is told to the client's own daemon alone, and absent where older clients have none.
#[test]
fn the_order_is_an_optional_field() {
    let request = GrepRequest { order: GrepOrder::Auto, ..GrepRequest::default() };
    let bytes = encoded(&request).replacen("\\xa5", "\\xa4", 1);
    let without = bytes.strip_suffix("eorderdAuto");
    assert_eq!(without, Some(encoded(&GrepRequest::default()).as_str()), "{bytes}");
}

#[test]
fn the_bytes_of_totals_do_not_change() {
    let totals = GrepTotals {
        files: 1,
        bytes: 70_000,
        lines: 300,
        errors: 2,
        milliseconds: 12,
        unmatched: vec!["x".to_owned()],
    };
    assert_eq!(
        encoded(&totals),
        "\\xa6efiles\\x01ebytes\\x1a\\x00\\x01\\x11pelines\\x19\\x01,ferrors\\x02lmillisecond\
        s\\x0ciunmatched\\x81ax"
    );
}

/// What the first versions do not know comes after the rest.
#[test]
fn the_bytes_of_a_narrowed_journal_do_not_change() {
    let journal = GrepJournal {
        identifiers: vec!["app".to_owned()],
        boot: Some("-1".to_owned()),
        dmesg: true,
        user_units: vec!["a".to_owned()],
        facilities: vec!["kern".to_owned()],
        namespace: Some("web".to_owned()),
        matches: vec!["_PID=1".to_owned()],
        ..GrepJournal::default()
    };
    assert_eq!(
        encoded(&journal),
        "\\xa9eunits\\x80hpriority\\xf6kidentifiers\\x81cappdbootb-1edmesg\\xf5juser_units\\x81aa\
        jfacilities\\x81dkerninamespacecwebgmatches\\x81f_PID=1"
    );
    let mut bytes = Vec::new();
    ciborium::into_writer(&journal, &mut bytes).unwrap();
    assert_eq!(ciborium::from_reader::<GrepJournal, _>(bytes.as_slice()).unwrap(), journal);
}

/// Decodes a list of so many empty texts as a list of globs, or as the units of a journal.
fn decoded(globs: usize, units: usize) -> Result<GrepFiles, String> {
    let texts = |count| vec![String::new(); count];
    let journal = Some(GrepJournal { units: texts(units), ..GrepJournal::default() });
    let files = GrepFiles { globs: texts(globs), journal, ..GrepFiles::default() };
    let mut bytes = Vec::new();
    ciborium::into_writer(&files, &mut bytes).unwrap();
    ciborium::from_reader(bytes.as_slice()).map_err(|error| format!("{error:?}"))
}

/// Of too many globs so many are kept that their owner refuses them. The fields after them are read
/// as well.
#[test]
fn lists_are_bounded_while_they_are_decoded() {
    for (globs, kept) in [(256, 256), (257, 257), (70_000, 257)] {
        let files = decoded(globs, 1).unwrap();
        assert_eq!((files.globs.len(), files.globs.capacity() < 1024), (kept, true));
        assert_eq!(files.journal.map(|journal| journal.units.len()), Some(1));
    }
    assert!(decoded(0, 1024).is_ok());
    let error = decoded(0, 70_000).unwrap_err();
    assert!(error.contains("a list of more than 1024 elements"), "{error}");
    let totals = GrepTotals { unmatched: vec![String::new(); 257], ..GrepTotals::default() };
    let mut bytes = Vec::new();
    ciborium::into_writer(&totals, &mut bytes).unwrap();
    ciborium::from_reader::<GrepTotals, _>(bytes.as_slice()).unwrap_err();
}

/// Decodes patterns that are sent as these bytes.
fn patterns(sent: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut bytes = Vec::new();
    ciborium::into_writer(
        &GrepPattern { patterns: vec![b"@".to_vec()], ..GrepPattern::default() },
        &mut bytes,
    )
    .unwrap();
    let at = bytes.windows(3).position(|part| part == b"\x42@\n").unwrap();
    let head = [&[0x5a][..], &u32::try_from(sent.len()).unwrap().to_be_bytes()].concat();
    bytes.splice(at..at + 3, [&head, sent].concat());
    let pattern = ciborium::from_reader::<GrepPattern, _>(bytes.as_slice());
    pattern.map(|pattern| pattern.patterns).map_err(|error| format!("{error:?}"))
}

/// Each of the lines of many patterns would take 24 bytes more. They mean the same in one piece.
#[test]
fn many_patterns_stay_in_one_piece() {
    assert_eq!(patterns(b"").unwrap(), Vec::<Vec<u8>>::new());
    assert_eq!(patterns(b"\n").unwrap(), [b""]);
    assert_eq!(patterns(b"a\n\nb\n").unwrap(), [&b"a"[..], b"", b"b"]);
    assert_eq!(patterns(&[b'\n'; 256]).unwrap().len(), 256);
    assert_eq!(patterns(&[b'\n'; 257]).unwrap(), [[b'\n'; 256]]);
    let without_end = [&[b'\n'; 70_000][..], b"x"].concat();
    for sent in [&b"x"[..], b"a\nx", &without_end] {
        assert!(patterns(sent).unwrap_err().contains("a text without its newline"));
    }
}

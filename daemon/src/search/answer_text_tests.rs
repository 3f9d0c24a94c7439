//! Tables of texts, with the name of the member that they are said to come from.

use super::*;
use memberd_control::grep::{GrepColors, GrepJournal};

fn request(change: impl FnOnce(&mut GrepRequest)) -> GrepRequest {
    let mut request = GrepRequest::default();
    change(&mut request);
    request
}

/// Whether vm1 may answer so: with whole lines, all at once.
fn taken(request: &GrepRequest, text: &[u8]) -> Result<bool, AnswerFault> {
    let mut check = AnswerText::new("vm1", request);
    let checked = check.check(text)?;
    Ok(checked == text.len() && !check.is_in_line())
}

#[test]
fn each_line_begins_with_the_members_own_name() {
    let plain = GrepRequest::default();
    for own in [&b""[..], b"vm1:/a:x\n", b"vm1:/a:\nvm1:/b:vm2:/a:x\n", b"vm1:/a-x\r\n"] {
        assert_eq!(taken(&plain, own), Ok(true), "{}", own.escape_ascii());
    }
    for foreign in [
        &b"vm2:/a:x\n"[..],
        b"vm1:/a:x\nvm2:/a:x\n",
        b"vm1:/a:x\n\n",
        b"vm1:/a:x\n--\n",
        b"vm1:a:x\n",
        b" vm1:/a:x\n",
        b"vm12:/a:x\n",
        b"\x1b[35mvm1:/a:x\n",
        b"vm1: /a:x\n",
    ] {
        let text = foreign.escape_ascii();
        assert_eq!(taken(&plain, foreign), Err(AnswerFault::Name), "{text}");
    }
    for cut in [&b"vm1:/a:x"[..], b"vm1:/a:x\nvm1", b"vm1:", b"v"] {
        assert_eq!(taken(&plain, cut), Ok(false), "{}", cut.escape_ascii());
    }
}

#[test]
fn names_have_the_form_that_was_asked_for() {
    let aligned = request(|request| request.printing.name_width = Some(5));
    assert_eq!(taken(&aligned, b"vm1:  /a:x\n"), Ok(true));
    assert_eq!(taken(&aligned, b"vm1:/a:x\n"), Ok(true), "as older members print it");
    assert_eq!(taken(&aligned, b"vm1: /a:x\n"), Err(AnswerFault::Name));
    let colors = request(|request| request.printing.colors = Some(GrepColors::default()));
    assert_eq!(taken(&colors, b"\x1b[35m\x1b[Kvm1:/a\x1b[m\x1b[K\x1b[36mx\n"), Ok(true));
    assert_eq!(taken(&colors, b"vm1:/a:x\n"), Err(AnswerFault::Name));
    let journal = request(|request| request.files.journal = Some(GrepJournal::default()));
    assert_eq!(taken(&journal, b"vm1:journal:x\n"), Ok(true));
    assert_eq!(taken(&journal, b"vm1:/etc/passwd:x\n"), Err(AnswerFault::Name));
    let context = request(|request| request.printing.after_context = Some(1));
    assert_eq!(taken(&context, b"vm1:/a:x\nvm1:/a-y\n--\nvm1:/a:x\n"), Ok(true));
    assert_eq!(taken(&context, b"--\nvm2:/a:x\n"), Err(AnswerFault::Name));
    let null = request(|request| request.printing.null_after_names = true);
    assert_eq!(taken(&null, b"vm1:/a\nb\0x\nvm1:/a\nb\0y\n"), Ok(true));
    assert_eq!(taken(&null, b"vm1:/a\0x\nvm2:/a\0y\n"), Err(AnswerFault::Name));
    assert_eq!(taken(&null, &[b"vm1:/", &[b'x'; 40_000][..]].concat()), Err(AnswerFault::Name));
    let records = request(|request| request.pattern.null_data = true);
    assert_eq!(taken(&records, b"vm1:/a:x\nvm2:/a:y\0vm1:/b:\0"), Ok(true));
    assert_eq!(taken(&records, b"vm1:/a:x\0vm2:/a:y\0"), Err(AnswerFault::Name));
}

#[test]
fn lines_without_names_need_an_end() {
    let unnamed = request(|request| request.printing.no_names = true);
    assert_eq!(taken(&unnamed, b"anything\n\nvm2:/a:x\n"), Ok(true));
    assert_eq!(taken(&unnamed, b"anything"), Ok(false));
    let records = request(|request| {
        request.printing.no_names = true;
        request.printing.after_context = Some(1);
        request.pattern.null_data = true;
    });
    assert_eq!(taken(&records, b"x\ny\0--\nz\0"), Ok(true));
}

#[test]
fn counts_are_numbers_and_names_stand_alone() {
    let count = request(|request| request.printing.what = GrepPrint::Count);
    assert_eq!(taken(&count, b"vm1:/a:0\nvm1:/b:9:18446744073709551615\n"), Ok(true));
    for wrong in [
        &b"vm1:/a:x\n"[..],
        b"vm1:/a:\n",
        b"vm1:/a\n",
        b"vm1:/a:-1\n",
        b"vm1:/:18446744073709551616\n",
    ] {
        assert_eq!(taken(&count, wrong), Err(AnswerFault::Count), "{}", wrong.escape_ascii());
    }
    assert_eq!(taken(&count, b"vm2:/a:1\n"), Err(AnswerFault::Name));
    let mut null = count.clone();
    null.printing.null_after_names = true;
    assert_eq!(taken(&null, b"vm1:/a\nb\x001\nvm1:/a:5\x002\n"), Ok(true));
    assert_eq!(taken(&null, b"vm1:/a:5\n"), Ok(false));
    assert_eq!(taken(&null, b"vm1:/a\x001x\n"), Err(AnswerFault::Count));
    let mut unnamed = count.clone();
    unnamed.printing.no_names = true;
    assert_eq!(taken(&unnamed, b"1\n22\n"), Ok(true));
    assert_eq!(taken(&unnamed, b"1\nx\n"), Err(AnswerFault::Count));
    let mut colors = count;
    colors.printing.colors = Some(GrepColors::default());
    let painted = b"\x1b[35m\x1b[Kvm1:/a\x1b[m\x1b[K\x1b[36m\x1b[K:\x1b[m\x1b[K7\n";
    assert_eq!(taken(&colors, painted), Ok(true));
    let files = request(|request| {
        request.printing.what = GrepPrint::FilesWithMatch;
        request.printing.no_names = true;
    });
    assert_eq!(taken(&files, b"vm1:/a\nvm1:/b:c\n"), Ok(true));
    assert_eq!(taken(&files, b"vm1:/a\nvm2:/b\n"), Err(AnswerFault::Name));
    let many = b"vm1:/a\n".repeat(MAX_ANSWERED_FILES + 1);
    assert_eq!(taken(&files, &many), Err(AnswerFault::Files));
}

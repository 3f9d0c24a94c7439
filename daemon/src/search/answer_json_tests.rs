//! Tables of JSON lines, said to come from vm1.

use super::*;

fn request(what: GrepPrint) -> GrepRequest {
    let mut request = GrepRequest::default();
    (request.printing.what, request.printing.json) = (what, true);
    request
}

fn taken(what: GrepPrint, text: &[u8]) -> Result<bool, AnswerFault> {
    let mut check = AnswerJson::new("vm1", &request(what));
    let checked = check.check(text)?;
    Ok(checked == text.len() && !check.is_in_line())
}

/// The line of an object that ends like this.
fn object(end: &str) -> Vec<u8> {
    format!("{{\"schema\":1,\"type\":\"match\",\"member\":\"vm1\",\"file\":\"/a{end}\n")
        .into_bytes()
}

const OBJECT: &str = "\\\\b\",\"line\":7,\"offset\":0,\"time\":-1,\"text\":\"\\u001b \\\"ä\\n\",\
    \"submatches\":[{\"start\":1,\"end\":2},{\"start\":3,\"end\":4}],\"more\":[[],{},null,true]}";

#[test]
fn objects_of_the_member_are_taken() {
    for end in [OBJECT, "\"}", "\",\"bytes\":\"/w==\"}", "\",\"x\":{\"member\":\"vm2\"}}"] {
        assert_eq!(taken(GrepPrint::Lines, &object(end)), Ok(true), "{end}");
    }
    let count = br#"{"schema":1,"type":"count","member":"vm1","file":"/a","lines":5}"#;
    assert_eq!(taken(GrepPrint::Count, &[&count[..], b"\n"].concat()), Ok(true));
    let file = br#"{"schema":1,"type":"file","member":"vm1","file_bytes":"L/8="}"#;
    assert_eq!(taken(GrepPrint::FilesWithMatch, &[&file[..], b"\n"].concat()), Ok(true));
}

#[test]
fn what_is_no_object_of_the_member_is_refused() {
    for end in [
        "\",\"member\":\"vm2\"}",
        "\",\"\\u006dember\":\"vm2\"}",
        "\",\"type\":\"totals\"}",
        "\",\"line\":07}",
        "\",\"line\":1.5}",
        "\",\"line\":--1}",
        "\",\"line\":nul}",
        "\",\"line\":}",
        "\",}",
        "\",\"\":1}",
        "\"]",
        "\"}}",
        "\"} ",
        "\n\"}",
        "\u{1b}\"}",
        "\\x\"}",
        "\\ud800\"}",
        "\\u12g4\"}",
        "\",\"x\":[[[[[[[[]]]]]]]]}",
        "\",\"x\":[1,]}",
        "\",\"x\":[1 2]}",
    ] {
        assert_eq!(taken(GrepPrint::Lines, &object(end)), Err(AnswerFault::Json), "{end}");
    }
    for line in [
        &b"rubbish\n"[..],
        b"\n",
        b"vm1:/a:x\n",
        br#"{"schema":1,"type":"match","member":"vm2","file":"/a"}"#,
        br#"{"schema":1,"type":"totals","member":"vm1","file":"/a"}"#,
        br#"{"schema":1,"type":"match","member":"vm1","file":"a"}"#,
        b"{\"schema\":1,\"type\":\"match\",\"member\":\"vm1\",\"file\":\"/\xff\"}\n",
    ] {
        assert_eq!(
            taken(GrepPrint::Lines, line),
            Err(AnswerFault::Json),
            "{}",
            line.escape_ascii()
        );
    }
    assert_eq!(taken(GrepPrint::Count, &object("\"}")), Err(AnswerFault::Json));
}

/// Wherever an object is cut, its end makes one line of JSON of it.
#[test]
fn a_cut_object_is_closed() {
    let whole = object(OBJECT);
    for cut in 1..whole.len() {
        let mut check = AnswerJson::new("vm1", &request(GrepPrint::Lines));
        let checked = check.check(&whole[..cut]).unwrap();
        assert!(checked <= cut && cut - checked <= MAX_WORD + 8, "{cut}");
        let closed = [&whole[..checked], &check.closing()].concat();
        if checked == 0 {
            assert_eq!(closed, b"");
            continue;
        }
        let mut again = AnswerJson::new("vm1", &request(GrepPrint::Lines));
        let text = String::from_utf8(closed.clone()).unwrap();
        assert_eq!(again.check(&closed), Ok(closed.len()), "{text}");
        assert!(!again.is_in_line(), "{text}");
        assert!(text.ends_with("\"cut\":true}\n") || closed == whole, "{text}");
        // The rest goes on where the cut was.
        assert_eq!(check.check(&whole[checked..]), Ok(whole.len() - checked));
        assert!(!check.is_in_line());
    }
}

/// Where the first byte is that does not stand for itself, at each place of a word of eight.
#[test]
fn bytes_that_stand_for_themselves_are_counted() {
    for special in [0, b'\n', 0x1f, b'"', b'\\', 0x80, 0xff] {
        for plain in 0..20 {
            let mut text = vec![b' '; plain];
            text.extend([special, b'!', 0x7f, b'\n', b'x', b'"', b'x', b'x', b'x']);
            assert_eq!(plain_bytes(&text), plain, "{special:#x}");
        }
    }
    assert_eq!(plain_bytes(&[0x7f; 17]), 17);
}

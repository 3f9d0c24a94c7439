//! Fuzzes the path and the query of WebHDFS: a method, a target up to a question mark, and a query.
//!
//! A path that is read has one form, which means itself when it is escaped and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_fuzz::in_time;
use memberd_webhdfs::{Asked, HdfsPath};

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    let method = ["GET", "PUT", "POST", "DELETE"][usize::from(kind % 4)];
    let at = bytes.iter().position(|byte| *byte == b'?').unwrap_or(bytes.len());
    let (path, query) = bytes.split_at(at);
    let query = query.strip_prefix(b"?").unwrap_or(query);
    let Ok(asked) = in_time(bytes, || Asked::parse(method, path, query)) else { return };
    let text = asked.path.as_str();
    assert_eq!(HdfsPath::parse(text).as_ref(), Ok(&asked.path));
    assert!(text.len() <= HdfsPath::MAX_BYTES && !text.contains(char::is_control));
    assert!(asked.path.names().all(|name| name != ".." && name != "."));
    let names = text.bytes().skip(1);
    let escaped: String = names.map(|byte| format!("%{byte:02x}")).collect();
    let again = Asked::parse(method, format!("/webhdfs/v1/{escaped}").as_bytes(), query);
    assert_eq!(again, Ok(asked));
});

//! Data: redirects, uploads that are visible whole or not at all, and reads that never end early
//! unnoticed.

use crate::client::{SOON, Served, hear, try_hear};
use crate::memory::Faults;
use memberd_webhdfs::FileError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn the_first_step_creates_nothing() {
    let served = Served::new().await;
    for (method, target) in
        [("PUT", "/s/file?op=CREATE"), ("PUT", "/s/d/e?op=CREATE&noredirect=TRUE")]
    {
        let heard = served.send(method, target, b"a body that is not asked for").await;
        assert!(heard.status == 307 || heard.json()["Location"].is_string());
    }
    assert_eq!(served.files.paths(), ["/", "/s", "/t"]);
}

/// Each operation with data is redirected to this server, and the location has a query.
#[tokio::test]
async fn every_operation_with_data_is_redirected() {
    let served = Served::new().await;
    served.put("/s/file", b"hello").await;
    for (method, query) in [
        ("GET", "op=OPEN"),
        ("PUT", "op=CREATE&overwrite=true"),
        ("POST", "op=APPEND"),
        ("GET", "op=GETFILECHECKSUM"),
    ] {
        let heard = served.ask(method, &format!("/s/file?{query}")).await;
        assert_eq!((heard.status, heard.body.len()), (307, 0));
        let expected = format!("http://{}/webhdfs/v1/s/file?{query}&step=data", served.host);
        assert_eq!(heard.location(), expected);
        let target = format!("/s/file?{query}&noredirect=true");
        let told = served.ask(method, &target).await;
        assert_eq!((told.status, told.json()["Location"].as_str()), (200, Some(&*expected)));
    }
}

/// Java asks the location again with an offset, to seek.
#[tokio::test]
async fn a_location_is_used_again_with_an_offset() {
    let served = Served::new().await;
    served.put("/s/file", b"0123456789").await;
    let location = served.ask("GET", "/s/file?op=OPEN").await.location();
    for (more, expected) in
        [("", "0123456789"), ("&offset=3", "3456789"), ("&offset=0", "0123456789")]
    {
        let heard = served.ask("GET", &format!("{location}{more}")).await;
        assert_eq!((heard.status, heard.text().as_str()), (200, expected));
        assert_eq!(heard.header("content-type"), Some("application/octet-stream"));
    }
    let part = served.transfer("GET", "/s/file?op=OPEN&offset=2&length=3", b"").await;
    assert_eq!(part.text(), "234");
    let part = served.transfer("GET", "/s/file?op=OPEN&offset=8&length=100", b"").await;
    assert_eq!(part.text(), "89");
}

/// fsspec sends several blocks to one location.
#[tokio::test]
async fn a_location_takes_several_appends() {
    let served = Served::new().await;
    served.put("/s/file", b"").await;
    let location = served.ask("POST", "/s/file?op=APPEND").await.location();
    for block in ["one ", "two ", "three", ""] {
        let heard = served.send("POST", &location, block.as_bytes()).await;
        assert_eq!((heard.status, heard.body.len()), (200, 0));
    }
    assert_eq!(served.get("/s/file").await, b"one two three");
}

#[tokio::test]
async fn a_body_in_chunks_is_taken() {
    let served = Served::new().await;
    let location = served.ask("PUT", "/s/file?op=CREATE").await.location();
    let mut bytes = served.head("PUT", &location, "Transfer-Encoding: chunked\r\n");
    let mut expected = Vec::new();
    for number in 0..100_u8 {
        let piece = vec![number; 32_760];
        bytes.extend(format!("{:x}\r\n", piece.len()).bytes().chain(piece.clone()));
        bytes.extend(b"\r\n");
        expected.extend(piece);
    }
    bytes.extend(b"0\r\n\r\n");
    assert_eq!(served.raw(&bytes).await.status, 201);
    assert!(served.get("/s/file").await == expected);
}

/// An upload that breaks off leaves nothing, with a length and in chunks.
#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let served = Served::new().await;
    for (headers, body) in [
        ("Content-Length: 100\r\n", b"half".as_slice()),
        ("Transfer-Encoding: chunked\r\n", b"4\r\nhalf\r\n"),
    ] {
        let location = served.ask("PUT", "/s/file?op=CREATE").await.location();
        let mut stream = served.connect().await;
        stream.write_all(&served.head("PUT", &location, headers)).await.unwrap();
        stream.write_all(body).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
        assert!(!rest.starts_with(b"HTTP/1.1 20"), "{}", String::from_utf8_lossy(&rest));
        assert_eq!(served.files.paths(), ["/", "/s", "/t"]);
    }
}

/// curl waits for leave before it sends, and must not be asked for the body in the first step.
#[tokio::test]
async fn leave_to_send_is_given_in_the_second_step() {
    let served = Served::new().await;
    let headers = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    let mut stream = served.connect().await;
    stream.write_all(&served.head("PUT", "/s/file?op=CREATE", headers)).await.unwrap();
    let first = hear(&mut stream).await;
    assert_eq!(first.status, 307);
    let mut stream = served.connect().await;
    stream.write_all(&served.head("PUT", &first.location(), headers)).await.unwrap();
    assert_eq!(hear(&mut stream).await.status, 100);
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(hear(&mut stream).await.status, 201);
    assert_eq!(served.get("/s/file").await, b"hello");
}

/// A client believes the length, so an answer that cannot be whole must break off.
#[tokio::test]
async fn a_read_that_fails_breaks_the_connection() {
    let served = Served::new().await;
    served.put("/s/file", &vec![1; 1 << 20]).await;
    served.files.fail(Faults { read_ends_after: Some(300_000), ..Faults::default() });
    let location = served.ask("GET", "/s/file?op=OPEN").await.location();
    let mut stream = served.connect().await;
    stream.write_all(&served.head("GET", &location, "")).await.unwrap();
    assert_eq!(try_hear(&mut stream).await, None);
}

/// The reason for a refusal reaches a client that sends without waiting.
#[tokio::test]
async fn a_refused_upload_is_told_why() {
    let served = Served::new().await;
    let location = served.ask("PUT", "/s/file?op=CREATE").await.location();
    let full = FileError::NoSpace("the quota of s is used up".to_owned());
    served.files.fail(Faults { write_fails: Some(full), ..Faults::default() });
    let heard = served.send("PUT", &location, &vec![1; 8 << 20]).await;
    let class = "org.apache.hadoop.hdfs.protocol.DSQuotaExceededException".to_owned();
    assert_eq!(heard.refused(), (403, class));
    assert!(heard.text().contains("the quota of s is used up"));
}

/// So does it reach one that waited for leave and got it.
#[tokio::test]
async fn a_refused_upload_with_leave_is_told_why() {
    let served = Served::new().await;
    let location = served.ask("PUT", "/s/file?op=CREATE").await.location();
    let full = FileError::NoSpace("full".to_owned());
    served.files.fail(Faults { write_fails: Some(full), ..Faults::default() });
    let headers = "Content-Length: 8388608\r\nExpect: 100-continue\r\n";
    let mut stream = served.connect().await;
    stream.write_all(&served.head("PUT", &location, headers)).await.unwrap();
    assert_eq!(hear(&mut stream).await.status, 100);
    stream.write_all(&vec![1; 8 << 20]).await.unwrap();
    assert_eq!(hear(&mut stream).await.status, 403);
}

/// Java sends names raw, others escape them, and both mean the same file.
#[tokio::test]
async fn names_survive_raw_and_escaped() {
    let served = Served::new().await;
    for (raw, name) in [
        ("/s/a%20b+c;d=e,f%25", "/s/a b+c;d=e,f%"),
        ("/s/ä€😀", "/s/ä€😀"),
        ("/s/%C3%B6%3F%23%5B", "/s/ö?#["),
        ("/s/a|b^c{d}\"", "/s/a|b^c{d}\""),
    ] {
        served.put(raw, name.as_bytes()).await;
        assert_eq!(served.get(raw).await, name.as_bytes());
        assert!(served.files.paths().contains(&name.to_owned()), "{name}");
    }
    let renamed = served.json("PUT", "/s/ä€😀?op=RENAME&destination=/s/x+y%2B%25").await;
    assert_eq!(renamed["boolean"], true);
    assert!(served.files.paths().contains(&"/s/x y+%".to_owned()));
}

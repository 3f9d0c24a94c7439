//! Bounds: transfers and connections at once, heads, silence, and time.

use crate::client::{SOON, Served, hear};
use crate::memory::Faults;
use memberd_webhdfs::Limits;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const RETRIABLE: &str = "org.apache.hadoop.ipc.RetriableException";

/// Begins an upload that does not end.
async fn begin(served: &Served, name: &str) -> tokio::net::TcpStream {
    let location = served.ask("PUT", &format!("/s/{name}?op=CREATE")).await.location();
    let headers = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    let mut stream = served.connect().await;
    stream.write_all(&served.head("PUT", &location, headers)).await.unwrap();
    // It has its place when it is asked for its body.
    assert_eq!(hear(&mut stream).await.status, 100);
    stream
}

#[tokio::test]
async fn newcomers_are_refused_while_all_places_are_taken() {
    let served = Served::with_limits(Limits { transfers: 2, ..Limits::default() }).await;
    let mut uploads = vec![begin(&served, "a").await, begin(&served, "b").await];
    let heard = served.ask("PUT", "/s/c?op=CREATE").await;
    assert_eq!(heard.refused(), (503, RETRIABLE.to_owned()));
    assert_eq!(heard.header("retry-after"), Some("1"));
    // What needs no place goes on.
    assert_eq!(served.ask("GET", "/s?op=LISTSTATUS").await.status, 200);
    for upload in &mut uploads {
        upload.write_all(b"hello").await.unwrap();
        assert_eq!(hear(upload).await.status, 201);
    }
    served.put("/s/c", b"c").await;
}

/// The commit goes on after the client was told that its end is unknown.
#[tokio::test]
async fn a_commit_that_takes_too_long_is_unknown_and_whole() {
    // All other answers come within it, on a busy machine too.
    let answer_within = Duration::from_secs(1);
    let served = Served::with_limits(Limits { answer_within, ..Limits::default() }).await;
    served.files.fail(Faults { commit_takes: Duration::from_secs(5), ..Faults::default() });
    let heard = served.transfer("PUT", "/s/file?op=CREATE", b"hello").await;
    assert_eq!(heard.refused(), (403, RETRIABLE.to_owned()));
    assert_eq!(served.files.paths(), ["/", "/s", "/t"]);
    let committed = async {
        while !served.files.paths().contains(&"/s/file".to_owned()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, committed).await.unwrap();
    assert_eq!(served.get("/s/file").await, b"hello");
}

#[tokio::test]
async fn silent_connections_end() {
    let limits = Limits { head_within: Duration::from_secs(1), ..Limits::default() };
    let served = Served::with_limits(limits).await;
    let mut kept = served.connect().await;
    kept.write_all(&served.head("GET", "/s?op=GETFILESTATUS", "")).await.unwrap();
    assert_eq!(hear(&mut kept).await.status, 200);
    let mut begun = served.connect().await;
    begun.write_all(b"GET /webhdfs").await.unwrap();
    for mut stream in [kept, begun, served.connect().await] {
        let mut rest = Vec::new();
        let ended = timeout(SOON, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok());
    }
}

#[tokio::test]
async fn an_upload_that_stalls_ends_and_leaves_nothing() {
    let limits = Limits { idle: Duration::from_secs(1), ..Limits::default() };
    let served = Served::with_limits(limits).await;
    let mut upload = begin(&served, "a").await;
    upload.write_all(b"hel").await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(SOON, upload.read_to_end(&mut rest)).await.expect("the end");
    assert_eq!(served.files.paths(), ["/", "/s", "/t"]);
}

#[tokio::test]
async fn further_connections_wait_for_room() {
    let served = Served::with_limits(Limits { connections: 1, ..Limits::default() }).await;
    let first = served.connect().await;
    let mut second = served.connect().await;
    second.write_all(&served.head("GET", "/s?op=GETFILESTATUS", "")).await.unwrap();
    let waits = timeout(Duration::from_millis(200), second.read_u8()).await;
    assert!(waits.is_err());
    drop(first);
    assert_eq!(hear(&mut second).await.status, 200);
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let served = Served::new().await;
    let mut stream = served.connect().await;
    let line = [b"X: ".as_slice(), &vec![b'x'; 1 << 20], b"\r\n"].concat();
    let _ = stream.write_all(&served.head("GET", "/s?op=GETFILESTATUS", "")[..20]).await;
    let _ = stream.write_all(&line).await;
    let mut rest = Vec::new();
    let ended = timeout(SOON, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok());
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
}

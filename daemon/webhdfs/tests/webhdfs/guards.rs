//! Who is refused: web pages, wrong hosts, writers where only reading is allowed, and shares that
//! are not served.

use crate::client::Served;
use memberd_webhdfs::{May, ServeError, Server, Settings, Shares};
use serde_json::json;
use std::sync::Arc;
use tokio::net::TcpListener;

const DENIED: &str = "org.apache.hadoop.security.AccessControlException";

#[tokio::test]
async fn web_pages_and_wrong_hosts_are_refused() {
    let served = Served::new().await;
    let port = served.host.split(':').nth(1).unwrap();
    for (headers, status) in [
        (format!("Host: 127.0.0.1:{port}\r\n"), 200),
        (format!("Host: [::1]:{port}\r\n"), 200),
        ("Host: LOCALHOST\r\nReferer: http://x/\r\nAccept: text/html\r\n".to_owned(), 200),
        ("Host: evil.org\r\n".to_owned(), 403),
        (format!("Host: localhost.evil.org:{port}\r\n"), 403),
        ("Host: localhost\r\nHost: localhost\r\n".to_owned(), 403),
        ("Host: localhost\r\nOrigin: http://evil.org\r\n".to_owned(), 403),
        ("Host: localhost\r\nOrigin: null\r\n".to_owned(), 403),
        (String::new(), 403),
    ] {
        let head = format!("GET /webhdfs/v1/s?op=GETFILESTATUS HTTP/1.1\r\n{headers}\r\n");
        let heard = served.raw(head.as_bytes()).await;
        assert_eq!(heard.status, status, "{headers}");
        if status == 403 {
            assert_eq!(heard.refused().1, DENIED);
        }
    }
}

#[tokio::test]
async fn only_reading_is_the_default() {
    let served = Served::with(Settings::default()).await;
    for (method, target) in [
        ("PUT", "/s/file?op=CREATE"),
        ("PUT", "/s/file?op=CREATE&step=data"),
        ("POST", "/s/file?op=APPEND"),
        ("PUT", "/s/d?op=MKDIRS"),
        ("PUT", "/s/file?op=RENAME&destination=/s/x"),
        ("DELETE", "/s/file?op=DELETE"),
        ("POST", "/s/file?op=TRUNCATE&newlength=0"),
        ("POST", "/s/file?op=CONCAT&sources=/s/x"),
        ("PUT", "/s/file?op=SETPERMISSION&permission=700"),
        ("GET", "/s?op=CHECKACCESS&fsaction=rw-"),
    ] {
        let refused = served.ask(method, target).await.refused();
        assert_eq!(refused, (403, DENIED.to_owned()), "{method} {target}");
    }
    assert_eq!(served.ask("GET", "/s?op=CHECKACCESS&fsaction=r-x").await.status, 200);
    assert_eq!(served.ask("GET", "/s?op=LISTSTATUS").await.status, 200);
}

#[tokio::test]
async fn other_shares_are_not_seen() {
    let shares = Shares::Only(["s".to_owned(), "gone".to_owned()].into());
    let served = Served::with(Settings { may: May::Write, shares, ..Settings::default() }).await;
    served.put("/s/file", b"hello").await;
    assert_eq!(served.ask("GET", "/t?op=GETFILESTATUS").await.status, 404);
    let refused = served.ask("PUT", "/t/file?op=CREATE").await.refused();
    assert_eq!(refused, (403, DENIED.to_owned()));
    let list = served.json("GET", "/?op=LISTSTATUS").await;
    assert_eq!(list["FileStatuses"]["FileStatus"].as_array().unwrap().len(), 1);
    let summary = served.json("GET", "/?op=GETCONTENTSUMMARY").await;
    assert_eq!(summary["ContentSummary"]["directoryCount"], json!(2));
    assert_eq!(summary["ContentSummary"]["fileCount"], json!(1));
}

#[tokio::test]
async fn only_loopback_is_served() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let files = Arc::new(crate::memory::Memory::new(&[]));
    let served = Server::new(files, Settings::default()).serve(listener).await;
    assert!(matches!(served, Err(ServeError::NotLoopback(_))));
}

//! Java sends a rename or delete again by itself if the connection broke. The repeat is answered as
//! the first one.

use crate::client::{Served, hear};
use crate::memory::Faults;
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn a_repeat_is_answered_as_the_first() {
    let served = Served::new().await;
    served.put("/s/a", b"a").await;
    let rename = "/s/a?op=RENAME&destination=/s/b";
    let delete = "/s/b?op=DELETE&recursive=false";
    for (method, target) in [("PUT", rename), ("DELETE", delete)] {
        for _ in 0..3 {
            assert_eq!(served.json(method, target).await, json!({"boolean": true}), "{target}");
        }
    }
    served.put("/s/c", b"c").await;
    for _ in 0..3 {
        let heard = served.ask("PUT", "/s/c?op=RENAME&destination=/s/d&renameoptions=NONE").await;
        assert_eq!((heard.status, heard.text().as_str()), (200, ""));
    }
}

/// A failure is no deed, and what failed is tried again.
#[tokio::test]
async fn a_failure_is_not_remembered() {
    let served = Served::new().await;
    let delete = "/s/a?op=DELETE";
    assert_eq!(served.json("DELETE", delete).await, json!({"boolean": false}));
    served.put("/s/a", b"a").await;
    assert_eq!(served.json("DELETE", delete).await, json!({"boolean": true}));
}

/// After something has happened to a name, the same request is another deed.
#[tokio::test]
async fn a_name_that_was_touched_counts_anew() {
    let served = Served::new().await;
    let rename = "/s/a?op=RENAME&destination=/s/b";
    served.put("/s/a", b"old").await;
    assert_eq!(served.json("PUT", rename).await, json!({"boolean": true}));
    // A new file of the old name: onto a file is false.
    served.put("/s/a", b"new").await;
    assert_eq!(served.json("PUT", rename).await, json!({"boolean": false}));
    assert_eq!(served.get("/s/b").await, b"old");
    assert_eq!(served.json("DELETE", "/s/a?op=DELETE").await, json!({"boolean": true}));
    // The target changed, and the source is gone.
    assert_eq!(served.json("PUT", rename).await, json!({"boolean": false}));
    // Another client deletes what was renamed, and then the rename is asked again.
    served.put("/s/x", b"x").await;
    let other = "/s/x?op=RENAME&destination=/s/y";
    assert_eq!(served.json("PUT", other).await, json!({"boolean": true}));
    assert_eq!(served.json("DELETE", "/s/y?op=DELETE").await, json!({"boolean": true}));
    assert_eq!(served.json("PUT", other).await, json!({"boolean": false}));
}

/// The connection breaks while the first is carried out: it is carried out, and the repeat waits.
#[tokio::test]
async fn a_repeat_waits_for_a_deed_whose_client_went() {
    let served = Served::new().await;
    served.put("/s/a", b"a").await;
    served.files.fail(Faults { rename_takes: Duration::from_millis(300), ..Faults::default() });
    let target = "/s/a?op=RENAME&destination=/s/b";
    let mut first = served.connect().await;
    first.write_all(&served.head("PUT", target, "Content-Length: 0\r\n")).await.unwrap();
    while served.files.paths().contains(&"/s/a".to_owned()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(first);
    assert_eq!(served.json("PUT", target).await, json!({"boolean": true}));
}

/// Several requests on one connection are answered in their order.
#[tokio::test]
async fn a_connection_is_kept() {
    let served = Served::new().await;
    let mut stream = served.connect().await;
    for number in 0..5 {
        let target = format!("/s/{number}?op=MKDIRS");
        let head = served.head("PUT", &target, "Content-Length: 0\r\n");
        stream.write_all(&head).await.unwrap();
        assert_eq!(hear(&mut stream).await.json(), json!({"boolean": true}));
    }
}

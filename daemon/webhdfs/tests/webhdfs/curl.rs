//! curl as a person uses it.

use crate::client::Served;
use std::process::Stdio;

#[tokio::test(flavor = "multi_thread")]
async fn curl_puts_gets_appends_and_lists() {
    let served = Served::new().await;
    let directory = tempfile::tempdir().unwrap();
    let local = directory.path().join("local");
    let content: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    std::fs::write(&local, &content).unwrap();
    let local = local.to_str().unwrap();
    let url = |target: &str| format!("http://{}/webhdfs/v1{target}", served.host);
    let created = curl(&["-L", "-T", local, &url("/s/a%20b?op=CREATE")]);
    assert_eq!(created, Some((201, Vec::new())));
    let appended = curl(&["-L", "-X", "POST", "-T", local, &url("/s/a%20b?op=APPEND")]);
    assert_eq!(appended, Some((200, Vec::new())));
    let read = curl(&["-L", &url("/s/a%20b?op=OPEN&offset=3000000")]);
    assert!(read == Some((200, content)));
    let (status, list) = curl(&[&url("/s?op=LISTSTATUS")]).unwrap();
    assert!(status == 200 && String::from_utf8(list).unwrap().contains("\"a b\""));
}

/// The status and the body.
fn curl(arguments: &[&str]) -> Option<(u16, Vec<u8>)> {
    let output = std::process::Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "60", "--write-out", "%{http_code}"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("curl: apt-get install curl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (body, status) = output.stdout.split_last_chunk::<3>()?;
    Some((str::from_utf8(status).ok()?.parse().ok()?, body.to_vec()))
}

//! What real clients sent, recorded once by a proxy between `tests/clients` and the server. It is
//! sent again, and the answers are the same.

use crate::client::{Heard, Served, hear};
use tokio::io::AsyncWriteExt;

/// One request, and what was answered.
#[derive(Debug)]
struct Recorded<'a> {
    method: &'a str,
    target: &'a str,
    framing: &'a str,
    bytes: usize,
    status: u16,
    answer: &'a str,
}

#[tokio::test]
async fn fsspec_is_answered_as_before() {
    replay(include_str!("sequences/fsspec.txt")).await;
}

#[tokio::test]
async fn hdfs_of_pypi_is_answered_as_before() {
    replay(include_str!("sequences/hdfs.txt")).await;
}

#[tokio::test]
async fn opendal_is_answered_as_before() {
    replay(include_str!("sequences/opendal.txt")).await;
}

#[tokio::test]
async fn a_batch_of_spark_is_answered_as_before() {
    replay(include_str!("sequences/spark-batch.txt")).await;
}

#[tokio::test]
async fn a_checkpoint_of_spark_is_answered_as_before() {
    replay(include_str!("sequences/spark-checkpoint.txt")).await;
}

#[tokio::test]
async fn the_shell_of_hadoop_is_answered_as_before() {
    replay(include_str!("sequences/shell.txt")).await;
}

async fn replay(text: &str) {
    let served = Served::new().await;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let recorded = parse(line).unwrap_or_else(|| panic!("no record: {line}"));
        let heard = send(&served, &recorded).await;
        let (status, answer) = (heard.status, told(&heard, recorded.answer));
        assert_eq!((status, answer.as_str()), (recorded.status, recorded.answer), "{recorded:?}");
        count += 1;
    }
    assert!(count > 10);
}

fn parse(line: &str) -> Option<Recorded<'_>> {
    let mut words = line.split(' ');
    Some(Recorded {
        method: words.next()?,
        target: words.next()?.strip_prefix("/webhdfs/v1")?,
        framing: words.next()?,
        bytes: words.next()?.parse().ok()?,
        status: words.next()?.parse().ok()?,
        answer: words.next()?,
    })
}

async fn send(served: &Served, recorded: &Recorded<'_>) -> Heard {
    let Recorded { method, target, framing, bytes, .. } = recorded;
    let body = vec![b'x'; *bytes];
    let (headers, body) = match *framing {
        "none" => (String::new(), body),
        "chunked" => ("Transfer-Encoding: chunked\r\n".to_owned(), in_chunks(&body)),
        _ => (format!("Content-Length: {bytes}\r\n"), body),
    };
    let mut stream = served.connect().await;
    stream.write_all(&served.head(method, target, &headers)).await.unwrap();
    stream.write_all(&body).await.unwrap();
    hear(&mut stream).await
}

/// Java sends chunks of this size.
fn in_chunks(body: &[u8]) -> Vec<u8> {
    let mut chunks = Vec::new();
    for piece in body.chunks(32_760) {
        chunks.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        chunks.extend(piece);
        chunks.extend(b"\r\n");
    }
    chunks.extend(b"0\r\n\r\n");
    chunks
}

/// The part of an answer that was recorded.
fn told(heard: &Heard, recorded: &str) -> String {
    let (kind, _) = recorded.split_once(':').unwrap_or((recorded, ""));
    match kind {
        "-" => "-".to_owned(),
        "bytes" => format!("bytes:{}", heard.body.len()),
        "entries" => format!("entries:{}", entries(heard)),
        "FILE" | "DIRECTORY" => {
            let status = &heard.json()["FileStatus"];
            format!("{}:{}", status["type"].as_str().unwrap_or_default(), status["length"])
        }
        _ if kind.starts_with('{') => heard.text(),
        _ => {
            let error = heard.json()["RemoteException"]["exception"].clone();
            error.as_str().unwrap_or_default().to_owned()
        }
    }
}

fn entries(heard: &Heard) -> usize {
    let json = heard.json();
    let page = json.pointer("/DirectoryListing/partialListing/FileStatuses/FileStatus");
    let list = page.or_else(|| json.pointer("/FileStatuses/FileStatus"));
    list.and_then(serde_json::Value::as_array).map_or(0, Vec::len)
}

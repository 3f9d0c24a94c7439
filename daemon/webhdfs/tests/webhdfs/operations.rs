//! Each operation without data answers with the fields that clients need.

use crate::client::Served;
use serde_json::{Value, json};

/// The fields of an object, which must be there.
fn fields<'a>(value: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    let field = |name: &&str| value.get(*name).unwrap_or_else(|| panic!("{name} in {value}"));
    names.iter().map(field).collect()
}

#[tokio::test]
async fn a_status_has_what_java_needs() {
    let served = Served::new().await;
    served.put("/s/d/file", b"hello").await;
    let needed = [
        "pathSuffix",
        "type",
        "length",
        "blockSize",
        "replication",
        "permission",
        "owner",
        "group",
        "accessTime",
        "modificationTime",
        "fileId",
        "childrenNum",
        "storagePolicy",
    ];
    for op in ["GETFILESTATUS", "getfilelinkstatus"] {
        let answer = served.json("GET", &format!("/s/d/file?op={op}&user.name=ann")).await;
        let found = fields(&answer["FileStatus"], &needed);
        let expected = ["", "FILE", "5", "1048576", "3", "644", "nobody", "memberd"];
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.to_string().trim_matches('"'), expected);
        }
        assert!(found[8].as_u64() > Some(1_700_000_000_000));
        assert!(found[9].as_u64() > Some(1_700_000_000_000));
    }
    let answer = served.json("GET", "/s/d?op=GETFILESTATUS").await;
    let found = fields(&answer["FileStatus"], &needed);
    assert_eq!(found[1..5], [&json!("DIRECTORY"), &json!(0), &json!(0), &json!(0)]);
}

/// JSON has no type, since Hadoop 3.5 cannot read one that has.
#[tokio::test]
async fn json_has_no_content_type() {
    let served = Served::new().await;
    for (target, status) in [("/s?op=GETFILESTATUS", 200), ("/s/x?op=GETFILESTATUS", 404)] {
        let heard = served.ask("GET", target).await;
        assert_eq!(heard.status, status);
        assert_eq!(heard.header("content-type"), None);
        assert_eq!(heard.header("x-content-type-options"), Some("nosniff"));
    }
}

fn names(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list");
    list.iter().map(|status| status["pathSuffix"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn lists_are_whole_or_in_pages() {
    let served = Served::new().await;
    for number in 0..2_345 {
        let heard = served.ask("PUT", &format!("/s/d/{number:04}?op=MKDIRS")).await;
        assert_eq!(heard.json(), json!({"boolean": true}));
    }
    let whole = served.json("GET", "/s/d?op=LISTSTATUS").await;
    let whole = names(&whole["FileStatuses"]["FileStatus"]);
    assert_eq!(whole, (0..2_345).map(|number| format!("{number:04}")).collect::<Vec<_>>());
    let (mut after, mut paged) = (String::new(), Vec::new());
    loop {
        let target = format!("/s/d?op=LISTSTATUS_BATCH&startafter={after}");
        let answer = served.json("GET", &target).await;
        let listing = &answer["DirectoryListing"];
        paged.extend(names(&listing["partialListing"]["FileStatuses"]["FileStatus"]));
        assert_eq!(listing["remainingEntries"], json!(2_345 - paged.len()));
        if listing["remainingEntries"] == json!(0) {
            break;
        }
        after = paged.last().unwrap().clone();
    }
    assert_eq!(paged, whole);
}

#[tokio::test]
async fn a_list_of_a_file_has_one_entry_without_a_name() {
    let served = Served::new().await;
    served.put("/s/file", b"x").await;
    for (op, pointer) in [
        ("LISTSTATUS", "/FileStatuses/FileStatus"),
        ("LISTSTATUS_BATCH", "/DirectoryListing/partialListing/FileStatuses/FileStatus"),
    ] {
        let answer = served.json("GET", &format!("/s/file?op={op}")).await;
        assert_eq!(names(answer.pointer(pointer).unwrap()), [""]);
        let answer = served.json("GET", &format!("/t?op={op}")).await;
        assert_eq!(names(answer.pointer(pointer).unwrap()), [""; 0]);
        let answer = served.json("GET", &format!("/?op={op}")).await;
        assert_eq!(names(answer.pointer(pointer).unwrap()), ["s", "t"]);
    }
}

#[tokio::test]
async fn rename_says_false_or_throws() {
    let served = Served::new().await;
    served.put("/s/a", b"a").await;
    served.put("/s/b", b"b").await;
    let rename = |from: &str, to: &str| format!("{from}?op=RENAME&destination={to}");
    // Spark relies on it: onto a file is false, into a directory works.
    for (from, to, done) in [
        ("/s/a", "/s/b", false),
        ("/s/none", "/s/c", false),
        ("/s/a", "/s/none/c", false),
        ("/s/a", "/t/c", false),
        ("/s/a", "/s", false),
        ("/s/a", "/s/c", true),
    ] {
        let answer = served.json("PUT", &rename(from, to)).await;
        assert_eq!(answer, json!({"boolean": done}), "{from} {to}");
    }
    served.ask("PUT", "/s/d?op=MKDIRS").await;
    assert_eq!(served.json("PUT", &rename("/s/c", "/s/d")).await, json!({"boolean": true}));
    assert_eq!(served.get("/s/d/c").await, b"a");
    let none = |from, to| format!("{}&renameoptions=NONE", rename(from, to));
    let exists = (403, "org.apache.hadoop.fs.FileAlreadyExistsException".to_owned());
    assert_eq!(served.ask("PUT", &none("/s/d/c", "/s/b")).await.refused(), exists);
    let missing = (404, "java.io.FileNotFoundException".to_owned());
    assert_eq!(served.ask("PUT", &none("/s/x", "/s/y")).await.refused(), missing);
    let renamed = served.ask("PUT", &none("/s/d/c", "/s/e")).await;
    assert_eq!((renamed.status, renamed.text().as_str()), (200, ""));
    let over = format!("{}&renameoptions=overwrite", rename("/s/e", "/s/b"));
    assert_eq!(served.ask("PUT", &over).await.status, 200);
    assert_eq!(served.get("/s/b").await, b"a");
}

#[tokio::test]
async fn deleting_nothing_is_false() {
    let served = Served::new().await;
    served.put("/s/d/e/file", b"x").await;
    let delete = async |target: &str| served.ask("DELETE", target).await;
    assert_eq!(delete("/s/none?op=DELETE").await.json(), json!({"boolean": false}));
    let not_empty = "org.apache.hadoop.fs.PathIsNotEmptyDirectoryException".to_owned();
    assert_eq!(delete("/s/d?op=DELETE").await.refused(), (403, not_empty));
    assert_eq!(delete("/s/d?op=DELETE&recursive=True").await.json(), json!({"boolean": true}));
    assert_eq!(served.files.paths(), ["/", "/s", "/t"]);
}

#[tokio::test]
async fn directories_are_made_with_those_above() {
    let served = Served::new().await;
    for _ in 0..2 {
        assert_eq!(served.json("PUT", "/s/a/b/c?op=MKDIRS").await, json!({"boolean": true}));
    }
    served.put("/s/file", b"x").await;
    let refused = served.ask("PUT", "/s/file?op=MKDIRS").await.refused();
    assert_eq!(refused, (403, "org.apache.hadoop.fs.FileAlreadyExistsException".to_owned()));
    let refused = served.ask("PUT", "/s/file/d?op=MKDIRS").await.refused();
    assert_eq!(refused, (403, "org.apache.hadoop.fs.ParentNotDirectoryException".to_owned()));
}

#[tokio::test]
async fn blocks_are_told_to_old_and_new_clients() {
    let served = Served::new().await;
    served.put("/s/file", &vec![7; (2 << 20) + 5]).await;
    served.put("/s/empty", b"").await;
    let answer = served.json("GET", "/s/file?op=GET_BLOCK_LOCATIONS&offset=0&length=1048577").await;
    let located = &answer["LocatedBlocks"];
    let found = fields(located, &["fileLength", "isUnderConstruction", "isLastBlockComplete"]);
    assert_eq!(found, [&json!((2 << 20) + 5), &json!(false), &json!(true)]);
    let blocks = located["locatedBlocks"].as_array().unwrap();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        fields(block, &["isCorrupt", "startOffset", "locations"]);
        let of_block = ["blockId", "blockPoolId", "generationStamp", "numBytes"];
        fields(&block["block"], &of_block);
        let of_holder = ["ipAddr", "hostName", "xferPort", "infoPort", "ipcPort"];
        fields(&block["locations"][0], &of_holder);
    }
    let answer = served.json("GET", "/s/file?op=GETFILEBLOCKLOCATIONS&offset=1048576").await;
    let locations = answer["BlockLocations"]["BlockLocation"].as_array().unwrap();
    assert_eq!(locations.len(), 2);
    let needed = ["hosts", "names", "offset", "length", "corrupt", "cachedHosts", "topologyPaths"];
    let found = fields(&locations[1], &needed);
    assert_eq!(
        found[..4],
        [&json!(["localhost"]), &json!(["127.0.0.1:9866"]), &json!(2 << 20), &json!(5)]
    );
    let answer = served.json("GET", "/s/empty?op=GETFILEBLOCKLOCATIONS").await;
    assert_eq!(answer["BlockLocations"]["BlockLocation"], json!([]));
    let answer = served.json("GET", "/s/empty?op=GET_BLOCK_LOCATIONS").await;
    assert_eq!(answer["LocatedBlocks"]["locatedBlocks"], json!([]));
}

#[tokio::test]
async fn what_is_asked_of_the_whole() {
    let served = Served::new().await;
    served.put("/s/d/file", b"hello").await;
    let defaults = served.json("GET", "/?op=GETSERVERDEFAULTS").await;
    let needed = [
        "encryptDataTransfer",
        "trashInterval",
        "checksumType",
        "keyProviderUri",
        "blockSize",
        "bytesPerChecksum",
        "writePacketSize",
        "replication",
        "fileBufferSize",
        "defaultStoragePolicyId",
    ];
    let found = fields(&defaults["FsServerDefaults"], &needed);
    assert_eq!(found[..4], [&json!(false), &json!(0), &json!(2), &json!("")]);
    let home = served.json("GET", "/?op=GETHOMEDIRECTORY&user.name=ann").await;
    assert_eq!(home, json!({"Path": "/user/ann"}));
    let trash = served.json("GET", "/s/d?op=GETTRASHROOT&user.name=ann").await;
    assert_eq!(trash, json!({"Path": "/user/ann/.Trash"}));
    assert_eq!(served.json("GET", "/?op=GETTRASHROOTS").await, json!({"Paths": []}));
    let status = served.json("GET", "/?op=GETSTATUS").await;
    let found = fields(&status["FsStatus"], &["used", "remaining", "capacity"]);
    assert_eq!(found[0], &json!(5));
    let summary = served.json("GET", "/s?op=GETCONTENTSUMMARY").await;
    let needed = ["directoryCount", "fileCount", "length", "spaceConsumed", "quota", "spaceQuota"];
    let found = fields(&summary["ContentSummary"], &needed);
    assert_eq!(found, [&json!(2), &json!(1), &json!(5), &json!(15), &json!(-1), &json!(-1)]);
}

#[tokio::test]
async fn attributes_are_kept_and_shown() {
    let served = Served::new().await;
    served.put("/s/file", b"hello").await;
    for target in [
        "/s/file?op=SETPERMISSION&permission=1750",
        "/s/file?op=SETOWNER&owner=ann&group=staff",
        "/s/file?op=SETOWNER&owner=eve",
        "/s/file?op=SETTIMES&modificationtime=1234&accesstime=-1",
    ] {
        let heard = served.ask("PUT", target).await;
        assert_eq!((heard.status, heard.text().as_str()), (200, ""), "{target}");
    }
    let answer = served.json("PUT", "/s/file?op=SETREPLICATION&replication=5").await;
    assert_eq!(answer, json!({"boolean": true}));
    let status = served.json("GET", "/s/file?op=GETFILESTATUS").await;
    let names = ["permission", "owner", "group", "modificationTime", "replication"];
    let found = fields(&status["FileStatus"], &names);
    let expected = [json!("1750"), json!("eve"), json!("staff"), json!(1234), json!(5)];
    assert_eq!(found, expected.each_ref());
    assert_eq!(served.ask("GET", "/s/file?op=CHECKACCESS&fsaction=rw-").await.status, 200);
}

/// OpenDAL writes parts as files and joins them.
#[tokio::test]
async fn files_are_joined_and_cut() {
    let served = Served::new().await;
    for (name, content) in [("a", "one "), ("b", "two "), ("c", "three")] {
        served.put(&format!("/s/{name}"), content.as_bytes()).await;
    }
    let joined = served.ask("POST", "/s/a?op=CONCAT&sources=/s/b,/s/c").await;
    assert_eq!((joined.status, joined.text().as_str()), (200, ""));
    assert_eq!(served.get("/s/a").await, b"one two three");
    assert_eq!(served.files.paths(), ["/", "/s", "/s/a", "/t"]);
    let cut = served.json("POST", "/s/a?op=TRUNCATE&newlength=3").await;
    assert_eq!(cut, json!({"boolean": true}));
    assert_eq!(served.get("/s/a").await, b"one");
}

#[tokio::test]
async fn a_checksum_is_that_of_hdfs() {
    let served = Served::new().await;
    served.put("/s/empty", b"").await;
    let heard = served.transfer("GET", "/s/empty?op=GETFILECHECKSUM", b"").await;
    assert_eq!(
        heard.json(),
        json!({"FileChecksum": {
            "algorithm": "MD5-of-0MD5-of-0CRC32",
            "bytes": "00000000000000000000000070bc8f4b72a86921468bf8e8441dce51",
            "length": 28,
        }})
    );
    served.put("/s/file", &vec![1; (1 << 20) + 1]).await;
    let heard = served.transfer("GET", "/s/file?op=GETFILECHECKSUM", b"").await;
    let sum = &heard.json()["FileChecksum"];
    assert_eq!(sum["algorithm"], json!("MD5-of-2048MD5-of-512CRC32C"));
    assert!(sum["bytes"].as_str().unwrap().starts_with("000002000000000000000800"));
}

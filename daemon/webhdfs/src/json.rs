//! The JSON of answers. Fields that some client needs are never left out.

use crate::checksum::FileChecksum;
use crate::error::FileError;
use crate::file_system::{Block, Defaults, Kind, Page, Space, Status, Summary};
use serde::Serialize;
use serde_json::{Value, json};

/// The port that clients of HDFS want of a data node. Nobody connects to it.
const NO_PORT: u16 = 9866;

/// What blocks of all files are said to belong to.
const POOL: &str = "memberd";

/// Hadoop's number of CRC32C.
const CRC32C: u8 = 2;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileStatus<'a> {
    access_time: u64,
    block_size: u64,
    children_num: u64,
    file_id: u64,
    group: &'a str,
    length: u64,
    modification_time: u64,
    owner: &'a str,
    path_suffix: &'a str,
    permission: String,
    replication: u16,
    storage_policy: u8,
    r#type: &'static str,
}

impl<'a> FileStatus<'a> {
    fn new(path_suffix: &'a str, status: &'a Status) -> Self {
        let is_file = status.kind == Kind::File;
        let of_file = |value: u64| if is_file { value } else { 0 };
        FileStatus {
            access_time: status.accessed,
            block_size: of_file(status.block_bytes),
            children_num: if is_file { 0 } else { status.children },
            file_id: status.id,
            group: &status.group,
            length: of_file(status.length),
            modification_time: status.modified,
            owner: &status.owner,
            path_suffix,
            permission: format!("{:o}", status.permission),
            replication: if is_file { status.copies } else { 0 },
            storage_policy: 0,
            r#type: if is_file { "FILE" } else { "DIRECTORY" },
        }
    }
}

/// One status as the element of a list.
pub(crate) fn element(name: &str, status: &Status) -> Result<Vec<u8>, FileError> {
    serde_json::to_vec(&FileStatus::new(name, status))
        .map_err(|error| FileError::Io(format!("cannot write JSON: {error}")))
}

/// `FileStatus`.
pub(crate) fn status(status: &Status) -> Value {
    json!({"FileStatus": FileStatus::new("", status)})
}

/// `DirectoryListing`.
pub(crate) fn page(page: &Page) -> Value {
    let entry = |(name, status)| FileStatus::new(name, status);
    let entries: Vec<FileStatus> =
        page.entries.iter().map(|(name, status)| entry((name, status))).collect();
    json!({"DirectoryListing": {
        "partialListing": {"FileStatuses": {"FileStatus": entries}},
        "remainingEntries": page.remaining,
    }})
}

/// `boolean`.
pub(crate) fn boolean(value: bool) -> Value {
    json!({"boolean": value})
}

/// `Path`.
pub(crate) fn path(path: &str) -> Value {
    json!({"Path": path})
}

/// `FsServerDefaults`. No trash: with one, clients rename instead of deleting.
pub(crate) fn defaults(defaults: Defaults) -> Value {
    json!({"FsServerDefaults": {
        "blockSize": defaults.block_bytes,
        "bytesPerChecksum": 512,
        "checksumType": CRC32C,
        "defaultStoragePolicyId": 0,
        "encryptDataTransfer": false,
        "fileBufferSize": 4096,
        "keyProviderUri": "",
        "replication": defaults.copies,
        "trashInterval": 0,
        "writePacketSize": 65536,
    }})
}

/// `ContentSummary`. Where nothing is limited, Hadoop says -1.
pub(crate) fn summary(summary: Summary) -> Value {
    let quota = |limit: Option<u64>| limit.map_or(json!(-1), Value::from);
    json!({"ContentSummary": {
        "directoryCount": summary.directories,
        "ecPolicy": "",
        "fileCount": summary.files,
        "length": summary.length,
        "quota": quota(summary.names_quota),
        "spaceConsumed": summary.stored,
        "spaceQuota": quota(summary.bytes_quota),
        "typeQuota": {},
    }})
}

/// `FsStatus`.
pub(crate) fn space(space: Space) -> Value {
    json!({"FsStatus": {
        "capacity": space.capacity,
        "remaining": space.remaining,
        "used": space.used,
    }})
}

/// `FileChecksum`.
pub(crate) fn checksum(checksum: &FileChecksum) -> Value {
    let hex: String = checksum.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"FileChecksum": {
        "algorithm": checksum.algorithm,
        "bytes": hex,
        "length": FileChecksum::BYTES,
    }})
}

/// `BlockLocations`, which clients from 3.4 on ask for.
pub(crate) fn block_locations(blocks: &[Block]) -> Value {
    let location = |block: &Block| {
        let each = |text: &dyn Fn(&crate::file_system::Holder) -> String| {
            block.holders.iter().map(text).collect::<Vec<_>>()
        };
        json!({
            "cachedHosts": [],
            "corrupt": false,
            "hosts": each(&|holder| holder.host.clone()),
            "length": block.length,
            "names": each(&|holder| format!("{}:{NO_PORT}", holder.address)),
            "offset": block.offset,
            "storageIds": each(&|holder| holder.host.clone()),
            "storageTypes": each(&|_| "DISK".to_owned()),
            "topologyPaths": each(&|holder| format!("/default-rack/{}", holder.host)),
        })
    };
    let locations: Vec<Value> = blocks.iter().map(location).collect();
    json!({"BlockLocations": {"BlockLocation": locations}})
}

/// `LocatedBlocks`, which clients before 3.4 ask for.
pub(crate) fn located_blocks(all: &[Block], asked: &[Block]) -> Value {
    let length: u64 = all.iter().map(|block| block.length).sum();
    json!({"LocatedBlocks": {
        "fileLength": length,
        "isLastBlockComplete": true,
        "isUnderConstruction": false,
        "lastLocatedBlock": all.last().map(located_block),
        "locatedBlocks": asked.iter().map(located_block).collect::<Vec<_>>(),
    }})
}

fn located_block(block: &Block) -> Value {
    let location = |holder: &crate::file_system::Holder| {
        json!({
            "adminState": "NORMAL",
            "blockPoolUsed": 0,
            "cacheCapacity": 0,
            "cacheUsed": 0,
            "capacity": 0,
            "dfsUsed": 0,
            "hostName": holder.host,
            "infoPort": NO_PORT,
            "infoSecurePort": 0,
            "ipAddr": holder.address.to_string(),
            "ipcPort": NO_PORT,
            "lastUpdate": 0,
            "lastUpdateMonotonic": 0,
            "name": format!("{}:{NO_PORT}", holder.address),
            "networkLocation": "/default-rack",
            "remaining": 0,
            "storageID": holder.host,
            "xceiverCount": 0,
            "xferPort": NO_PORT,
        })
    };
    json!({
        "block": {
            // Java's numbers have a sign.
            "blockId": block.id >> 1,
            "blockPoolId": POOL,
            "generationStamp": 0,
            "numBytes": block.length,
        },
        "blockToken": {"urlString": "AAAAAA"},
        "cachedLocations": [],
        "isCorrupt": false,
        "locations": block.holders.iter().map(location).collect::<Vec<_>>(),
        "startOffset": block.offset,
        "storageTypes": vec!["DISK"; block.holders.len()],
    })
}

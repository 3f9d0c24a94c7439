//! Each error has the status and the Java class by which clients know it.

use crate::client::Served;
use crate::memory::Faults;
use memberd_webhdfs::FileError;

const MISSING: (u16, &str) = (404, "java.io.FileNotFoundException");
const EXISTS: (u16, &str) = (403, "org.apache.hadoop.fs.FileAlreadyExistsException");
const PARENT: (u16, &str) = (403, "org.apache.hadoop.fs.ParentNotDirectoryException");
const ILLEGAL: (u16, &str) = (400, "java.lang.IllegalArgumentException");
const UNSUPPORTED: (u16, &str) = (400, "java.lang.UnsupportedOperationException");
const IO: (u16, &str) = (403, "java.io.IOException");
const DENIED: (u16, &str) = (403, "org.apache.hadoop.security.AccessControlException");

#[tokio::test]
async fn each_refusal_has_its_class() {
    let served = Served::new().await;
    served.put("/s/file", b"hello").await;
    served.put("/s/empty", b"").await;
    for (method, target, expected) in [
        ("GET", "/s/none?op=GETFILESTATUS", MISSING),
        ("GET", "/s/none?op=LISTSTATUS", MISSING),
        ("GET", "/s/none?op=LISTSTATUS_BATCH", MISSING),
        ("GET", "/s/none?op=OPEN", MISSING),
        ("GET", "/s?op=OPEN", MISSING),
        ("GET", "/s/none?op=GETFILECHECKSUM", MISSING),
        ("GET", "/s?op=GETFILECHECKSUM", MISSING),
        ("GET", "/s/none?op=GETCONTENTSUMMARY", MISSING),
        ("GET", "/s/none?op=GET_BLOCK_LOCATIONS", MISSING),
        ("GET", "/s?op=GETFILEBLOCKLOCATIONS", MISSING),
        ("GET", "/s/none?op=CHECKACCESS&fsaction=r--", MISSING),
        ("POST", "/s/none?op=APPEND", MISSING),
        ("POST", "/s/none?op=TRUNCATE&newlength=0", MISSING),
        ("POST", "/s/file?op=CONCAT&sources=/s/none", MISSING),
        ("PUT", "/s/none?op=SETPERMISSION&permission=700", MISSING),
        ("PUT", "/s/none/file?op=CREATE&createparent=false&step=data", MISSING),
        ("PUT", "/s/file?op=CREATE", EXISTS),
        ("PUT", "/s?op=CREATE&overwrite=true", EXISTS),
        ("PUT", "/s/file?op=CREATE&step=data", EXISTS),
        ("PUT", "/s/file/below?op=CREATE&step=data", PARENT),
        ("GET", "/s/file?op=OPEN&offset=5", IO),
        ("GET", "/s/file?op=OPEN&offset=-1", ILLEGAL),
        ("GET", "/s/empty?op=OPEN&offset=1", IO),
        ("GET", "/s/../t?op=GETFILESTATUS", ILLEGAL),
        ("GET", "/s/%00?op=GETFILESTATUS", ILLEGAL),
        ("GET", "/s/%FF?op=GETFILESTATUS", ILLEGAL),
        ("PUT", "/s/file?op=RENAME", ILLEGAL),
        ("GET", "/s/file?op=GETACLSTATUS", UNSUPPORTED),
        ("GET", "/?op=GETDELEGATIONTOKEN", UNSUPPORTED),
        ("GET", "/s/file", UNSUPPORTED),
        ("GET", "/s/file?op=OPEN&doas=root", DENIED),
        ("DELETE", "/s?op=DELETE&recursive=true", DENIED),
        ("GET", "http://x/elsewhere", MISSING),
    ] {
        let heard = served.ask(method, target).await;
        let (status, class) = heard.refused();
        assert_eq!((status, class.as_str()), expected, "{method} {target}");
        let exception = heard.json()["RemoteException"]["exception"].clone();
        assert!(class.ends_with(&format!(".{}", exception.as_str().unwrap())));
        assert!(heard.json()["RemoteException"]["message"].is_string());
    }
    assert_eq!(served.get("/s/empty").await, b"");
}

#[tokio::test]
async fn each_failure_of_a_write_has_its_class() {
    let served = Served::new().await;
    let why = || "a reason".to_owned();
    for (error, class) in [
        (FileError::NoSpace(why()), "org.apache.hadoop.hdfs.protocol.DSQuotaExceededException"),
        (
            FileError::BeingCreated(why()),
            "org.apache.hadoop.hdfs.protocol.AlreadyBeingCreatedException",
        ),
        (FileError::Unavailable(why()), "org.apache.hadoop.ipc.RetriableException"),
        (FileError::Denied(why()), "org.apache.hadoop.security.AccessControlException"),
        (FileError::Io(why()), "java.io.IOException"),
    ] {
        served.files.fail(Faults { write_fails: Some(error), ..Faults::default() });
        let heard = served.transfer("PUT", "/s/file?op=CREATE", b"x").await;
        assert_eq!(heard.refused(), (403, class.to_owned()));
        assert_eq!(served.files.paths(), ["/", "/s", "/t"]);
    }
}

//! What a request asks for, from its method and the raw bytes of its path and query.

use crate::error::FileError;
use crate::file_system::{Change, RenameMode, Span};
use crate::path::HdfsPath;
use crate::query::{Query, decode};

/// What every path begins with.
const PREFIX: &[u8] = b"/webhdfs/v1";

/// The most files that one request joins.
const MOST_SOURCES: usize = 1_024;

/// The most bytes of a user's name.
const MOST_USER_BYTES: usize = 256;

/// Who asks, if the client does not say.
const NOBODY: &str = "nobody";

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What it is about.
    pub path: HdfsPath,
    /// What to do.
    pub operation: Operation,
    /// Who asks, as the client says.
    pub user: String,
    /// Whether the place of the data is told in JSON rather than by a redirect.
    pub no_redirect: bool,
    /// Whether it came by a redirect, and so has data or wants some.
    pub is_data: bool,
}

/// An operation. Those of a name of Hadoop's are described in its WebHDFS page.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "they have Hadoop's names")]
pub enum Operation {
    GetFileStatus,
    ListStatus,
    ListStatusBatch { after: Option<String> },
    Open { span: Span },
    Create { overwrite: bool, make_parents: bool },
    Append,
    Rename { to: HdfsPath, mode: RenameMode },
    Delete { recursive: bool },
    Mkdirs,
    GetBlockLocations { span: Span },
    GetFileBlockLocations { span: Span },
    GetServerDefaults,
    GetHomeDirectory,
    GetContentSummary,
    GetFileChecksum,
    Concat { sources: Vec<HdfsPath> },
    GetStatus,
    Change { change: Change },
    CheckAccess { writes: bool },
    Truncate { length: u64 },
    GetTrashRoot,
    GetTrashRoots,
}

impl Operation {
    /// Whether it changes something at its path.
    pub(crate) fn writes(&self) -> bool {
        match self {
            Operation::Create { .. }
            | Operation::Append
            | Operation::Rename { .. }
            | Operation::Delete { .. }
            | Operation::Mkdirs
            | Operation::Concat { .. }
            | Operation::Change { .. }
            | Operation::Truncate { .. } => true,
            Operation::CheckAccess { writes } => *writes,
            Operation::GetFileStatus
            | Operation::ListStatus
            | Operation::ListStatusBatch { .. }
            | Operation::Open { .. }
            | Operation::GetBlockLocations { .. }
            | Operation::GetFileBlockLocations { .. }
            | Operation::GetServerDefaults
            | Operation::GetHomeDirectory
            | Operation::GetContentSummary
            | Operation::GetFileChecksum
            | Operation::GetStatus
            | Operation::GetTrashRoot
            | Operation::GetTrashRoots => false,
        }
    }

    /// Whether it is answered by a redirect first.
    pub(crate) fn has_data(&self) -> bool {
        matches!(
            self,
            Operation::Open { .. }
                | Operation::Create { .. }
                | Operation::Append
                | Operation::GetFileChecksum
        )
    }

    /// Whether it is about the file system as a whole, so that its path says nothing.
    pub(crate) fn is_of_all(&self) -> bool {
        matches!(
            self,
            Operation::GetServerDefaults
                | Operation::GetHomeDirectory
                | Operation::GetStatus
                | Operation::GetTrashRoot
                | Operation::GetTrashRoots
        )
    }
}

impl Asked {
    /// Parses a request. The path and the query are bytes as they came.
    ///
    /// # Errors
    /// If it is none of WebHDFS.
    pub fn parse(method: &str, path: &[u8], query: &[u8]) -> Result<Asked, FileError> {
        let below = path.strip_prefix(PREFIX).filter(|rest| rest.first().is_none_or(is_slash));
        let no_such_place = || FileError::NotFound("only /webhdfs/v1/ is served".to_owned());
        let path = match below.ok_or_else(no_such_place)? {
            b"" => HdfsPath::root(),
            rest => HdfsPath::parse(&decode(rest, false)?)?,
        };
        let query = Query::parse(query)?;
        if query.get("doas").is_some() {
            return Err(FileError::Denied("doas is not allowed".to_owned()));
        }
        Ok(Asked {
            operation: operation(method, &query)?,
            path,
            user: user(&query)?,
            no_redirect: query.flag("noredirect")?.unwrap_or(false),
            is_data: query.get(STEP).is_some_and(|step| step == "data"),
        })
    }
}

/// The parameter of a redirect's location that tells it from the first request.
pub(crate) const STEP: &str = "step";

fn is_slash(byte: &u8) -> bool {
    *byte == b'/'
}

fn operation(method: &str, query: &Query) -> Result<Operation, FileError> {
    let name = query.get("op").unwrap_or_default().to_ascii_uppercase();
    match method {
        "GET" => getting(&name, query),
        "PUT" => putting(&name, query),
        "POST" => posting(&name, query),
        "DELETE" if name == "DELETE" => {
            Ok(Operation::Delete { recursive: query.flag("recursive")?.unwrap_or(false) })
        }
        _ => unsupported(&name),
    }
}

fn unsupported(name: &str) -> Result<Operation, FileError> {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    Err(FileError::Unsupported(format!("no operation {name:?} by this method")))
}

fn getting(name: &str, query: &Query) -> Result<Operation, FileError> {
    let span = || -> Result<Span, FileError> {
        Ok(Span { offset: query.number("offset")?.unwrap_or(0), length: query.number("length")? })
    };
    Ok(match name {
        // There are no links.
        "GETFILESTATUS" | "GETFILELINKSTATUS" => Operation::GetFileStatus,
        "LISTSTATUS" => Operation::ListStatus,
        "LISTSTATUS_BATCH" => {
            Operation::ListStatusBatch { after: query.get("startafter").map(str::to_owned) }
        }
        "OPEN" => Operation::Open { span: span()? },
        "GET_BLOCK_LOCATIONS" => Operation::GetBlockLocations { span: span()? },
        "GETFILEBLOCKLOCATIONS" => Operation::GetFileBlockLocations { span: span()? },
        "GETSERVERDEFAULTS" => Operation::GetServerDefaults,
        "GETHOMEDIRECTORY" => Operation::GetHomeDirectory,
        "GETCONTENTSUMMARY" => Operation::GetContentSummary,
        "GETFILECHECKSUM" => Operation::GetFileChecksum,
        "GETSTATUS" => Operation::GetStatus,
        "CHECKACCESS" => {
            let writes = query.get("fsaction").is_some_and(|action| action.contains('w'));
            Operation::CheckAccess { writes }
        }
        "GETTRASHROOT" => Operation::GetTrashRoot,
        "GETTRASHROOTS" => Operation::GetTrashRoots,
        _ => return unsupported(name),
    })
}

fn putting(name: &str, query: &Query) -> Result<Operation, FileError> {
    let change = |change| Operation::Change { change };
    let time = |name: &str| match query.get(name) {
        Some("-1") => Ok(None),
        _ => query.number(name),
    };
    Ok(match name {
        "CREATE" => Operation::Create {
            overwrite: query.flag("overwrite")?.unwrap_or(false),
            make_parents: query.flag("createparent")?.unwrap_or(true),
        },
        "MKDIRS" => Operation::Mkdirs,
        "RENAME" => Operation::Rename { to: destination(query)?, mode: rename_mode(query)? },
        "SETPERMISSION" => change(Change::Permission(permission(query)?)),
        "SETOWNER" => {
            let text = |name: &str| query.get(name).map(str::to_owned);
            change(Change::Owner { owner: text("owner"), group: text("group") })
        }
        "SETTIMES" => change(Change::Times {
            modified: time("modificationtime")?,
            accessed: time("accesstime")?,
        }),
        "SETREPLICATION" => {
            let copies = query.number("replication")?.and_then(|copies| copies.try_into().ok());
            let wrong = || FileError::Invalid("replication is no number of copies".to_owned());
            change(Change::Copies(copies.ok_or_else(wrong)?))
        }
        _ => return unsupported(name),
    })
}

fn posting(name: &str, query: &Query) -> Result<Operation, FileError> {
    let missing = |what: &str| FileError::Invalid(format!("{what} is missing"));
    Ok(match name {
        "APPEND" => Operation::Append,
        "CONCAT" => {
            let sources = query.get("sources").ok_or_else(|| missing("sources"))?;
            if sources.matches(',').count() >= MOST_SOURCES {
                return Err(FileError::Invalid(format!("at most {MOST_SOURCES} sources")));
            }
            let sources = sources.split(',').map(HdfsPath::parse).collect::<Result<_, _>>()?;
            Operation::Concat { sources }
        }
        "TRUNCATE" => {
            let length = query.number("newlength")?.ok_or_else(|| missing("newlength"))?;
            Operation::Truncate { length }
        }
        _ => return unsupported(name),
    })
}

fn destination(query: &Query) -> Result<HdfsPath, FileError> {
    let missing = || FileError::Invalid("destination is missing".to_owned());
    HdfsPath::parse(query.get("destination").ok_or_else(missing)?)
}

/// Options mean the rename that throws; clients write them in any case.
fn rename_mode(query: &Query) -> Result<RenameMode, FileError> {
    let Some(options) = query.get("renameoptions") else { return Ok(RenameMode::Plain) };
    let mut mode = RenameMode::Exclusive;
    for option in options.split(',') {
        match option.trim().to_ascii_uppercase().as_str() {
            "NONE" => {}
            "OVERWRITE" => mode = RenameMode::Overwrite,
            _ => return Err(FileError::Invalid("renameoptions is NONE or OVERWRITE".to_owned())),
        }
    }
    Ok(mode)
}

/// Octal, as in `1777`.
fn permission(query: &Query) -> Result<u16, FileError> {
    let text = query.get("permission").unwrap_or("755");
    let bits = u16::from_str_radix(text, 8).ok().filter(|bits| *bits <= 0o1777);
    bits.ok_or_else(|| FileError::Invalid("permission is not octal, up to 1777".to_owned()))
}

fn user(query: &Query) -> Result<String, FileError> {
    let user = query.get("user.name").unwrap_or(NOBODY);
    let fits = |character: char| character.is_ascii_alphanumeric() || "._-$@".contains(character);
    if user.len() <= MOST_USER_BYTES && user.chars().all(fits) && !user.starts_with('.') {
        Ok(user.to_owned())
    } else {
        Err(FileError::Invalid("user.name has letters, digits and ._-".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(method: &str, target: &str) -> Result<Asked, FileError> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Asked::parse(method, format!("/webhdfs/v1{path}").as_bytes(), query.as_bytes())
    }

    #[test]
    fn paths_are_decoded_once_and_plus_is_a_plus() {
        let path = |raw| asked("GET", &format!("{raw}?op=OPEN")).map(|asked| asked.path);
        let is = |raw, path_text: &str| assert_eq!(path(raw), HdfsPath::parse(path_text));
        is("/a+b;c,d=e", "/a+b;c,d=e");
        is("/a%2520b", "/a%20b");
        is("/ä/%C3%A4", "/ä/ä");
        is("", "/");
        is("/", "/");
        is("/a%2Fb/", "/a/b");
        assert!(path("/a%").is_err() && path("/%ff").is_err() && path("/%2e%2e/b").is_err());
        let elsewhere = Asked::parse("GET", b"/webhdfs/v12", b"op=OPEN");
        assert!(matches!(elsewhere, Err(FileError::NotFound(_))));
    }

    #[test]
    fn values_are_read_without_case() {
        let of = |method, target| asked(method, target).unwrap().operation;
        let to = HdfsPath::parse("/b c").unwrap();
        let mode = RenameMode::Overwrite;
        let rename = "/a?op=rename&destination=/b+c&renameoptions=overwrite";
        assert_eq!(of("PUT", rename), Operation::Rename { to, mode });
        assert_eq!(
            of("DELETE", "/a?op=DELETE&recursive=True"),
            Operation::Delete { recursive: true }
        );
        assert_eq!(
            of("PUT", "/a?op=CREATE&overwrite=TRUE&createParent=false"),
            Operation::Create { overwrite: true, make_parents: false }
        );
        assert_eq!(
            of("GET", "/a?op=OPEN&offset=3&length="),
            Operation::Open { span: Span { offset: 3, length: None } }
        );
        let modified = Some(5);
        assert_eq!(
            of("PUT", "/a?op=SETTIMES&modificationtime=5&accesstime=-1"),
            Operation::Change { change: Change::Times { modified, accessed: None } }
        );
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (method, target) in [
            ("GET", "/a"),
            ("GET", "/a?op=CREATE"),
            ("POST", "/a?op=OPEN"),
            ("PATCH", "/a?op=OPEN"),
            ("PUT", "/a?op=SETACL"),
            ("GET", "/a?op=GETDELEGATIONTOKEN"),
        ] {
            let refused = asked(method, target);
            assert!(matches!(refused, Err(FileError::Unsupported(_))), "{method} {target}");
        }
        for (method, target) in [
            ("PUT", "/a?op=RENAME"),
            ("PUT", "/a?op=RENAME&destination=b"),
            ("PUT", "/a?op=RENAME&destination=/b&renameoptions=TO_TRASH"),
            ("PUT", "/a?op=SETPERMISSION&permission=778"),
            ("PUT", "/a?op=SETREPLICATION&replication=70000"),
            ("POST", "/a?op=TRUNCATE"),
            ("POST", "/a?op=CONCAT&sources=/b,c"),
            ("GET", "/a?op=OPEN&user.name=a/b"),
            ("GET", "/a?op=OPEN&offset=-1"),
        ] {
            let refused = asked(method, target);
            assert!(matches!(refused, Err(FileError::Invalid(_))), "{method} {target}");
        }
        let doas = asked("GET", "/a?op=OPEN&doas=root");
        assert!(matches!(doas, Err(FileError::Denied(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            path in proptest::collection::vec(any::<u8>(), 0..100),
            query in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = Asked::parse("GET", &[b"/webhdfs/v1/", path.as_slice()].concat(), &query);
        }
    }
}

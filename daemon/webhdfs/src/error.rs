//! Why an operation fails, and how Hadoop's clients are told. The name of the Java class decides
//! what they throw.

use hyper::StatusCode;
use serde_json::json;

/// Why an operation failed. Texts are a path or a sentence, as each says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// There is nothing at this path, or not what the operation needs.
    #[error("File does not exist: {0}")]
    NotFound(String),
    /// There is something at this path.
    #[error("{0} already exists")]
    Exists(String),
    /// A file is at this path, where a directory must be.
    #[error("{0} is not a directory")]
    ParentNotDirectory(String),
    /// The directory at this path has entries.
    #[error("{0} is non empty")]
    NotEmpty(String),
    /// The settings, or the owner of the share, do not allow it. A sentence.
    #[error("{0}")]
    Denied(String),
    /// A quota or a disk is full. A sentence.
    #[error("{0}")]
    NoSpace(String),
    /// Another client writes the file at this path.
    #[error("{0} is being written by another client")]
    BeingCreated(String),
    /// Not now, maybe later. A sentence.
    #[error("{0}")]
    Unavailable(String),
    /// So many requests are served that this one has no place. A sentence.
    #[error("{0}")]
    Busy(String),
    /// The request makes no sense. A sentence.
    #[error("{0}")]
    Invalid(String),
    /// There is no such operation here. A sentence.
    #[error("{0}")]
    Unsupported(String),
    /// Reading begins at the end of the file or after it.
    #[error("Offset={offset} out of the range [0, {file_length})")]
    OutOfRange {
        /// Where it begins.
        offset: u64,
        /// The bytes of the file.
        file_length: u64,
    },
    /// Anything else. A sentence.
    #[error("{0}")]
    Io(String),
}

impl FileError {
    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            FileError::NotFound(_) => StatusCode::NOT_FOUND,
            FileError::Invalid(_) | FileError::Unsupported(_) => StatusCode::BAD_REQUEST,
            FileError::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            FileError::Exists(_)
            | FileError::ParentNotDirectory(_)
            | FileError::NotEmpty(_)
            | FileError::Denied(_)
            | FileError::NoSpace(_)
            | FileError::BeingCreated(_)
            | FileError::Unavailable(_)
            | FileError::OutOfRange { .. }
            | FileError::Io(_) => StatusCode::FORBIDDEN,
        }
    }

    /// The package and the class that a client of Hadoop throws.
    fn class(&self) -> (&'static str, &'static str) {
        match self {
            FileError::NotFound(_) => ("java.io", "FileNotFoundException"),
            FileError::Exists(_) => ("org.apache.hadoop.fs", "FileAlreadyExistsException"),
            FileError::ParentNotDirectory(_) => {
                ("org.apache.hadoop.fs", "ParentNotDirectoryException")
            }
            FileError::NotEmpty(_) => ("org.apache.hadoop.fs", "PathIsNotEmptyDirectoryException"),
            FileError::Denied(_) => ("org.apache.hadoop.security", "AccessControlException"),
            FileError::NoSpace(_) => {
                ("org.apache.hadoop.hdfs.protocol", "DSQuotaExceededException")
            }
            FileError::BeingCreated(_) => {
                ("org.apache.hadoop.hdfs.protocol", "AlreadyBeingCreatedException")
            }
            FileError::Unavailable(_) | FileError::Busy(_) => {
                ("org.apache.hadoop.ipc", "RetriableException")
            }
            FileError::Invalid(_) => ("java.lang", "IllegalArgumentException"),
            FileError::Unsupported(_) => ("java.lang", "UnsupportedOperationException"),
            FileError::OutOfRange { .. } | FileError::Io(_) => ("java.io", "IOException"),
        }
    }

    /// The body of the answer.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let (package, class) = self.class();
        json!({"RemoteException": {
            "exception": class,
            "javaClassName": format!("{package}.{class}"),
            "message": self.to_string(),
        }})
        .to_string()
        .into_bytes()
    }
}

//! Carries out what a job asks of a file: [`JobFiles`]. It owns nothing but the handle.

use super::outcome::Failure;
use crate::files::{FilesError, Handle};
use memberd_files::{
    ClientError, Content, Done, FilePath, Found, Generation, InodeId, Mutation, Put, PutIf, Query,
    Refusal, StatusKind, Token, Version, WriteTo,
};
use memberd_jobs::{At, Condition, StoreAnswer, StoreOperation};

/// The permission bits of new files.
const MODE: u16 = 0o644;

/// The most bytes of a file that are read at once. A log is an image and at most four times as much
/// again; of the rows only the end is read.
const MOST_READ: u64 = 1 << 30;

/// The replicated files, as jobs use them.
#[derive(Debug, Clone)]
pub(super) struct JobFiles(Handle);

/// A file as its catalog has it now.
struct Seen {
    version: Version,
    length: u64,
    copies: u8,
}

impl Seen {
    fn at(&self) -> At {
        At { version: pack(self.version), length: self.length }
    }
}

impl JobFiles {
    pub(super) fn new(files: Handle) -> JobFiles {
        JobFiles(files)
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.0
    }

    /// Carries one operation out.
    ///
    /// # Errors
    /// When it has no answer of its file.
    pub(super) async fn carry_out(
        &self,
        path: &FilePath,
        operation: StoreOperation,
    ) -> Result<StoreAnswer, Failure> {
        match operation {
            StoreOperation::Create { copies } => self.create(path, copies).await,
            StoreOperation::Fence { token } => {
                let fence = Mutation::Fence { path: path.clone(), token: Token(token) };
                self.change(path, fence).await.map(|done| StoreAnswer::Done(at(done)))
            }
            StoreOperation::Read { from } => self.read(path, from).await,
            StoreOperation::Append { token, only, bytes } => {
                let (only, length) = match only {
                    Condition::Version(version) => (Some(unpack(version)), None),
                    Condition::Length(length) => (None, Some(length)),
                    Condition::Always => (None, None),
                };
                let to = WriteTo::Append { only, length };
                self.write(path, Token(token), to, &bytes).await
            }
            StoreOperation::Replace { token, only, bytes } => {
                self.replace(path, Token(token), only, &bytes).await
            }
        }
    }

    /// Makes an empty file and the directories above it. It succeeds if the file is there and
    /// empty; one that has bytes is another's, and [`StoreAnswer::Changed`] says so.
    async fn create(&self, path: &FilePath, copies: u8) -> Result<StoreAnswer, Failure> {
        match self.put_empty(path, copies).await {
            Ok(done) => Ok(StoreAnswer::Done(at(done))),
            Err(Failure::Files(FilesError::Client(ClientError::Refused(Refusal::Exists)))) => {
                let at = self.look_beside(path).await?.at();
                Ok(if at.length == 0 { StoreAnswer::Done(at) } else { StoreAnswer::Changed(at) })
            }
            Err(error) => Err(error),
        }
    }

    /// Makes an empty file if nothing has its name, in one step with the directories above it.
    pub(super) async fn put_empty(&self, path: &FilePath, copies: u8) -> Result<Done, Failure> {
        let put = Put {
            path: path.clone(),
            condition: PutIf::Absent,
            token: Token::default(),
            content: Content::empty(),
            copies,
            mode: MODE,
            parents: true,
            age_s: 0,
        };
        self.change(path, Mutation::Put(put)).await
    }

    /// Makes a file with these bytes if nothing has its name, in one step.
    pub(super) async fn put_new(
        &self,
        path: &FilePath,
        copies: u8,
        bytes: &[u8],
    ) -> Result<Done, Failure> {
        let to = WriteTo::Put { condition: PutIf::Absent, copies, mode: MODE, parents: true };
        Ok(self.write_all(path, Token::default(), to, bytes).await?)
    }

    /// Changes a catalog, once.
    pub(super) async fn change(
        &self,
        path: &FilePath,
        mutation: Mutation,
    ) -> Result<Done, Failure> {
        Ok(self.0.change(path.share().clone(), mutation).await?)
    }

    /// Reads the newest content. A minority's may be older than a write that was answered.
    async fn read(&self, path: &FilePath, from: u64) -> Result<StoreAnswer, Failure> {
        let mut reading = self.0.read(path.clone(), from, None).await?;
        if !reading.is_newest() {
            return Err(Failure::Old);
        }
        let (file, length) = (reading.file(), reading.length());
        if length > MOST_READ {
            return Err(Failure::TooLarge);
        }
        let mut bytes = Vec::new();
        while let Some(piece) = reading.next().await? {
            bytes.extend_from_slice(&piece);
        }
        if bytes.len() as u64 != length {
            return Err(Failure::Misfit);
        }
        Ok(StoreAnswer::Bytes(at(file), bytes))
    }

    async fn replace(
        &self,
        path: &FilePath,
        token: Token,
        only: Condition,
        bytes: &[u8],
    ) -> Result<StoreAnswer, Failure> {
        // It also says how many copies the file wants, which stay the same.
        let seen = self.look_beside(path).await?;
        let holds = match only {
            Condition::Version(version) => unpack(version) == seen.version,
            Condition::Length(length) => length == seen.length,
            Condition::Always => true,
        };
        if !holds {
            return Ok(StoreAnswer::Changed(seen.at()));
        }
        let (condition, copies) = (PutIf::Is(seen.version), seen.copies);
        let to = WriteTo::Put { condition, copies, mode: MODE, parents: false };
        self.write(path, token, to, bytes).await
    }

    async fn write(
        &self,
        path: &FilePath,
        token: Token,
        to: WriteTo,
        bytes: &[u8],
    ) -> Result<StoreAnswer, Failure> {
        match self.write_all(path, token, to, bytes).await {
            Ok(done) => Ok(StoreAnswer::Done(at(done))),
            Err(FilesError::Client(ClientError::Refused(
                Refusal::Changed(_) | Refusal::LengthIs(_),
            ))) => {
                let seen = self.look_beside(path).await?;
                Ok(StoreAnswer::Changed(seen.at()))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn write_all(
        &self,
        path: &FilePath,
        token: Token,
        to: WriteTo,
        bytes: &[u8],
    ) -> Result<Done, FilesError> {
        let mut writing = self.0.write(path.clone(), token, to).await?;
        writing.push(bytes).await?;
        writing.finish().await
    }

    /// The file as it is now.
    async fn look(&self, path: &FilePath) -> Result<Seen, Failure> {
        let query = Query::Status(path.clone());
        match self.0.ask(path.share().clone(), query, false).await? {
            (Found::Status(status), true) => match status.kind {
                StatusKind::File { length, generation, copies, .. } => {
                    let version = Version { inode: status.inode, generation };
                    Ok(Seen { version, length, copies })
                }
                StatusKind::Directory { .. } => {
                    Err(FilesError::Client(ClientError::Refused(Refusal::IsDirectory)).into())
                }
            },
            _ => Err(Failure::Misfit),
        }
    }

    /// The file as it is now, beside a write that is not under way: that nobody says so leaves
    /// nothing in doubt.
    async fn look_beside(&self, path: &FilePath) -> Result<Seen, Failure> {
        match self.look(path).await {
            Err(Failure::Files(FilesError::Client(ClientError::Refused(refusal)))) => {
                Err(FilesError::Client(ClientError::Refused(refusal)).into())
            }
            seen => seen.map_err(|_| Failure::Old),
        }
    }

    /// The bytes of a file, if there is one.
    pub(super) async fn length(&self, path: &FilePath) -> Result<Option<u64>, Failure> {
        match self.look(path).await {
            Ok(seen) => Ok(Some(seen.length)),
            Err(Failure::Files(FilesError::Client(ClientError::Refused(Refusal::NotFound)))) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether something has this name now.
    pub(super) async fn is_there(&self, path: &FilePath) -> Result<bool, Failure> {
        let query = Query::Status(path.clone());
        match self.0.ask(path.share().clone(), query, false).await {
            Ok(_) => Ok(true),
            Err(FilesError::Client(ClientError::Refused(Refusal::NotFound))) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn at(done: Done) -> At {
    let version = Version { inode: done.inode, generation: done.generation };
    At { version: pack(version), length: done.length }
}

const HALF: u64 = u32::MAX as u64;

/// A version as one number. Which file it is comes into it, so a file that was made anew under the
/// same name never has a version of the one before. Beyond 2^32 files or changes, 13 years of ten
/// changes a second, it is one that no file has.
fn pack(version: Version) -> u64 {
    version.inode.0.min(HALF) << 32 | version.generation.0.min(HALF)
}

fn unpack(version: u64) -> Version {
    Version { inode: InodeId(version >> 32), generation: Generation(version & HALF) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(inode: u64, generation: u64) -> Version {
        Version { inode: InodeId(inode), generation: Generation(generation) }
    }

    #[test]
    fn a_version_is_one_number_and_back() {
        for known in [version(2, 1), version(1 << 31, 7), version(9, u64::from(u32::MAX) - 1)] {
            assert_eq!(unpack(pack(known)), known);
        }
        assert_ne!(pack(version(2, 1)), pack(version(3, 1)));
        for beyond in [version(1 << 40, 1), version(1, 1 << 32)] {
            assert_ne!(unpack(pack(beyond)), beyond, "no write under it happens");
        }
    }
}

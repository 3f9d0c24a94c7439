//! Answers `memberctl file check`: walks the shares, and tells which files lack copies. It owns how
//! far it is.

use super::copies::Up;
use super::fault::{Fault, words};
use super::{Asked, ask};
use crate::files::FilesError;
use memberd_control::message::{
    FILE_ENTRIES_PER_REPLY, FileLacking, FileProgress, FileReply, FilesChecked, RefusalKind,
};
use memberd_files::{ClientError, FilePath, Found, Listing, Query, Refusal, ShareName, StatusKind};
use std::time::Duration;
use tokio::time::Instant;

/// How often the client hears how far it is.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// How many bytes of paths one reply has at most. A frame has 1 MiB.
const PATH_BYTES: usize = 256 * 1024;

/// Looks at all files, or those of one share.
pub(super) async fn check(share: Option<String>, asked: &mut Asked<'_>) -> Result<(), Fault> {
    let shares = chosen(share, asked)?;
    let mut walk = Walk::new(Up::look(asked.services).await?);
    for share in shares {
        let root = super::parse(&format!("/{share}"))?;
        walk.checked.shares += 1;
        match walk.share(root.clone(), asked).await {
            Ok(()) => {}
            Err(Fault::Refused(_, problem)) => {
                let problem = problem.strip_prefix(&format!("{root}: ")).unwrap_or(&problem);
                let problem = Some(problem.to_owned());
                walk.lacks(FileLacking { path: root.to_string(), copies: None, problem });
            }
            Err(fault) => return Err(fault),
        }
    }
    walk.tell(asked).await?;
    asked.send(FileReply::Checked(walk.checked)).await
}

fn chosen(share: Option<String>, asked: &Asked<'_>) -> Result<Vec<ShareName>, Fault> {
    let all = asked.files.shares().into_iter().map(|(share, _)| share);
    let Some(name) = share else { return Ok(all.collect()) };
    let named = ShareName::new(&name)
        .map_err(|error| Fault::Refused(RefusalKind::Usage, error.to_string()))?;
    let found: Vec<ShareName> = all.filter(|share| *share == named).collect();
    match found.is_empty() {
        true => Err(Fault::failed(words(&FilesError::Client(ClientError::NoShare(named))))),
        false => Ok(found),
    }
}

/// How far it is.
struct Walk {
    up: Up,
    checked: FilesChecked,
    lacking: Vec<FileLacking>,
    path_bytes: usize,
    told: Instant,
}

impl Walk {
    fn new(up: Up) -> Walk {
        let (checked, lacking) = (FilesChecked::default(), Vec::new());
        Walk { up, checked, lacking, path_bytes: 0, told: Instant::now() }
    }

    /// Walks all directories of a share. Only one path of each level waits at a time.
    async fn share(&mut self, root: FilePath, asked: &mut Asked<'_>) -> Result<(), Fault> {
        let mut waiting = vec![(root, None)];
        while let Some((directory, after)) = waiting.pop() {
            let Some(page) = page(&directory, after, asked).await? else { continue };
            let mut below = Vec::new();
            for listed in &page.entries {
                let Ok(path) = directory.join(&listed.name) else { continue };
                match listed.status.kind {
                    StatusKind::Directory { .. } => below.push((path, None)),
                    StatusKind::File { length, .. } => self.file(&path, length, asked).await?,
                }
            }
            if let Some(last) = page.entries.last()
                && page.remaining > 0
            {
                waiting.push((directory, Some(last.name.to_string())));
            }
            waiting.extend(below);
        }
        Ok(())
    }

    async fn file(
        &mut self,
        path: &FilePath,
        length: u64,
        asked: &mut Asked<'_>,
    ) -> Result<(), Fault> {
        match self.up.whole(path, asked).await {
            Ok(whole) => {
                self.checked.files += 1;
                self.checked.bytes = self.checked.bytes.saturating_add(length);
                if whole.copies.copies < whole.copies.wanted {
                    let copies = Some(whole.copies);
                    self.lacks(FileLacking { path: path.to_string(), copies, problem: None });
                }
            }
            // It was removed meanwhile, or its share is closed, which the next page shows.
            Err(Fault::Refused(..)) => {}
            Err(fault) => return Err(fault),
        }
        if self.told.elapsed() >= PROGRESS_EVERY {
            self.told = Instant::now();
            let step = FileProgress { done: self.checked.files, total: None };
            asked.send(FileReply::Progress(step)).await?;
        }
        match self.lacking.len() >= FILE_ENTRIES_PER_REPLY || self.path_bytes >= PATH_BYTES {
            true => self.tell(asked).await,
            false => Ok(()),
        }
    }

    fn lacks(&mut self, lacking: FileLacking) {
        self.checked.lacking += 1;
        self.path_bytes += lacking.path.len();
        self.lacking.push(lacking);
    }

    async fn tell(&mut self, asked: &mut Asked<'_>) -> Result<(), Fault> {
        self.path_bytes = 0;
        match std::mem::take(&mut self.lacking) {
            none if none.is_empty() => Ok(()),
            lacking => asked.send(FileReply::Lacking(lacking)).await,
        }
    }
}

/// A page of a directory; none if it was removed meanwhile.
async fn page(
    path: &FilePath,
    after: Option<String>,
    asked: &Asked<'_>,
) -> Result<Option<Listing>, Fault> {
    let limit = u32::try_from(Query::MAX_PAGE).unwrap_or(u32::MAX);
    let query = Query::List { path: path.clone(), after, limit };
    match ask(asked.files, path.share(), query).await {
        Ok((Ok(Found::Listing(listing)), _)) => Ok(Some(listing)),
        Ok((Err(Refusal::NotFound | Refusal::NotDirectory), _)) => Ok(None),
        Ok((Err(refusal), _)) => Err(Fault::refused(path, refusal)),
        Ok(_) => Err(Fault::of(path, &FilesError::Ended)),
        Err(error) => Err(Fault::of(path, &error)),
    }
}

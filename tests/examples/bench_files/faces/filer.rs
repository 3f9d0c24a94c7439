//! Speaks with the filer of SeaweedFS, over a kept connection.

use super::http::{Answer, Http};
use super::{Face, Took, timed};

/// A client of a filer.
pub(crate) struct Filer {
    http: Http,
    /// Whether each write asks the volume servers to sync.
    syncs: bool,
}

impl Filer {
    /// A client of the filer at this address.
    pub(crate) fn new(address: &str, syncs: bool) -> Self {
        Filer { http: Http::new(address), syncs }
    }

    fn write(&mut self, target: &str, content: &[u8]) -> Result<Answer, String> {
        let joint = if target.contains('?') { '&' } else { '?' };
        let target =
            if self.syncs { format!("{target}{joint}fsync=true") } else { target.to_owned() };
        self.http.ask("PUT", &target, Some(content))?.expect(201)
    }
}

impl Face for Filer {
    fn put(&mut self, path: &str, content: &[u8]) -> Took {
        timed(|| self.write(path, content))
    }

    fn get(&mut self, path: &str, length: usize) -> Took {
        timed(|| {
            let answer = self.http.ask("GET", path, None)?.expect(200)?;
            (answer.length == length).then_some(()).ok_or("the length is another".to_owned())
        })
    }

    fn append(&mut self, path: &str, content: &[u8]) -> Took {
        timed(|| self.write(&format!("{path}?op=append"), content))
    }

    fn stat(&mut self, path: &str) -> Took {
        timed(|| self.http.ask("HEAD", path, None)?.expect(200))
    }

    fn rename(&mut self, from: &str, to: &str) -> Took {
        timed(|| self.http.ask("POST", &format!("{to}?mv.from={from}"), None)?.expect(204))
    }
}

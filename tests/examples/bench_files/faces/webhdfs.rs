//! Speaks WebHDFS, of memberd and HDFS alike. It keeps a connection for names, and has a new one
//! for each content, as Hadoop's client does.

use super::http::{Answer, Http};
use super::{Face, Took, timed};

/// A client of WebHDFS.
pub(crate) struct WebHdfs {
    names: Http,
}

impl WebHdfs {
    /// A client of the server at this address.
    pub(crate) fn new(address: &str) -> Self {
        WebHdfs { names: Http::new(address) }
    }

    /// Asks about a name.
    fn name(&mut self, method: &str, path: &str, query: &str) -> Result<Answer, String> {
        let target = format!("/webhdfs/v1{path}?op={query}&user.name=root");
        self.names.ask(method, &target, None)
    }

    /// Asks, and goes on where the answer points.
    fn content(
        &mut self,
        method: &str,
        path: &str,
        query: &str,
        content: Option<&[u8]>,
    ) -> Result<Answer, String> {
        let answer = self.name(method, path, query)?.expect(307)?;
        let location = answer.location.ok_or("a redirect without a location")?;
        let rest = location.strip_prefix("http://").ok_or("a location without http")?;
        let (address, target) = rest.split_once('/').ok_or("a location without a path")?;
        Http::new(address).ask(method, &format!("/{target}"), content)
    }
}

impl Face for WebHdfs {
    fn put(&mut self, path: &str, content: &[u8]) -> Took {
        timed(|| self.content("PUT", path, "CREATE&overwrite=true", Some(content))?.expect(201))
    }

    fn get(&mut self, path: &str, length: usize) -> Took {
        timed(|| {
            let answer = self.content("GET", path, "OPEN", None)?.expect(200)?;
            (answer.length == length).then_some(()).ok_or("the length is another".to_owned())
        })
    }

    fn append(&mut self, path: &str, content: &[u8]) -> Took {
        timed(|| self.content("POST", path, "APPEND", Some(content))?.expect(200))
    }

    fn stat(&mut self, path: &str) -> Took {
        timed(|| self.name("GET", path, "GETFILESTATUS")?.expect(200))
    }

    fn rename(&mut self, from: &str, to: &str) -> Took {
        timed(|| {
            let answer =
                self.name("PUT", from, &format!("RENAME&destination={to}"))?.expect(200)?;
            let said = String::from_utf8_lossy(&answer.body);
            if said.contains("true") { Ok(()) } else { Err(format!("it is not renamed: {said}")) }
        })
    }
}

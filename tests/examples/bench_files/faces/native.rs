//! Speaks HDFS's own protocol through a small program in Java, which stays warm and measures
//! itself. A [`Native`] owns the process.

use super::{Face, Took};
use crate::hdfs;
use crate::nodes::Nodes;
use memberd_tests::binaries;
use memberd_tests::process::Running;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

/// The program, which `java` compiles itself.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bench_files/Native.java");

/// A client of HDFS.
pub(crate) struct Native {
    lines: BufReader<ChildStdout>,
    input: ChildStdin,
    _process: Running,
}

impl Native {
    /// Starts it on machine 1, as warm as a client of many requests.
    ///
    /// # Panics
    /// When it does not start.
    pub(crate) fn start(nodes: &Nodes, syncs: bool) -> Self {
        let mut command = binaries::mortal(Path::new("java"), Some(&nodes.network.namespace(1)));
        command.args(hdfs::java(nodes)).arg(SOURCE).stderr(Stdio::null());
        if syncs {
            command.arg("hsync");
        }
        let mut process = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let input = process.child().stdin.take().expect("a pipe");
        let output = process.child().stdout.take().expect("a pipe");
        let mut native = Native { lines: BufReader::new(output), input, _process: process };
        let said = native.line().expect("a line of java");
        assert!(said == "ready", "java says {said}");
        native
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.lines.read_line(&mut line).map_err(|error| error.to_string())?;
        Ok(line.trim_end().to_owned())
    }

    fn ask(&mut self, question: &str) -> Took {
        writeln!(self.input, "{question}").map_err(|error| error.to_string())?;
        let said = self.line()?;
        let nanoseconds = said.strip_prefix("took ").and_then(|number| number.parse().ok());
        nanoseconds.map(Duration::from_nanos).ok_or(said)
    }
}

impl Face for Native {
    fn put(&mut self, path: &str, content: &[u8]) -> Took {
        self.ask(&format!("put {path} {}", content.len()))
    }

    fn get(&mut self, path: &str, _length: usize) -> Took {
        self.ask(&format!("get {path}"))
    }

    fn append(&mut self, path: &str, content: &[u8]) -> Took {
        self.ask(&format!("append {path} {}", content.len()))
    }

    fn stat(&mut self, path: &str) -> Took {
        self.ask(&format!("stat {path}"))
    }

    fn rename(&mut self, from: &str, to: &str) -> Took {
        self.ask(&format!("rename {from} {to}"))
    }
}

//! Runs a client against a server of its own.

use crate::install::{left_out, packages};
use crate::memory::Memory;
use memberd_webhdfs::{May, Server, Settings};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;

/// A client, as a script that compares.
pub(crate) struct Client<'a> {
    /// What it needs, with versions.
    pub(crate) packages: &'a [&'a str],
    /// Whether it needs Java.
    pub(crate) java: bool,
    /// Its script in this directory.
    pub(crate) script: &'a str,
    /// What comes before the server and the directory.
    pub(crate) arguments: &'a [&'a str],
}

impl Client<'_> {
    /// Runs it to its end.
    ///
    /// # Panics
    /// If it finds a difference.
    pub(crate) fn run(&self) {
        let ran = |program: &str| {
            Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success())
        };
        if self.java && !ran("java") {
            left_out("java is not installed: apt-get install default-jre-headless");
            return;
        }
        let place = match packages(self.packages) {
            Ok(place) => place,
            Err(why) => {
                left_out(&format!("{:?} cannot be installed: {why}", self.packages));
                return;
            }
        };
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let host = runtime.block_on(serve());
        let directory = tempfile::tempdir().expect("a directory");
        let begun = Instant::now();
        let output = Command::new("python3")
            .arg(format!("{}/tests/clients/{}", env!("CARGO_MANIFEST_DIR"), self.script))
            .args(self.arguments)
            .arg(host)
            .arg(directory.path())
            .current_dir(directory.path())
            .env("PYTHONPATH", &place)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("SPARK_LOCAL_DIRS", directory.path())
            .env_remove("SPARK_HOME")
            .stdin(Stdio::null())
            .output()
            .expect("python3");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, error) = (text(&output.stdout), text(&output.stderr));
        println!("{out}{:?} took {:?}", self.packages, begun.elapsed());
        assert!(output.status.success() && out.contains("ALL EQUAL"), "{out}\n{error}");
    }
}

/// Serves the share `s` from memory, and says where.
async fn serve() -> String {
    let settings = Settings { may: May::Write, ..Settings::default() };
    let server = Server::new(Arc::new(Memory::new(&["s"])), settings);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(server.serve(listener));
    address.to_string()
}

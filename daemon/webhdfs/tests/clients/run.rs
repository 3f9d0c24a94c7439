//! Runs a real client, which compares what it does with a local disk. Tests of two crates use it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a client may take. The slowest takes a minute on two idle cores.
const WITHIN: Duration = Duration::from_secs(800);

/// For programs of Java that end soon.
pub(crate) const JAVA: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

/// What a client says at its end.
const EQUAL: &str = "ALL EQUAL";

/// A client, as a script that compares.
pub(crate) struct Client<'a> {
    /// This directory.
    pub(crate) scripts: &'a Path,
    /// The name of the file with its packages.
    pub(crate) packages: &'a str,
    /// Whether it needs Java.
    pub(crate) java: bool,
    /// Its script.
    pub(crate) script: &'a str,
    /// What comes before the server and the directory.
    pub(crate) arguments: &'a [&'a str],
    /// How long it goes on at least, if it can.
    pub(crate) seconds: u32,
}

impl<'a> Client<'a> {
    /// One that needs Python alone.
    pub(crate) fn small(scripts: &'a Path, script: &'a str, arguments: &'a [&'a str]) -> Self {
        Client { scripts, packages: "small", java: false, script, arguments, seconds: 0 }
    }

    /// Spark, and the shell of the Hadoop that it comes with.
    pub(crate) fn spark(scripts: &'a Path, packages: &'a str) -> Self {
        let script = "spark.py";
        Client { scripts, packages, java: true, script, arguments: &[], seconds: 0 }
    }

    /// The directory with its packages. If it cannot run here, it says why.
    pub(crate) fn prepare(&self) -> Result<PathBuf, String> {
        if self.java && !runs("java") {
            return Err("java is not installed: apt-get install default-jre-headless".to_owned());
        }
        let installed = Command::new(self.scripts.join("install"))
            .arg(self.packages)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        if installed.status.success() {
            Ok(PathBuf::from(String::from_utf8_lossy(&installed.stdout).trim_end()))
        } else {
            let why = String::from_utf8_lossy(&installed.stderr);
            Err(format!("{} cannot be installed: {why}", self.packages))
        }
    }

    /// Runs it to its end, against a server. It hands over each line that the client prints.
    ///
    /// # Panics
    /// If it finds a difference, or takes too long.
    pub(crate) fn run(&self, packages: &Path, host: &str, mut said: impl FnMut(&str)) {
        let directory = tempfile::tempdir().expect("a directory");
        let begun = Instant::now();
        let mut client = Group(self.start(packages, host, directory.path()));
        let stdout = client.0.stdout.take().expect("a pipe");
        let mut stderr = client.0.stderr.take().expect("a pipe");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(stdout)
                .lines()
                .map_while(Result::ok)
                .all(|line| sender.send(line).is_ok())
        });
        let errors = thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned())
        });
        let mut all = String::new();
        let ended = loop {
            match lines.recv_timeout(WITHIN.saturating_sub(begun.elapsed())) {
                Ok(line) => {
                    println!("{:6.1} s  {line}", begun.elapsed().as_secs_f32());
                    said(&line);
                    all = all + &line + "\n";
                }
                Err(RecvTimeoutError::Disconnected) => {
                    break client.0.wait().is_ok_and(|s| s.success());
                }
                Err(RecvTimeoutError::Timeout) => break false,
            }
        };
        drop(client);
        let errors = errors.join().expect("a thread").expect("standard error");
        println!("{} took {:?}", self.packages, begun.elapsed());
        assert!(ended && all.contains(EQUAL), "after {:?}: {all}\n{errors}", begun.elapsed());
    }

    fn start(&self, packages: &Path, host: &str, directory: &Path) -> Child {
        Command::new("python3")
            .arg("-u")
            .arg(self.scripts.join(self.script))
            .args(self.arguments)
            .arg(host)
            .arg(directory)
            .current_dir(directory)
            .env("PYTHONPATH", packages)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("CLIENT_SECONDS", self.seconds.to_string())
            .env("JDK_JAVA_OPTIONS", JAVA)
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("SPARK_LOCAL_DIRS", directory)
            .env_remove("SPARK_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("python3")
    }
}

/// A client with all that it started, the machine of Java for instance. They end with this.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = Command::new("kill")
            .args(["-KILL", "--", &format!("-{}", self.0.id())])
            .stderr(Stdio::null())
            .status();
        let _ = self.0.wait();
    }
}

fn runs(program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    version.is_ok_and(|output| output.status.success())
}

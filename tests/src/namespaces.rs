//! Network namespaces of one owner, removed with it. The next owner removes what a killed one left.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use nix::sched::{CloneFlags, setns};

/// Where ip-netns(8) keeps the names.
const DIRECTORY: &str = "/run/netns";

/// How the names of all these namespaces begin. Eight hexadecimal digits of the owner and a name
/// follow.
const FAMILY: &str = "memberd-net-";

/// How many digits tell one owner from another.
const DIGITS: usize = 8;

/// Why the system would not do it.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The program is not there, or could not be spoken to.
    #[error("{program} cannot be run: {error}")]
    Run {
        /// Which.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// It failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which.
        program: String,
        /// Its own words.
        said: String,
    },
}

/// Namespaces whose names share a prefix that no other living owner has.
#[derive(Debug)]
pub struct Namespaces {
    prefix: String,
    /// An abstract socket (unix(7)) of the prefix's name. It is bound exactly as long as the owner
    /// lives.
    _held: UnixListener,
}

impl Namespaces {
    /// Takes a prefix, after the removal of what dead owners left. There are no namespaces yet.
    ///
    /// # Errors
    /// When what was left cannot be removed.
    ///
    /// # Panics
    /// When the system has no free name.
    pub fn take() -> Result<Self, CommandError> {
        sweep()?;
        let random = RandomState::new();
        let free = (0_u32..100).find_map(|attempt| {
            let digits = format!("{:0DIGITS$x}", random.hash_one(attempt) >> 32);
            let prefix = format!("{FAMILY}{digits}");
            hold(&prefix).map(|held| Namespaces { prefix, _held: held })
        });
        Ok(free.expect("a free name"))
    }

    /// Makes a namespace for each of these names.
    ///
    /// # Errors
    /// When that needs rights or tools that are not there.
    pub fn add<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<(), CommandError> {
        let lines: String =
            names.into_iter().map(|name| format!("netns add {}\n", self.full(name))).collect();
        feed(Command::new("ip").args(["-batch", "-"]), &lines)
    }

    /// The name of one of them as ip-netns(8) knows it.
    pub fn full(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// The file of one of them, for setns(2).
    pub fn path(&self, name: &str) -> PathBuf {
        Path::new(DIRECTORY).join(self.full(name))
    }

    /// Runs lines of ip(8) in one of them.
    ///
    /// # Errors
    /// When one fails.
    pub fn ip(&self, name: &str, lines: &str) -> Result<(), CommandError> {
        feed(Command::new("ip").args(["-n", &self.full(name), "-batch", "-"]), lines)
    }

    /// Runs a script of nft(8) in one of them.
    ///
    /// # Errors
    /// When it fails.
    pub fn nft(&self, name: &str, script: &str) -> Result<(), CommandError> {
        feed(enter(&self.path(name)).args(["nft", "-f", "-"]), script)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.prefix) {
            eprintln!("namespaces are left behind: {error}");
        }
    }
}

/// A command that runs its arguments in this namespace, with the same process id (`nsenter` of
/// util-linux).
pub fn enter(namespace: &Path) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", namespace.display())).arg("--");
    command
}

/// Does something in this namespace, on a thread of its own. Sockets that were made there stay
/// there.
///
/// # Panics
/// When there is no such namespace, or that panics.
pub fn within<T: Send>(namespace: &Path, work: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(namespace).expect("a namespace");
    let done = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET).expect("the right to enter a namespace");
            work()
        });
        worker.join()
    });
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Makes the prefix this process's own, if no living process has it.
fn hold(prefix: &str) -> Option<UnixListener> {
    let address = SocketAddr::from_abstract_name(prefix).ok()?;
    UnixListener::bind_addr(&address).ok()
}

/// Removes all namespaces whose owners are dead.
fn sweep() -> Result<(), CommandError> {
    let prefixes: BTreeSet<String> =
        names().iter().filter_map(|name| prefix(name)).map(str::to_owned).collect();
    // The process that holds the name of a dead owner may remove what that left. Nobody else takes
    // the name meanwhile.
    prefixes
        .iter()
        .filter_map(|prefix| Some((prefix, hold(prefix)?)))
        .try_for_each(|(prefix, _held)| remove(prefix))
}

fn remove(prefix: &str) -> Result<(), CommandError> {
    let all = names();
    let lines: String = all
        .iter()
        .filter(|name| self::prefix(name) == Some(prefix))
        .map(|name| format!("netns delete {name}\n"))
        .collect();
    if lines.is_empty() {
        Ok(())
    } else {
        feed(Command::new("ip").args(["-force", "-batch", "-"]), &lines)
    }
}

/// The names of all namespaces of this machine; none when there never were any.
fn names() -> Vec<String> {
    let entries = fs::read_dir(DIRECTORY).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// The owner's prefix, if the namespace is one of this family.
fn prefix(name: &str) -> Option<&str> {
    let (prefix, rest) = name.split_at_checked(FAMILY.len() + DIGITS)?;
    (prefix.starts_with(FAMILY) && rest.starts_with('-')).then_some(prefix)
}

/// Runs a command with this text on its standard input.
fn feed(command: &mut Command, text: &str) -> Result<(), CommandError> {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args())
        .map(|word| word.to_string_lossy());
    let program = words.collect::<Vec<_>>().join(" ");
    let mut run = || {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        // A command that ends early closes its input. Its status and its output say why.
        let _ = child.stdin.take().map(|mut input| input.write_all(text.as_bytes()));
        child.wait_with_output()
    };
    match run() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
            Err(CommandError::Failed { program, said: format!("{said} ({})", output.status) })
        }
        Err(error) => Err(CommandError::Run { program, error }),
    }
}

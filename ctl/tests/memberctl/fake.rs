//! A scripted daemon for one client, and the real memberctl that talks to it.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use memberd_control::frame::{encode, read_frame};
use memberd_control::message::{
    FileUpload, Hello, PROTOCOL_VERSION, RefusalKind, Reply, Request, RequestRefusal,
};
use tempfile::TempDir;

/// The connection to the one client, on the daemon's side.
pub(crate) struct Client(UnixStream);

impl Client {
    /// Exchanges hellos, and reads the request.
    pub(crate) fn greet(&mut self) -> Request {
        let hello: Hello = read_frame(&mut self.0).unwrap();
        assert_eq!(hello.protocol, PROTOCOL_VERSION);
        self.raw(
            &encode(&Hello { protocol: PROTOCOL_VERSION, program: "memberd 0.1.0".to_owned() })
                .unwrap(),
        );
        read_frame(&mut self.0).unwrap()
    }

    /// Sends a reply.
    pub(crate) fn say(&mut self, reply: &Reply) {
        self.raw(&encode(reply).unwrap());
    }

    /// The bytes that follow the request; none if the client went away before their end.
    pub(crate) fn uploaded(&mut self) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            match self.piece()? {
                bytes if bytes.is_empty() => return Some(all),
                bytes => all.extend(bytes),
            }
        }
    }

    /// The next piece of them; an empty one is their end.
    pub(crate) fn piece(&mut self) -> Option<Vec<u8>> {
        match read_frame(&mut self.0).ok()? {
            FileUpload::Bytes(bytes) => Some(bytes),
            FileUpload::End => Some(Vec::new()),
        }
    }

    /// Sends bytes. An error is ignored: the test notices in another way that the client is gone.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// Leaves the connection open when the script ends, for as long as the test runs.
    pub(crate) fn stay_open(&self) {
        std::mem::forget(self.0.try_clone().unwrap());
    }

    /// Waits until the client closes the connection.
    pub(crate) fn until_gone(&mut self) {
        let _ = self.0.read_to_end(&mut Vec::new());
    }
}

/// How a run of memberctl ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Asserts that it ended with this status, and with one line on standard error that has this
    /// text.
    #[track_caller]
    pub(crate) fn failed(&self, status: i32, words: &str) {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(self.stderr.starts_with("memberctl: ") && self.stderr.ends_with('\n'), "{self:?}");
        assert!(self.stderr.contains(words), "{self:?}");
    }

    /// Asserts that it succeeded with this on standard output, and nothing on standard error.
    #[track_caller]
    pub(crate) fn printed(&self, stdout: &str) {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        assert_eq!(self.stdout, stdout);
    }
}

/// The script of the daemon for a client.
pub(crate) type Script = Box<dyn FnOnce(&mut Client) -> Option<Request> + Send>;

/// The daemon: a thread that serves one client, or several.
pub(crate) struct Daemon {
    directory: TempDir,
    thread: JoinHandle<Option<Request>>,
}

impl Daemon {
    /// Serves a client with this script. [`Daemon::request`] returns the script's result.
    pub(crate) fn new(
        script: impl FnOnce(&mut Client) -> Option<Request> + Send + 'static,
    ) -> Daemon {
        Daemon::in_turn(vec![Box::new(script)])
    }

    /// Serves one client with each script in turn. The result of the last one is kept.
    pub(crate) fn in_turn(scripts: Vec<Script>) -> Daemon {
        let directory = TempDir::new().unwrap();
        let listener = UnixListener::bind(socket(directory.path())).unwrap();
        let thread = std::thread::spawn(move || {
            let serve = |script: Script| script(&mut Client(listener.accept().unwrap().0));
            scripts.into_iter().map(serve).last().flatten()
        });
        Daemon { directory, thread }
    }

    /// Answers any request with these replies, then closes.
    pub(crate) fn answering(replies: Vec<Reply>) -> Daemon {
        Daemon::in_turn(vec![answer(replies)])
    }

    /// Refuses any request.
    pub(crate) fn refusing(kind: RefusalKind, message: &str) -> Daemon {
        Daemon::answering(vec![refusal(kind, message)])
    }

    /// A memberctl command for this daemon.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = memberctl();
        command.arg("--socket").arg(socket(self.directory.path())).args(arguments);
        command
    }

    /// Runs memberctl to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        run(&mut self.command(arguments))
    }

    /// Starts memberctl with its output in pipes.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The request, once the script has ended.
    pub(crate) fn request(self) -> Request {
        self.thread.join().unwrap().unwrap()
    }
}

/// Asserts that it ends with success, and says nothing on standard error.
#[track_caller]
pub(crate) fn ended_in_silence(mut child: Child) {
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(stderr, "");
}

/// The script that answers any request with these replies.
pub(crate) fn answer(replies: Vec<Reply>) -> Script {
    Box::new(move |client| {
        let request = client.greet();
        replies.iter().for_each(|reply| client.say(reply));
        Some(request)
    })
}

/// A refusal.
pub(crate) fn refusal(kind: RefusalKind, message: &str) -> Reply {
    Reply::Refused(RequestRefusal { kind, message: message.to_owned() })
}

/// The socket in a directory.
pub(crate) fn socket(directory: &Path) -> PathBuf {
    directory.join("control.sock")
}

/// memberctl in an environment that has nothing but a UTF-8 locale.
pub(crate) fn memberctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memberctl"));
    command.env_remove("MEMBERCTL_SOCKET").env_remove("NO_COLOR").stdin(Stdio::null());
    command.env_remove("GREP_COLORS").env_remove("GREP_COLOR").env("LC_ALL", "C.UTF-8");
    command
}

/// Runs a command to its end, with its standard output closed.
pub(crate) fn run_without_stdout(command: &Command) -> Ended {
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" >&-", "sh"]);
    run(shell.arg(command.get_program()).args(command.get_args()))
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

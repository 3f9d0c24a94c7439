//! One real daemon: its settings, its directory and its process.

use crate::binaries;
use crate::control::Control;
use crate::log::Log;
use crate::process::{self, Running};
use crate::settings::Settings;
use crate::wait::{KILLED, SOON, holds};
use crate::wait_until;
use memberd_membership::Position;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::env;
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a `memberctl` may run.
const CTL_LIMIT: Duration = Duration::from_secs(60);

/// A daemon with a directory of its own, running or not.
#[derive(Debug)]
pub struct Daemon {
    /// Its settings. Changes take effect with [`Daemon::write_settings`], or at the next start.
    pub settings: Settings,
    directory: PathBuf,
    namespace: Option<PathBuf>,
    /// What its environment has besides, from its next start on.
    pub environment: Vec<(&'static str, String)>,
    /// The directory of another build's programs, from its next start on.
    pub programs: Option<PathBuf>,
    process: Option<Running>,
    pub(crate) worker: Option<Running>,
}

impl Daemon {
    /// A daemon that does not run yet.
    ///
    /// # Panics
    /// When its directory cannot be made.
    pub fn new(directory: PathBuf, settings: Settings) -> Self {
        fs::create_dir_all(&directory).expect("a directory for the daemon");
        let (namespace, environment, programs) = (None, Vec::new(), None);
        let (process, worker) = (None, None);
        Daemon { settings, directory, namespace, environment, programs, process, worker }
    }

    /// From its next start on it runs in this network namespace.
    pub fn move_to(&mut self, namespace: PathBuf) {
        self.namespace = Some(namespace);
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its place on the ring.
    pub fn position(&self) -> Position {
        Position::of(self.settings.address)
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its settings file.
    pub fn config(&self) -> PathBuf {
        self.directory.join("memberd.toml")
    }

    /// Writes the settings file.
    ///
    /// # Panics
    /// When that fails.
    pub fn write_settings(&self) {
        fs::write(self.config(), self.settings.to_toml()).expect("the settings can be written");
    }

    /// Starts the process with the settings file as it is.
    ///
    /// # Panics
    /// When it runs already, or cannot be started.
    pub fn launch_as_configured(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.name());
        let stderr = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.stderr_path())
            .expect("a file for standard error");
        let program = self.program("memberd", binaries::memberd);
        let mut command = binaries::mortal(&program, self.namespace.as_deref());
        // The daemon would leave a core here, if it left one.
        command.current_dir(&self.directory);
        command
            .arg("--config")
            .arg(self.config())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr);
        self.process = Some(Running::start(&mut command));
    }

    /// Writes the settings and starts the process.
    ///
    /// # Panics
    /// As [`Daemon::launch_as_configured`].
    pub fn launch(&mut self) {
        self.write_settings();
        self.launch_as_configured();
    }

    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub fn start(&mut self) {
        self.launch();
        self.wait_until_it_answers();
    }

    /// Waits until it answers on its control socket.
    ///
    /// # Panics
    /// When it does not, or has ended.
    pub fn wait_until_it_answers(&mut self) {
        let control = self.control();
        let what = format!("{} answers", self.name());
        wait_until(&what, SOON, || {
            if let Some(status) = self.ended() {
                panic!("{} ended with {status}: {}", self.settings.name, self.stderr());
            }
            control.status().map(drop).map_err(|error| error.to_string())
        });
    }

    /// Whether there is a process.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// How it ended, if it has ended and the test has not waited for it.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.as_mut().and_then(Running::ended)
    }

    fn process(&self) -> &Running {
        self.process.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name()))
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pid(&self) -> Pid {
        self.process().pid()
    }

    /// Sends it a signal, and returns the moment just before.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) -> Instant {
        self.process().signal(signal)
    }

    /// Waits until its log has a line with these words.
    ///
    /// # Panics
    /// When none comes.
    pub fn wait_until_logged(&self, words: &str) {
        wait_until(&format!("{} logs {words:?}", self.name()), SOON, || {
            let text = self.log().text();
            holds(text.contains(words), || text)
        });
    }

    /// Waits until its log has these words this many times. The log is written a little after what
    /// it reports.
    ///
    /// # Panics
    /// When they do not come, or come more often.
    pub fn wait_until_logged_times(&self, words: &str, times: usize) {
        let logged = wait_until(&format!("{} logs {words:?}", self.name()), SOON, || {
            let text = self.log().text();
            let count = text.matches(words).count();
            if count >= times { Ok((count, text)) } else { Err(text) }
        });
        assert_eq!(logged.0, times, "{words:?} is in the log too often: {}", logged.1);
    }

    /// Waits until its log has a line with all these words, and checks that such a line comes at
    /// most once a minute. `since` is a moment before the first.
    ///
    /// # Panics
    /// When none comes, or more than one a minute.
    pub fn wait_until_logged_rarely(&self, words: &[&str], since: Instant) {
        let count = |text: &str| {
            text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
        };
        let text = wait_until(&format!("{} logs {words:?}", self.name()), SOON, || {
            let text = self.log().text();
            if count(&text) > 0 { Ok(text) } else { Err(text) }
        });
        let minutes = usize::try_from(since.elapsed().as_secs() / 60).expect("a few minutes");
        assert!(count(&text) <= 1 + minutes, "{words:?} in {minutes} min is too often: {text}");
    }

    /// Sends SIGHUP and waits until it has taken effect.
    ///
    /// # Panics
    /// When it does not.
    pub fn reload(&self) {
        let done = |text: &str| text.matches("settings reloaded").count();
        let before = done(&self.log().text());
        self.signal(Signal::SIGHUP);
        wait_until("the settings are reloaded", SOON, || {
            let text = self.log().text();
            holds(done(&text) > before, || text)
        });
    }

    /// Gives it this keyring, from the next start or reload on. Each digit makes a key, and the
    /// same digit makes the same key.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn set_keys(&mut self, digits: &str) {
        let path = self.directory.join("group.key");
        let key = |digit: char| format!("memberd-key:{}\n", digit.to_string().repeat(64));
        fs::write(&path, digits.chars().map(key).collect::<String>()).expect("a key file");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a key file of our own");
        self.settings.key_file = Some(path);
    }

    /// One of the counters of its status.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn counter(&self, name: &str) -> u64 {
        let counters = self.control().status().expect("a status").counters;
        let found = counters.iter().find(|(other, _)| other == name).map(|(_, count)| *count);
        found.unwrap_or_else(|| panic!("no counter {name} among {counters:?}"))
    }

    /// Waits for the process to end.
    ///
    /// # Panics
    /// When it does not, within the limit.
    pub fn wait_for_end(&mut self, limit: Duration) -> ExitStatus {
        let mut process =
            self.process.take().unwrap_or_else(|| panic!("{} does not run", self.name()));
        process.wait(limit)
    }

    /// Crashes it (SIGKILL), and returns the moment just before.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) -> Instant {
        let at = self.signal(Signal::SIGKILL);
        self.wait_for_end(KILLED);
        at
    }

    /// Its control socket.
    pub fn control(&self) -> Control {
        Control::new(&self.settings.socket)
    }

    /// A `memberctl` at its control socket, not yet started.
    pub fn memberctl(&self, arguments: &[&str]) -> Command {
        let program = self.program("memberctl", binaries::memberctl);
        let mut command = binaries::mortal(&program, None);
        command
            .arg("--socket")
            .arg(&self.settings.socket)
            .args(arguments)
            .env_remove("MEMBERCTL_SOCKET")
            .env("LC_ALL", "C.UTF-8");
        command
    }

    /// One of its programs: of the other build, or of this one.
    pub(crate) fn program(&self, name: &str, built: fn() -> PathBuf) -> PathBuf {
        self.programs.as_ref().map_or_else(built, |directory| directory.join(name))
    }

    /// A line of sh(1) as it is typed on this daemon's machine, where `memberctl` and `memberd` are
    /// in the PATH.
    ///
    /// # Panics
    /// When the PATH makes no sense.
    pub fn shell(&self, line: &str) -> Command {
        let programs = binaries::memberctl().parent().map(Path::to_owned);
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(programs.into_iter().chain(env::split_paths(&path)))
            .expect("a PATH that can be added to");
        let mut command = binaries::mortal(Path::new("/bin/sh"), None);
        command.args(["-c", line]).current_dir(&self.directory).env("PATH", path);
        command.env("MEMBERCTL_SOCKET", &self.settings.socket).env("LC_ALL", "C.UTF-8");
        command
    }

    /// Runs `memberctl` to its end.
    ///
    /// # Panics
    /// When it does not end within a minute.
    pub fn ctl(&self, arguments: &[&str]) -> Output {
        process::run(&mut self.memberctl(arguments), CTL_LIMIT)
    }

    /// Its `searches.i.log`, which is there once it has searched.
    pub fn searches_path(&self) -> PathBuf {
        self.settings.log_dir.join(format!("searches.{}.log", self.settings.machine()))
    }

    /// Its `machine.i.log`.
    pub fn log(&self) -> Log {
        Log::new(self.settings.log_dir.join(format!("machine.{}.log", self.settings.machine())))
    }

    fn stderr_path(&self) -> PathBuf {
        self.directory.join("stderr")
    }

    /// What it wrote to standard error, in all its runs.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.stderr_path()).unwrap_or_default()
    }

    /// Makes a file to be searched, and offers it to the group from the next start on.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn offer(&mut self, name: &str) -> File {
        let path = self.directory.join(name);
        self.settings.files.push(path.display().to_string());
        File::create(path).expect("a file to be searched")
    }
}

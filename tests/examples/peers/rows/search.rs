//! Measures one search over the logs of ten machines: `memberctl grep`, and grep through clush,
//! pdsh and ssh. It owns the sshd processes.

use crate::agent::RING;
use crate::group::{Group, InVain};
use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::stage::formed;
use crate::{Bench, rounds};
use memberd_tests::process::Running;
use memberd_tests::{Network, binaries, namespaces};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The number of machines whose logs are searched.
pub(crate) const MACHINES: u8 = 10;

/// The searches: a description, and the arguments of grep.
const SEARCHES: [(&str, &[&str]); 3] = [
    ("a line of each", &["-F", "quagga-0042"]),
    ("counted, 1 % of the lines", &["-c", "ERROR"]),
    ("1 % of the lines", &["ERROR"]),
];

pub(crate) fn measure(bench: &mut Bench) -> Result<(), InVain> {
    let network = Network::new(MACHINES).expect("network namespaces");
    // The group has a key, because ssh encrypts too.
    let group = Group::new(&RING, &network).sealed();
    for number in group.numbers() {
        write_log(&group.place(number).offered(), number, bench.options.log_megabytes);
    }
    let group = formed(group)?;
    let shells = Shells::start(&group);
    for (what, arguments) in SEARCHES {
        for (tool, make) in TOOLS {
            let (mut first, mut last) = (Vec::new(), Vec::new());
            // One run in advance warms the file cache and the connections of each tool.
            run(&mut make(&group, &shells, arguments));
            for _ in rounds(bench, 2) {
                let (one, all) = run(&mut make(&group, &shells, arguments));
                first.push(one);
                last.push(all);
            }
            let of =
                Subject { row: Row::Search, agents: MACHINES.into(), program: tool.to_owned() };
            let mut add = |line: &str, times: &[f64]| {
                bench.results.add(
                    &of,
                    Measure::Seconds,
                    &format!("search, {what}: {line} line"),
                    times,
                );
            };
            add("first", &first);
            add("last", &last);
        }
    }
    Ok(())
}

type Make = fn(&Group, &Shells, &[&str]) -> Command;

/// The tools to measure. The sshd of each machine sets `$LOG`.
const TOOLS: [(&str, Make); 5] = [
    ("memberctl grep", |group, _, arguments| {
        let mut command = Command::new(binaries::memberctl());
        command
            .arg("--socket")
            .arg(group.place(1).socket())
            .arg("grep")
            .args(arguments)
            .arg("shop.log");
        command
    }),
    ("clush", |_, shells, arguments| {
        let mut command = shells.enter("clush");
        command.args([
            "-q",
            "-L",
            "-o",
            &shells.options(false),
            "-w",
            &shells.hosts(","),
            &remote(arguments),
        ]);
        command
    }),
    ("pdsh", |_, shells, arguments| {
        let mut command = shells.enter("pdsh");
        command.env("PDSH_SSH_ARGS_APPEND", shells.options(false));
        command.args(["-R", "ssh", "-w", &shells.hosts(","), &remote(arguments)]);
        command
    }),
    ("ssh at once", |_, shells, arguments| shells.at_once(false, arguments)),
    ("ssh at once, kept connections", |_, shells, arguments| shells.at_once(true, arguments)),
];

fn remote(arguments: &[&str]) -> String {
    format!("LC_ALL=C.UTF-8 grep {} $LOG", arguments.join(" "))
}

/// An sshd on each machine, and the means to reach them from the first machine.
struct Shells {
    directory: tempfile::TempDir,
    client: std::path::PathBuf,
    addresses: Vec<String>,
    _running: Vec<Running>,
}

impl Drop for Shells {
    fn drop(&mut self) {
        for address in &self.addresses {
            // The process may have ended already.
            let _ = self
                .enter("ssh")
                .args(self.options(true).split(' '))
                .args(["-O", "exit", address])
                .stderr(Stdio::null())
                .status();
        }
    }
}

impl Shells {
    fn start(group: &Group) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("memberd-ssh-")
            .tempdir()
            .expect("a temporary directory");
        let key = directory.path().join("key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status();
        assert!(made.is_ok_and(|status| status.success()), "ssh-keygen makes a key");
        // sshd requires this directory.
        fs::create_dir_all("/run/sshd").expect("/run/sshd");
        let mut running = Vec::new();
        let mut addresses = Vec::new();
        for number in group.numbers() {
            let place = group.place(number);
            let config = directory.path().join(format!("sshd{number}"));
            fs::write(
                &config,
                sshd(directory.path(), &place.address.ip().to_string(), &place.offered()),
            )
            .expect("a file");
            let mut command = binaries::mortal(Path::new("/usr/sbin/sshd"), Some(&place.namespace));
            running.push(Running::start(
                command.arg("-D").arg("-f").arg(config).stderr(Stdio::null()),
            ));
            addresses.push(place.address.ip().to_string());
        }
        let shells =
            Shells { directory, client: group.place(1).namespace, addresses, _running: running };
        for address in &shells.addresses {
            let answers = || {
                shells
                    .enter("ssh")
                    .args(shells.options(false).split(' '))
                    .args([address.as_str(), "true"])
                    .status()
            };
            memberd_tests::wait_until("sshd answers", crate::group::LIMIT, || {
                answers()
                    .is_ok_and(|status| status.success())
                    .then_some(())
                    .ok_or(format!("{address} does not"))
            });
        }
        shells
    }

    /// Creates a command on the first machine.
    fn enter(&self, program: &str) -> Command {
        let mut command = namespaces::enter(&self.client);
        command.arg(program).stdin(Stdio::null());
        command
    }

    fn options(&self, kept: bool) -> String {
        let directory = self.directory.path().display();
        let control = if kept {
            format!(" -oControlMaster=auto -oControlPath={directory}/%h -oControlPersist=60")
        } else {
            String::new()
        };
        format!(
            "-F none -i {directory}/key -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null \
            -oLogLevel=ERROR{control}"
        )
    }

    fn hosts(&self, between: &str) -> String {
        self.addresses.join(between)
    }

    /// Runs ssh in a shell loop.
    fn at_once(&self, kept: bool, arguments: &[&str]) -> Command {
        let mut script = String::new();
        for address in &self.addresses {
            let _ = write!(
                script,
                "ssh {} {address} '{}' | sed 's/^/{address}: /' & ",
                self.options(kept),
                remote(arguments)
            );
        }
        let mut command = self.enter("sh");
        command.args(["-c", &format!("{script}wait")]);
        command
    }
}

fn sshd(directory: &Path, address: &str, offered: &Path) -> String {
    let directory = directory.display();
    format!(
        "ListenAddress {address}\nHostKey {directory}/key\nAuthorizedKeysFile \
        {directory}/key.pub\nStrictModes no\nUsePAM no\n\
         PidFile none\nPermitRootLogin prohibit-password\nMaxStartups 100\nUseDNS no\nSetEnv \
         LOG={}/shop.log\n",
        offered.display()
    )
}

/// The times until the first bytes of the output and until its end, in seconds.
fn run(command: &mut Command) -> (f64, f64) {
    let started = Instant::now();
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let (mut out, mut buffer) = (child.stdout.take().expect("a pipe"), vec![0; 65_536]);
    let mut first = None;
    while out.read(&mut buffer).expect("output") > 0 {
        first.get_or_insert_with(|| started.elapsed().as_secs_f64());
    }
    let all = started.elapsed().as_secs_f64();
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{command:?}: {status}");
    (first.expect("output"), all)
}

/// Writes a shop's log. One line in a hundred is an error, and a single line has the rare word.
fn write_log(directory: &Path, number: usize, megabytes: usize) {
    fs::create_dir_all(directory).expect("a directory");
    let mut file = BufWriter::new(fs::File::create(directory.join("shop.log")).expect("a log"));
    let (mut random, mut written) = (number as u64, 0);
    let lines = megabytes * 1_000_000 / 100;
    for line in 0..lines {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let level = if line % 100 == 50 { "ERROR" } else { "INFO " };
        let word = if line == lines / 2 { "quagga-0042" } else { "zebra" };
        let text = format!(
            "2026-11-21T08:{:02}:{:02}.{:03}Z {level} shop order={:016x} user={word} took={} ms \
            GET /api/cart status=200",
            line / 60_000 % 60,
            line / 1_000 % 60,
            line % 1_000,
            random,
            random >> 54
        );
        written += text.len();
        writeln!(file, "{text}").expect("room on the disk");
    }
    assert!(written > 0, "a log of {megabytes} MB has lines");
}

//! Checks that the group's key is in no log, in no core dump, and not in memory once it is no
//! longer used.

use memberd_control::keyring::Keyring;
use memberd_tests::binaries::{memberctl, memberd, mortal};
use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, left_out, wait_until};
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

/// How a key would look in a log: in hexadecimal digits of both cases, in base64 and as a list.
fn traces_of(key: &[u8; 32]) -> Vec<String> {
    let digits = |case: fn(&u8) -> String| key.iter().map(case).collect::<String>();
    let letters: Vec<char> =
        ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let base64 = |skipped: usize| {
        let groups = key[skipped..].chunks_exact(3);
        groups.flat_map(|group| {
            let bits = group.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
            [18, 12, 6, 0].map(|shift| letters[bits >> shift & 63])
        })
    };
    let list = key[..8].iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let mut traces = vec![
        digits(|byte| format!("{byte:02x}"))[..16].to_owned(),
        digits(|byte| format!("{byte:02X}"))[..16].to_owned(),
        list,
    ];
    traces.extend((0..3).map(|skipped| base64(skipped).take(12).collect::<String>()));
    traces
}

#[test]
fn the_key_is_in_no_log() {
    let key: [u8; 32] = std::array::from_fn(|place| u8::try_from(place * 37 % 251).unwrap() ^ 0x5a);
    let line: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let write = |daemon: &mut Daemon, rubbish: &str| {
        daemon.set_keys("5e");
        let path = daemon.settings.key_file.clone().unwrap();
        let others = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("memberd-key:{line}\n{rubbish}{others}")).unwrap();
    };
    let mut fleet = Fleet::start_with(3, |daemon| {
        daemon.settings.level = "trace";
        write(daemon, "");
    });
    let output = fleet[1].ctl(&["grep", "memberd", "*.log"]);
    assert!(output.status.success(), "{output:?}");
    fleet.crash(&[3]);
    // A key that is good, and a line beside it that is not.
    write(&mut fleet[2], "memberd-key:0123\n");
    fleet[2].reload();
    let mut traces = traces_of(&key);
    traces.extend(["5555555555".to_owned(), "eeeeeeeeee".to_owned()]);
    for daemon in fleet.daemons() {
        let said = daemon.stderr() + &daemon.log().text();
        assert!(said.contains(" DEBUG sent"), "{said}");
        assert_eq!(traces.iter().find(|trace| said.contains(trace.as_str())), None, "{said}");
    }
    let said = fleet[2].log().text();
    assert!(said.contains("line 2: a key is 64 hexadecimal digits"), "{said}");
}

/// Allows cores of any size for this process and its children: core(5).
fn allow_cores() {
    let (_, most) = getrlimit(Resource::RLIMIT_CORE).unwrap();
    assert!(
        most > 0,
        "a limit keeps all processes here from leaving a core: run this where it is higher"
    );
    setrlimit(Resource::RLIMIT_CORE, most, most).unwrap();
}

/// Crashes a daemon. Returns whether it left a core, by wait(2), and the core files in the
/// directory where it runs.
fn crash_with_cores(daemon: &mut Daemon) -> (bool, Vec<PathBuf>) {
    daemon.signal(Signal::SIGABRT);
    let ended = daemon.wait_for_end(SOON);
    assert_eq!(ended.signal(), Some(Signal::SIGABRT as i32), "{ended:?}");
    let files = fs::read_dir(daemon.directory()).unwrap().map(|entry| entry.unwrap().path());
    let cores = files
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("core"))
        .collect();
    (ended.core_dumped(), cores)
}

fn count(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).filter(|window| window == &needle).count()
}

/// A daemon without a key leaves one.
#[test]
fn a_daemon_with_a_key_leaves_no_core_when_it_crashes() {
    allow_cores();
    let mut fleet = Fleet::start_with(2, |daemon| daemon.set_keys("a"));
    // As root this holds for every process. For other users it holds only where dumps are
    // forbidden: proc(5).
    assert_eq!(fs::metadata(format!("/proc/{}/mem", fleet[1].pid())).unwrap().uid(), 0);
    assert_eq!(crash_with_cores(&mut fleet[1]), (false, Vec::new()));

    // The same crash without a key shows that there would have been a core, with what the daemon
    // knows.
    let mut open = Fleet::start(2);
    let known = open.id(2);
    let (dumped, cores) = crash_with_cores(&mut open[1]);
    assert!(dumped, "no process here leaves a core");
    // Where the system pipes cores to a program or keeps them elsewhere, there is no more to see:
    // core(5).
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if !pattern.starts_with(['|', '/']) {
        let core = fs::read(cores.first().unwrap()).unwrap();
        let name = known.split('@').next().unwrap();
        assert!(
            count(&core, name.as_bytes()) > 0 && core.starts_with(b"\x7fELF"),
            "{name} is not in the core"
        );
    }
}

/// This holds even before the program has the key.
#[test]
fn no_program_that_handles_a_key_leaves_a_core() {
    allow_cores();
    let directory = tempfile::tempdir().unwrap();
    // The program waits for settings, which it reads before the key.
    let (settings, writing) = std::io::pipe().unwrap();
    let mut checking = mortal(&memberd(), None);
    let checking = Running::start(
        checking
            .current_dir(&directory)
            .args(["--check", "--config", "/dev/stdin"])
            .stdin(settings),
    );
    wait_until("it reads", SOON, || {
        let opened = format!("/proc/{}/fd", checking.pid());
        let pipe = fs::read_link(format!("{opened}/0")).unwrap();
        let opened = fs::read_dir(opened).unwrap();
        let ends = opened.filter(|entry| {
            entry.as_ref().is_ok_and(|entry| fs::read_link(entry.path()).is_ok_and(|at| at == pipe))
        });
        let ends = ends.count();
        holds(ends == 2, || format!("it has opened the pipe {ends} times"))
    });
    // The program waits until somebody reads the key.
    let (_taking, full) = std::io::pipe().unwrap();
    let room = fcntl(&full, FcntlArg::F_GETPIPE_SZ).unwrap();
    (&full).write_all(&vec![0; usize::try_from(room).unwrap()]).unwrap();
    let mut generating = mortal(&memberctl(), None);
    let generating =
        Running::start(generating.current_dir(&directory).args(["key", "generate"]).stdout(full));
    wait_until("it writes", SOON, || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", generating.pid())).unwrap();
        holds(stat.contains("(memberctl) S "), || stat)
    });
    for mut process in [checking, generating] {
        process.signal(Signal::SIGABRT);
        let ended = process.wait(SOON);
        assert_eq!((ended.signal(), ended.core_dumped()), (Some(Signal::SIGABRT as i32), false));
    }
    drop(writing);
}

/// How often these bytes are in the memory that a process has written: proc(5). As root only. None
/// if this process may not look.
fn in_memory(pid: Pid, needle: &[u8]) -> Option<usize> {
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let regions = maps.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let place = |digits| u64::from_str_radix(digits, 16).ok();
        words.next()?.starts_with("rw").then_some((place(start)?, place(end)?))
    });
    let read = |(start, end): (u64, u64)| {
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // A thread may have ended, and its stack with it.
        memory.read_at(&mut bytes, start).map_or(0, |length| count(&bytes[..length], needle))
    };
    Some(regions.map(read).sum())
}

/// A key that looks like nothing else, as its line.
fn line(seed: usize) -> String {
    let bytes = (0..32).map(|place| u8::try_from((place * 73 + seed * 29) % 251).unwrap() ^ 0xa7);
    format!("memberd-key:{}\n", bytes.map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// The secrets that the daemon derives from a key's line, and the line's digits themselves.
fn secrets(line: &str) -> [(&'static str, Vec<u8>); 4] {
    let keyring = Keyring::parse(line).unwrap();
    let [key] = keyring.keys() else { panic!("one key") };
    let digits = line.trim_end().rsplit(':').next().unwrap().to_owned();
    let bytes = (0..32)
        .map(|place| u8::from_str_radix(&digits[2 * place..2 * place + 2], 16).unwrap())
        .collect();
    [
        ("digits", digits.into_bytes()),
        ("key", bytes),
        ("secret for datagrams", key.derive("memberd datagrams 1").to_vec()),
        ("secret for connections", key.derive("memberd streams 1").to_vec()),
    ]
}

/// So is everything that was derived from it.
#[test]
fn a_key_that_leaves_the_keyring_is_wiped_from_memory() {
    let (old, new) = (line(1), line(2));
    let write = |daemon: &mut Daemon, lines: &str| {
        daemon.set_keys("0");
        fs::write(daemon.settings.key_file.as_ref().unwrap(), lines).unwrap();
    };
    let mut fleet = Fleet::start_with(3, |daemon| write(daemon, &old));
    let found = |fleet: &Fleet, line: &str| {
        let pid = fleet[1].pid();
        secrets(line).map(|(what, bytes)| (what, in_memory(pid, &bytes)))
    };
    if found(&fleet, &old).iter().any(|(_, found)| found.is_none()) {
        return left_out("only root can look into the memory of a daemon with a key");
    }
    assert_eq!(fleet[1].ctl(&["grep", "-c", "memberd starting"]).status.code(), Some(0));
    // This shows that the key can be found when it is there.
    let there = found(&fleet, &old);
    assert!(there[2].1 > Some(0) && there[3].1 > Some(0), "{there:?}");
    assert_eq!(
        (there[0].1, there[1].1),
        (Some(0), Some(0)),
        "the key itself is not needed any more: {there:?}"
    );
    for keys in [format!("{old}{new}"), format!("{new}{old}"), new.clone()] {
        for daemon in fleet.daemons_mut() {
            write(daemon, &keys);
            daemon.reload();
        }
    }
    let there = found(&fleet, &new);
    assert!(there[2].1 > Some(0) && there[3].1 > Some(0), "{there:?}");
    // Work that began with the old key ends first. The library for connections does not wipe their
    // secret: SECURITY.md says so.
    wait_until("nothing of the old key is left", SOON, || {
        let left = found(&fleet, &old);
        holds(left[..3].iter().all(|(_, found)| *found == Some(0)), || format!("{left:?}"))
    });
}

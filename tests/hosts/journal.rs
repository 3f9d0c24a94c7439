//! Searches of the journal: memberctl finds, on each host, what that host's journalctl prints.

use memberd_tests::hosts::outside::text;
use memberd_tests::hosts::{Host, Hosts};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;

/// Writes entries as programs do, with bytes that journalctl prints only with --all. A pipe stands
/// in for the kernel, whose messages no container gets.
const WRITER: &str = r#"import os, socket, struct, subprocess
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.connect("/run/systemd/journal/socket")
def send(message, **fields):
    fields = {name: value.encode() for name, value in fields.items()} | {"MESSAGE": message}
    whole = lambda value: struct.pack("<Q", len(value)) + value
    journal.send(b"".join(n.encode() + b"\n" + whole(v) + b"\n" for n, v in fields.items()))
send(b"a\ttab, \x1b[31mred\x1b[0m, caf\xe9, \x07", SYSLOG_IDENTIFIER="case", CASE="odd")
send(b"one\n\ntwo", SYSLOG_IDENTIFIER="case", CASE="lines", PRIORITY="3")
send(b"not of the case", SYSLOG_IDENTIFIER="other", CASE="odd", SYSLOG_FACILITY="4")
send(b"spaces", SYSLOG_IDENTIFIER="a case", CASE="is = a")
for words in ["-t case", "-t case -p auth.err", "-t other -p user.debug"]:
    subprocess.run(["logger", *words.split(), "through syslog"], check=True)
kernel = os.open("/dev/kmsg", os.O_WRONLY)
os.write(kernel, b"4,1,1,-;NEEDLE of the kernel\n")
"#;

/// journald reads the pipe once it is started anew, and knows the numbers of what it has read. To
/// open a pipe that nobody reads would block it.
const KERNEL: &str = "test ! -e /dev/kmsg
    mkfifo /dev/kmsg
    rm -f /run/systemd/journal/kernel-seqnum
    exec 9<>/dev/kmsg
    systemctl restart systemd-journald";

/// Follows until a new entry is found, while a program writes some.
const FOLLOW: &str =
    "timeout 60 memberctl grep --follow --on $(uname -n) -hm1 --journal -t follow new \
    >/root/found &
    while kill -0 $! 2>/dev/null; do logger -t follow new; sleep 0.1; done
    cat /root/found";

const NO_KERNEL: &str = "rm /dev/kmsg; systemctl restart systemd-journald";

/// What is asked for, in the words of both programs. A match of a field is the last word.
const ASKED: [&[&str]; 13] = [
    &["-t", "case"],
    &["-t", "case", "-t", "other"],
    &["-t", "a case"],
    &["-t", "none of this name"],
    &["-k"],
    &["-k", "-p", "err"],
    &["--facility=auth", "-t", "case", "-t", "other"],
    &["CASE=odd"],
    &["CASE=is = a"],
    &["-t", "case", "CASE=odd"],
    &["-t", "case", "-p", "err"],
    &["_TRANSPORT=kernel"],
    &["-t", "case", "--boot=0"],
];

/// The boot before this one. vm8 has such a boot.
const BOOTED: [&[&str]; 4] = [
    &["--boot=-1"],
    &["--boot=-1", "-u", "memberd", "-p", "warning"],
    &["--boot=-1", "-k"],
    &["--boot=-1", "_PID=1"],
];

/// What the host's journalctl prints.
fn printed(host: &Host, asked: &[&str]) -> Vec<u8> {
    let fixed = ["journalctl", "-q", "--no-pager", "--utc", "-o", "short-iso-precise", "--all"];
    host.try_run(&[&fixed, asked].concat()).stdout
}

/// What the first host finds there with the same words.
fn found(hosts: &Hosts, host: &Host, asked: &[&str]) -> (Vec<u8>, String) {
    let (options, matches): (Vec<&str>, Vec<&str>) =
        asked.iter().partition(|word| word.starts_with('-') || !word.contains('='));
    let fixed = ["memberctl", "grep", "--on", host.name(), "-ha", "--journal"];
    let output = hosts.host(1).try_run(&[&fixed, &options[..], &[""], &matches].concat());
    let said = text(&output).1;
    (output.stdout, said)
}

fn assert_the_same(hosts: &Hosts, host: &Host, asked: &[&str]) -> usize {
    let expected = printed(host, asked);
    let (lines, said) = found(hosts, host, asked);
    assert!(
        lines == expected && said.is_empty(),
        "{} {asked:?}\nmemberctl: {}{said}\njournalctl: {}",
        host.name(),
        String::from_utf8_lossy(&lines),
        String::from_utf8_lossy(&expected)
    );
    lines.iter().filter(|byte| **byte == b'\n').count()
}

/// Systemd 252 and 257.
pub(crate) fn searched_as_by_journalctl(hosts: &Hosts) {
    for host in [hosts.host(1), hosts.host(8)] {
        host.write_inside("/root/writer.py", WRITER);
        host.shell(KERNEL);
        host.run(&["python3", "/root/writer.py"]);
        wait_until("journald has read the pipe", SOON, || {
            let kernel = String::from_utf8_lossy(&printed(host, &["-k"])).into_owned();
            holds(kernel.contains("NEEDLE"), || kernel)
        });
        host.run(&["journalctl", "--sync"]);
        let counts = ASKED.map(|asked| assert_the_same(hosts, host, asked));
        // The message of three lines is one entry.
        assert_eq!(counts, [6, 8, 1, 0, 1, 0, 2, 2, 1, 1, 4, 1, 6], "{}", host.name());
        let followed = host.shell(FOLLOW);
        assert!(followed.lines().count() == 1 && followed.ends_with(": new\n"), "{followed}");
        host.shell(NO_KERNEL);
    }
    for asked in BOOTED {
        let lines = assert_the_same(hosts, hosts.host(8), asked);
        eprintln!("vm8 {asked:?}: {lines} lines");
    }
    let (lines, said) = found(hosts, hosts.host(1), &["--boot=-1"]);
    assert!(lines.is_empty() && said.contains("vm1:journal: "), "no such boot: {said}");
}

//! The memory of the service, as the kernel counts it and as systemd accounts it.

use crate::ALL;
use crate::group::wait_until_whole;
use memberd_tests::hosts::{Accounting, Host, Hosts, accounting};

/// The host on which systemd accounts, if the machine below allows it.
pub(crate) const ACCOUNTED: usize = 1;

/// The unit allows this many times the peak of the service.
const MARGIN: u64 = 4;

const MIB: f64 = 1_048_576.0;

/// What greps say that are refused for now.
const REFUSALS: [&str; 3] = ["try again later", "limits.search_memory", "limits.greps"];

/// A property that is a number of bytes.
fn bytes(host: &Host, property: &str) -> u64 {
    let value = host.show(property);
    value.parse().unwrap_or_else(|_| panic!("{property} on {} is {value}", host.name()))
}

/// After joins, lists, greps from every host and the ends of others.
pub(crate) fn below_its_bound(hosts: &Hosts) {
    let host = hosts.host(ACCOUNTED);
    wait_until_whole(hosts, &ALL);
    let counted = host.shell(
        "awk '/^(Rss|Pss):/ { print $1, $2, $3 }' /proc/$(systemctl show -P \
    MainPID memberd)/smaps_rollup",
    );
    eprintln!("{}: the kernel counts {}", host.name(), counted.replace('\n', " ").trim());
    // systemd has MemoryPeak= from 255 on, and for the unified hierarchy only.
    let (hierarchy, peak, limit) = match accounting() {
        Ok(Accounting::Version1) => {
            ("/sys/fs/cgroup/memory", "memory.max_usage_in_bytes", "memory.limit_in_bytes")
        }
        Ok(Accounting::Version2) => ("/sys/fs/cgroup", "memory.peak", "memory.max"),
        // Nothing that could be installed changes this, because a machine lays out its control
        // groups at boot.
        Err(words) => return eprintln!("LEFT OUT: {words}"),
    };
    let (now, bound) = (bytes(host, "MemoryCurrent"), bytes(host, "MemoryMax"));
    let group = format!("{hierarchy}{}", host.show("ControlGroup"));
    let kernel =
        |file: &str| host.run(&["cat", &format!("{group}/{file}")]).trim().parse::<u64>().unwrap();
    let most = kernel(peak);
    let [now_mib, most_mib, bound_mib] = [now, most, bound].map(|bytes| bytes as f64 / MIB);
    eprintln!(
        "{}: systemd accounts {now_mib:.1} MiB, {most_mib:.1} MiB at most, of {bound_mib} MiB",
        host.name()
    );
    assert_eq!(kernel(limit), bound, "the bound is the kernel's as well");
    assert!(most * MARGIN <= bound, "{most} bytes are not far below {bound}");
}

/// Each of 63 greps at once from the other hosts needs much memory here. The service goes on, and
/// what it answers is right.
pub(crate) fn never_exhausted_by_greps(hosts: &Hosts) {
    let host = hosts.host(ACCOUNTED);
    let service = || (host.show("MainPID"), host.show("NRestarts"));
    let before = service();
    host.shell(
        "cp -p /var/log/dpkg.log /root/dpkg.log
        yes \"$(printf %020000d 0)\" | head -n 60 >>/var/log/dpkg.log",
    );
    std::thread::scope(|scope| {
        for other in hosts.on().filter(|other| other.number() != ACCOUNTED) {
            let name = host.name();
            scope.spawn(move || {
                let printed = other.shell(&format!(
                    "for i in 1 2 3 4 5 6 7 8 9; do
                    (s=0; memberctl grep -h --on {name} -cP '^(0|1)*$' /var/log/dpkg.log 2>&1 ||
                    s=$?; echo $s) | tr '\\n' ' ' >/root/grep.$i & done; wait
                    for i in 1 2 3 4 5 6 7 8 9; do cat /root/grep.$i; echo; rm /root/grep.$i; done"
                ));
                for line in printed.lines() {
                    let is_answer = line.trim() == "60 0";
                    let is_refusal = REFUSALS.iter().any(|words| line.contains(words));
                    assert!(is_answer || is_refusal, "on {}: {line}", other.name());
                }
            });
        }
    });
    host.shell("cp -p /root/dpkg.log /var/log/dpkg.log");
    assert_eq!(service(), before, "the service was not ended");
    wait_until_whole(hosts, &ALL);
}

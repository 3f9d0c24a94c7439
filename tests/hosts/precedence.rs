//! The priority of the service for the kernel: how soon it gets the processor, and how late it is
//! killed when memory is short.

use memberd_tests::hosts::Hosts;

/// What the package installs.
const UNIT: &str = include_str!("../../systemd/memberd.service");

/// The niceness of what gives way to all others.
const LOWEST: &str = "19";

/// What the unit says.
fn directive(name: &str) -> &str {
    let value = UNIT.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("the unit has no {name}"))
}

/// On hosts of both releases.
pub(crate) fn as_the_unit_says(hosts: &Hosts) {
    let (niceness, score) = (directive("Nice"), directive("OOMScoreAdjust"));
    for host in [hosts.host(1), hosts.host(8)] {
        let pid = host.main_pid().to_string();
        // Each thread has its own niceness (setpriority(2)). Searching threads give way to all
        // others, and nobody searches now. So do those of copies, which are always there.
        let threads = host.shell(&format!("cat /proc/{pid}/task/*/stat"));
        assert!(threads.contains(" (membership) "), "{threads}");
        // proc_pid_stat(5): the niceness is the 17th field after the name.
        let of_thread = |thread: &str| {
            let (_, fields) = thread.rsplit_once(')')?;
            fields.split_whitespace().nth(16).map(str::to_owned)
        };
        let (of_copies, others): (Vec<&str>, Vec<&str>) =
            threads.lines().partition(|thread| thread.contains(" (copies"));
        let all_have = |threads: &[&str], niceness: &str| {
            threads.iter().all(|thread| of_thread(thread).as_deref() == Some(niceness))
        };
        assert!(all_have(&others, niceness), "{threads}");
        assert!(!of_copies.is_empty() && all_have(&of_copies, LOWEST), "{threads}");

        assert_eq!(host.show("OOMScoreAdjust"), score);
        // systemd ignores it where the machine below does not allow it.
        if host
            .try_run(&["sh", "-c", &format!("echo {score} >/proc/self/oom_score_adj")])
            .status
            .success()
        {
            assert_eq!(host.run(&["cat", &format!("/proc/{pid}/oom_score_adj")]).trim(), score);
        } else {
            eprintln!(
                "LEFT OUT: root on {} has no CAP_SYS_RESOURCE: the kernel's own OOM score is not \
                looked at",
                host.name()
            );
        }
    }
}

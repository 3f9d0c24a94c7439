//! Copies of logs: what a host wrote is found while its plug is pulled, and once only when it is
//! back.

use crate::crashes::wait_until_back;
use crate::group::{id, wait_until_whole};
use crate::{ALL, all_but};
use memberd_control::message::MemberStatus;
use memberd_tests::hosts::outside::text;
use memberd_tests::hosts::{Host, Hosts};
use memberd_tests::wait::{SOON, holds, stretched};
use memberd_tests::wait_until;
use std::time::{Duration, SystemTime};

/// The host that dies.
const SOURCE: usize = 3;

/// What it wrote is in its copies, but for this much. Two seconds are promised, and a busy machine
/// takes longer.
const LACKS: Duration = Duration::from_secs(15);

/// Writes numbered lines, each with the time. It opens the log for each anew, as rotation wants.
const WRITER: &str = "import time
number = 0
while True:
    with open('/var/log/shop.log', 'a') as log:
        log.write(f'order {number} was paid at {int(time.time() * 1000)}\\n')
    number += 1
    time.sleep(0.005)
";

/// Every line of the log and of what was rotated away from it.
const GREP: [&str; 7] = ["memberctl", "grep", "--on=vm3", "--rotated", "-h", "", "shop.log"];

/// It offers the log of a shop, too. That others keep copies is the default.
fn offer(host: &Host) {
    host.shell(
        "cp -p /etc/memberd/memberd.toml /root/memberd.toml
        sed -i 's|^files = \\[|&\"/var/log/shop.log\", |' /etc/memberd/memberd.toml
        systemctl reload memberd",
    );
}

fn offer_no_more(host: &Host) {
    host.shell(
        "mv /root/memberd.toml /etc/memberd/memberd.toml
        systemctl reload memberd
        rm /var/log/shop.log*",
    );
}

/// Waits until two others have all but the last moment of a host's logs, and these many lines.
fn wait_until_kept(host: &Host, lines: u64) {
    wait_until("two members have nearly all of its logs", SOON, || {
        let page = host.run(&["memberctl", "metrics"]);
        let values = |name: &str| -> Vec<f64> {
            let of_name = page.lines().filter(|line| line.starts_with(name));
            of_name.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect()
        };
        let keepers = values("memberd_copies_keepers ");
        let lags = values("memberd_copies_lag_seconds{");
        holds(keepers == [2.0] && lags.len() == 2 && lags.iter().all(|lag| *lag < 2.0), || {
            format!("{keepers:?} keepers, late by {lags:?}")
        })?;
        let written = host.shell("cat /var/log/shop.log* | wc -l").trim().parse::<u64>();
        holds(written.as_ref().is_ok_and(|written| *written >= lines), || format!("{written:?}"))
    });
}

/// A plug is pulled while a shop writes its log, which was rotated before.
pub(crate) fn found_while_the_plug_is_pulled(hosts: &mut Hosts) {
    let host = hosts.host(SOURCE);
    offer(host);
    host.write_inside("/root/shop.py", WRITER);
    host.run(&["systemd-run", "--quiet", "--unit=shop", "python3", "/root/shop.py"]);
    wait_until_kept(host, 300);
    host.shell("mv /var/log/shop.log /var/log/shop.log.1");
    wait_until_kept(host, 1_000);
    let old = id(host);
    let pulled = SystemTime::now();
    hosts.pull_plugs(&[SOURCE]);
    wait_until_whole(hosts, &all_but(&[SOURCE]));
    crate::group::wait_until_listed(hosts.host(6), "vm3", MemberStatus::Failed);
    let (found, said) = text(&hosts.host(6).try_run(&GREP));
    assert!(
        said.starts_with("memberctl: vm3 failed ") && said.contains("its logs as vm"),
        "{said}"
    );
    hosts.start(SOURCE);
    wait_until_back(hosts, SOURCE, &old, SOON);
    let written = hosts.host(SOURCE).shell("cat /var/log/shop.log.1 /var/log/shop.log");
    assert!(written.starts_with(&found) && found.ends_with('\n'), "{said}{found}");
    let last = found.lines().last().and_then(|line| line.rsplit(' ').next()?.parse().ok());
    let last = SystemTime::UNIX_EPOCH + Duration::from_millis(last.unwrap());
    let lacks = pulled.duration_since(last).unwrap_or_default();
    eprintln!("vm3: {} lines are found, but for the last {lacks:.1?}", found.lines().count());
    assert!(lacks <= stretched(LACKS), "the last {lacks:?} are missing: {said}");
    // It answers for itself again, also to those that keep its copies.
    for host in hosts.on() {
        let (found, said) = text(&host.try_run(&GREP));
        assert!(found == written && said.is_empty(), "{}: {said}{found}", host.name());
    }
    offer_no_more(hosts.host(SOURCE));
    wait_until_whole(hosts, &ALL);
}

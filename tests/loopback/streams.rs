//! Durable jobs: fleets of real daemons whose logs are counted while daemons are killed. Each line
//! counts once, and every reader of the rows sees each of them once.

mod members;
mod strangers;
mod trouble;

use memberd_control::message::{Reply, Request};
use memberd_control::streams::{StreamFrom, StreamReply, StreamRequest, StreamSpec, StreamStatus};
use memberd_streams::time_text;
use memberd_tests::control::reply;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, process, wait_until};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long one memberctl may run. A read that gets no answer takes most of a minute.
const LIMIT: Duration = Duration::from_secs(90);

/// How long windows are, in milliseconds.
const EVERY_MS: i64 = 1_000;

/// How long a fleet may take until rows are right. Elections, repairs and fences take their time.
const RIGHT: Duration = Duration::from_secs(180);

/// How many lines of a member are in a window: by window, member and key.
type Counts = BTreeMap<(String, String, String), u64>;

/// The rows of each window, in their order.
type Lists = BTreeMap<String, Vec<String>>;

/// A fleet that counts, and all that was written into its logs.
struct Counting {
    fleet: Fleet,
    written: Counts,
    /// When the windows of these lines begin, by how rows say it.
    begins: BTreeMap<String, i64>,
}

fn log(daemon: &Daemon) -> PathBuf {
    daemon.directory().join("srv/app.log")
}

fn prepare(daemon: &mut Daemon) {
    daemon.start_worker();
    daemon.settings.jobs = true;
    daemon.settings.logs.push("copies = 0".to_owned());
    let log = log(daemon);
    std::fs::create_dir(log.parent().unwrap()).unwrap();
    File::create(&log).unwrap();
    daemon.settings.files.push(log.display().to_string());
}

/// A moment as logs have it, and when its window begins, in milliseconds.
fn stamp(now: Duration) -> (String, i64) {
    let ms = i64::try_from(now.as_millis()).unwrap();
    (time_text(ms), ms / EVERY_MS * EVERY_MS)
}

impl Counting {
    /// A fleet without a job.
    fn form(n: u8) -> Counting {
        Counting::form_with(n, |_| {})
    }

    /// A fleet without a job, whose daemons are as `change` makes them.
    fn form_with(n: u8, mut change: impl FnMut(&mut Daemon)) -> Counting {
        let mut fleet = Fleet::store_files(n, &["repair_after = \"0s\""], |daemon| {
            prepare(daemon);
            change(daemon);
        });
        fleet.let_all_introduce();
        Counting { fleet, written: Counts::new(), begins: BTreeMap::new() }
    }

    /// A fleet with a job over its logs.
    fn start(n: u8) -> Counting {
        Counting::start_with(n, "| logfmt | count by member, k every 1s")
    }

    /// A fleet with a job that has this query.
    fn start_with(n: u8, query: &str) -> Counting {
        let counting = Counting::form(n);
        counting.begin(StreamSpec { query: query.to_owned(), ..counting.spec() });
        counting
    }

    /// Starts a job.
    fn begin(&self, spec: StreamSpec) {
        let started = self.ask(1, StreamRequest::Start(Box::new(spec)));
        let StreamReply::Started(summary) = started else { panic!("{started:?}") };
        assert_eq!((summary.name.as_str(), summary.partitions), ("shop", 8));
    }

    /// How far the job is, as a member says it.
    fn status(&self, number: usize) -> Result<StreamStatus, String> {
        match self.ask(number, StreamRequest::Status { name: "shop".to_owned() }) {
            StreamReply::Status(status) => Ok(*status),
            other => Err(format!("{other:?}")),
        }
    }

    /// The members whose files count, as the last member knows it.
    fn wait_until_sources(&self, members: &[&str]) {
        wait_until("the members take part", RIGHT, || {
            let status = self.status(self.fleet.daemons().len())?;
            let sources: Vec<&str> = status.sources.iter().map(|it| it.member.as_str()).collect();
            holds(sources == members, || format!("{sources:?}"))
        });
    }

    /// The logs of all.
    fn glob(&self) -> String {
        let directory = self.fleet[1].directory().parent().unwrap();
        format!("{}/*/srv/app.log", directory.display())
    }

    fn spec(&self) -> StreamSpec {
        StreamSpec {
            name: "shop".to_owned(),
            query: "| logfmt | count by member, k every 1s".to_owned(),
            files: vec![self.glob()],
            from: StreamFrom::Beginning,
            lateness_ms: 2_000,
            retain_ms: 3_600_000,
            commit_ms: 200,
            sink: "/streams/shop.tsv".to_owned(),
            copies: 5,
            ..StreamSpec::default()
        }
    }

    fn ask(&self, number: usize, request: StreamRequest) -> StreamReply {
        let control = self.fleet[number].control();
        let mut stream = control.ask(&Request::Stream(request), Some(LIMIT)).unwrap();
        match reply(&mut stream).unwrap() {
            Reply::Stream(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    /// Writes lines into the log of each machine, whether its daemon runs or not.
    fn write(&mut self, round: usize) {
        for number in 1..=self.fleet.daemons().len() {
            let daemon = &self.fleet[number];
            let mut file = OpenOptions::new().append(true).open(log(daemon)).unwrap();
            let (time, begin) = stamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap());
            let key = format!("k{}", (round * 7 + number) % 5);
            writeln!(file, "{time} k={key} round={round}").unwrap();
            let window = time_text(begin);
            self.begins.insert(window.clone(), begin);
            let of = (window, daemon.name().to_owned(), key);
            *self.written.entry(of).or_default() += 1;
        }
    }

    /// What a command prints that runs on a member, in its directory. Else what it says.
    fn run(&self, number: usize, line: &str) -> Result<String, String> {
        let daemon = &self.fleet[number];
        let output = process::run(daemon.shell(line).current_dir(daemon.directory()), LIMIT);
        let said = String::from_utf8(output.stderr).unwrap();
        holds(output.status.success(), || said)?;
        Ok(String::from_utf8(output.stdout).unwrap())
    }

    /// What people read of the job.
    fn sink(&self, number: usize) -> Result<String, String> {
        self.run(number, "memberctl file cat /streams/shop.tsv")
    }

    /// The last revision of each row of the sink. Their numbers have neither gaps nor doubles.
    fn rows(&self, number: usize) -> Result<Counts, String> {
        let text = self.sink(number)?;
        let mut rows: BTreeMap<(String, String, String), (u64, u64)> = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            let columns: Vec<&str> = line.split('\t').collect();
            let [seq, window, member, key, count, rev] = columns.as_slice() else {
                panic!("no row: {line}")
            };
            assert_eq!(seq.parse::<usize>(), Ok(at), "{line}");
            let of = ((*window).to_owned(), (*member).to_owned(), (*key).to_owned());
            let (count, rev) = (count.parse().unwrap(), rev.parse().unwrap());
            let before = rows.insert(of, (rev, count));
            assert!(before.is_none_or(|(before, _)| before < rev), "{line}");
        }
        Ok(rows.into_iter().map(|(of, (_, count))| (of, count)).collect())
    }

    /// Of each window the rows of its last revision, in their order.
    fn lists(&self, number: usize) -> Result<Lists, String> {
        let text = self.sink(number)?;
        let mut lists: BTreeMap<String, (u64, Vec<String>)> = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            let (seq, line) = line.split_once('\t').unwrap();
            assert_eq!(seq.parse::<usize>(), Ok(at), "{line}");
            let (window, row) = line.split_once('\t').unwrap();
            let (row, rev) = row.rsplit_once('\t').unwrap();
            let rev = rev.parse().unwrap();
            let list = lists.entry(window.to_owned()).or_default();
            assert!(list.0 <= rev, "{line}");
            if list.0 < rev {
                *list = (rev, Vec::new());
            }
            list.1.push(row.to_owned());
        }
        Ok(lists.into_iter().map(|(window, (_, rows))| (window, rows)).collect())
    }

    /// The first rows of each window: those with the most lines.
    fn first_rows(&self, count: usize) -> Lists {
        let mut windows: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
        for ((window, member, key), lines) in &self.written {
            let row = (*lines, format!("{member}\t{key}\t{lines}"));
            windows.entry(window.clone()).or_default().push(row);
        }
        let first = |(window, mut rows): (String, Vec<(u64, String)>)| {
            // They are in the order of their keys.
            rows.sort_by_key(|(lines, _)| std::cmp::Reverse(*lines));
            (window, rows.into_iter().take(count).map(|(_, row)| row).collect())
        };
        windows.into_iter().map(first).collect()
    }

    fn wait_until_right(&self) {
        self.wait_until_right_but_of(0);
    }

    /// The lines of a member that is down do not count before it is back.
    fn wait_until_right_but_of(&self, away: usize) {
        let away = format!("vm{away}");
        let but = |counts: &Counts| -> Counts {
            let there = counts.iter().filter(|((_, member, _), _)| *member != away);
            there.map(|(of, count)| (of.clone(), *count)).collect()
        };
        let written = but(&self.written);
        wait_until("the rows are the sums of all lines", RIGHT, || {
            let rows = but(&self.rows(self.fleet.running_numbers()[0])?);
            holds(rows == written, || {
                let all = |counts: &Counts| counts.values().sum::<u64>();
                let wrong = written.iter().filter(|(of, count)| rows.get(of) != Some(count));
                let wrong: Vec<_> = wrong.take(5).collect();
                format!("{} of {} lines; wrong: {wrong:?}", all(&rows), all(&written))
            })
        });
    }
}

#[test]
fn a_job_counts_each_line_of_a_fleet_once() {
    let mut counting = Counting::start(5);
    (0..40).for_each(|round| counting.write(round));
    counting.wait_until_right();
    let status = wait_until("all parts are open", SOON, || {
        let status = counting.status(3)?;
        holds(status.partitions.iter().all(|part| part.is_open), || format!("{status:?}"))?;
        Ok(status)
    });
    assert_eq!((status.partitions.len(), status.late, status.unparsed), (8, 0, 0), "{status:?}");
    let files = counting.run(3, "memberctl file status --json").unwrap();
    let files: serde_json::Value = serde_json::from_str(&files).unwrap();
    let keepers = files["shares"][0]["keepers"].as_array().map(Vec::len);
    assert_eq!(keepers, Some(5), "as many members have the names as the contents: {files}");
    let cancel = StreamRequest::Cancel { name: "shop".to_owned(), force: false };
    let cancelled = counting.ask(2, cancel);
    assert_eq!(cancelled, StreamReply::Done);
    wait_until("the sink has its last line", SOON, || {
        let text = counting.sink(4)?;
        let last = format!("\n# cancelled {}\n", text.lines().count() - 1);
        holds(text.ends_with(&last), || text.lines().last().unwrap_or_default().to_owned())
    });
}

/// A line counts in each window that has it, also if all daemons but two were killed meanwhile.
#[test]
fn windows_that_overlap_share_their_lines() {
    let query = "| logfmt | count by member, k every 1s over 3s";
    let mut counting = Counting::start_with(5, query);
    (0..15).for_each(|round| counting.write(round));
    wait_until("rows are there", RIGHT, || {
        let rows = counting.rows(1)?;
        holds(!rows.is_empty(), || "none".to_owned())
    });
    counting.fleet.crash(&[1, 2, 3]);
    (15..30).for_each(|round| counting.write(round));
    counting.fleet.restart(&[1, 2, 3]);
    (30..45).for_each(|round| counting.write(round));
    let mut expected = Counts::new();
    for ((second, member, key), count) in &counting.written {
        for step in 0..3 {
            let window = time_text(counting.begins[second] - step * EVERY_MS);
            *expected.entry((window, member.clone(), key.clone())).or_default() += count;
        }
    }
    wait_until("the rows are the sums of all lines", RIGHT, || {
        let rows = counting.rows(counting.fleet.running_numbers()[0])?;
        let wrong = || expected.iter().filter(|(of, count)| rows.get(of) != Some(count));
        holds(rows == expected, || format!("{:?}", wrong().take(5).collect::<Vec<_>>()))
    });
}

/// The leader and two others are killed in the midst of lines, which nobody reads for a while.
#[test]
fn each_line_counts_once_while_three_daemons_are_killed() {
    let mut counting = Counting::start(5);
    counting.write(0);
    wait_until("rows are there", RIGHT, || {
        let rows = counting.rows(1)?;
        holds(!rows.is_empty(), || "none".to_owned())
    });
    (1..20).for_each(|round| counting.write(round));
    let leader = counting.fleet[1].control().leader().unwrap().leader.expect("a leader");
    let leader: usize = leader[2..].parse().unwrap();
    let killed: Vec<usize> = (0..3).map(|step| (leader - 1 + step) % 5 + 1).collect();
    counting.fleet.crash(&killed);
    (20..40).for_each(|round| counting.write(round));
    counting.fleet.restart(&killed);
    (40..60).for_each(|round| counting.write(round));
    counting.wait_until_right();
    // One more is killed and comes back, and whoever leads after it.
    for number in [leader % 5 + 1, leader] {
        counting.fleet.crash(&[number]);
        (60..80).for_each(|round| counting.write(round));
        counting.wait_until_right_but_of(number);
        counting.fleet.restart(&[number]);
    }
    counting.write(80);
    counting.wait_until_right();
}

/// Three are killed, one of them with the sink. A list comes whole, and its last revision is right.
#[test]
fn the_first_rows_of_windows_are_right_while_daemons_are_killed() {
    let query = "| logfmt | count by member, k every 1s | top 3 by count";
    let mut counting = Counting::start_with(5, query);
    counting.write(0);
    wait_until("rows are there", RIGHT, || {
        let lists = counting.lists(1)?;
        holds(!lists.is_empty(), || "none".to_owned())
    });
    (1..20).for_each(|round| counting.write(round));
    let status = counting.status(1).unwrap();
    let sink: usize = status.sink_owner.expect("a sink")[2..].parse().unwrap();
    let killed: Vec<usize> = (0..3).map(|step| (sink - 1 + step) % 5 + 1).collect();
    counting.fleet.crash(&killed);
    (20..40).for_each(|round| counting.write(round));
    counting.fleet.restart(&killed);
    (40..60).for_each(|round| counting.write(round));
    let expected = counting.first_rows(3);
    wait_until("the lists are the first rows of all lines", RIGHT, || {
        let lists = counting.lists(counting.fleet.running_numbers()[0])?;
        holds(lists == expected, || {
            let wrong = expected.iter().filter(|(at, rows)| lists.get(*at) != Some(rows));
            let wrong: Vec<_> = wrong.take(3).map(|(at, rows)| (at, rows, lists.get(at))).collect();
            format!("{} of {} windows; wrong: {wrong:?}", lists.len(), expected.len())
        })
    });
    counting.ask(2, StreamRequest::Cancel { name: "shop".to_owned(), force: false });
    wait_until("the sink has its last line", SOON, || {
        let text = counting.sink(4)?;
        let last = format!("\n# cancelled {}\n", text.lines().count() - 1);
        holds(text.ends_with(&last), || text.lines().last().unwrap_or_default().to_owned())
    });
}

/// The way of a person through a job, on any member.
#[test]
fn a_job_is_started_watched_and_cancelled_by_memberctl() {
    let mut counting = Counting::form(3);
    let toml = format!(
        "name = 'shop'\nquery = '| logfmt | count by member, k every 1s'\nfiles = ['{}']\n\
         from = 'beginning'\nlateness = '2s'\ncommit = '200ms'\n",
        counting.glob()
    );
    for number in [1, 2] {
        std::fs::write(counting.fleet[number].directory().join("shop.toml"), &toml).unwrap();
    }
    let none = counting.run(2, "memberctl stream status shop").unwrap_err();
    assert!(none.contains("there is no job of the name shop"), "{none}");
    counting.run(1, "memberctl stream start shop.toml").unwrap();
    let again = counting.run(2, "memberctl stream start shop.toml").unwrap_err();
    assert!(again.contains("a job of this name is there already"), "{again}");
    counting.write(0);
    counting.wait_until_right();
    let list = wait_until("the third member knows the job", SOON, || {
        let list = counting.run(3, "memberctl stream list --json")?;
        holds(list.contains("\"name\":\"shop\""), || list.clone())?;
        Ok(list)
    });
    assert!(list.contains("\"state\":\"running\""), "{list}");
    let status = counting.run(3, "memberctl stream status --json shop").unwrap();
    assert!(status.contains("\"gaps\":0"), "{status}");
    counting.run(2, "memberctl stream cancel shop").unwrap();
    let rows = counting.run(3, "memberctl stream watch shop").unwrap();
    assert_eq!(rows.lines().filter(|row| !row.starts_with('#')).count(), 3, "{rows}");
}

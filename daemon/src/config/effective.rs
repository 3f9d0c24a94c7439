//! Says what each setting is, and where it comes from. It owns no state.

use super::source::Source;
use super::{Agreement, Config, Copies, Files, SearchSocket, Streams};
use crate::search::Restriction;
use crate::search::limits::Limits;
use memberd_membership::{Detection, GroupSettings, SwimSettings};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// A setting, with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `SECTION.KEY`, as in the file.
    pub key: &'static str,
    /// The value as JSON. Durations and sizes are texts, and tags an object. `None` if there is
    /// none.
    pub value: Option<String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// This line of the file.
    Line(usize),
    /// The defaults.
    Default,
    /// Something of this machine.
    Derived(&'static str),
}

impl Config {
    /// All settings in the order of the shipped file.
    pub fn settings(&self) -> Vec<Setting> {
        // A new field has to be listed here, which the compiler ensures.
        let Config {
            name,
            machine,
            address,
            address_host,
            bind,
            tags,
            introducers,
            join_on_start,
            group,
            forget_after,
            state_dir,
            log_dir,
            log_files,
            follow_links,
            journal,
            journal_namespaces,
            log_level,
            log_searches,
            copies,
            limits,
            control_socket,
            search,
            key_file,
            key_is_credential: _,
            key_place: _,
            allow_plaintext,
            metrics,
            agreement,
            files,
            streams,
        } = self;
        let tags = tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let host = address_host.clone().unwrap_or_else(|| address.ip().to_string());
        let before_group = [
            ("node.name", Some(text(name.as_str()))),
            ("node.machine", Some(text(machine))),
            ("node.address", Some(text(&host))),
            ("node.bind", Some(text(&bind.to_string()))),
            ("node.port", Some(address.port().to_string())),
            ("node.tags", Some(object(tags))),
            ("group.introducers", Some(list(introducers))),
            ("group.join_on_start", Some(join_on_start.to_string())),
        ];
        let before_limits = [
            ("group.forget_after", Some(span(*forget_after))),
            ("paths.state_dir", Some(path(state_dir))),
            ("paths.log_dir", Some(path(log_dir))),
            ("logs.files", Some(list(log_files))),
            ("logs.follow_links", Some(list(follow_links))),
            ("logs.journal", Some(journal.to_string())),
            ("logs.journal_namespaces", Some(list(journal_namespaces))),
            ("logs.level", Some(text(&log_level.to_string()))),
            ("logs.searches", Some(log_searches.to_string())),
        ];
        let control = [("control.socket", Some(path(control_socket)))];
        let last = [
            ("security.key_file", key_file.as_deref().map(path)),
            ("security.allow_plaintext", Some(allow_plaintext.to_string())),
            ("metrics.listen", metrics.map(|listen| text(&listen.to_string()))),
        ];
        let rows = before_group.into_iter().chain(shared(group)).chain(before_limits);
        let rows = rows.chain(copies_of(copies));
        let rows =
            rows.chain(limits_of(limits)).chain(control).chain(search_of(search)).chain(last);
        let rows = rows.chain(agreement_of(agreement)).chain(files_of(files));
        let rows = rows.chain(streams_of(streams));
        rows.map(|(key, value)| Setting { key, value }).collect()
    }

    /// All settings of a file, each with its origin. `text` is that of the file.
    pub fn origins(&self, text: &str) -> Vec<(Setting, Origin)> {
        let lines = Source { file: "", text }.lines();
        let settings = self.settings().into_iter();
        settings.map(|setting| self.with_origin(setting, &lines)).collect()
    }

    fn with_origin(&self, setting: Setting, lines: &BTreeMap<String, usize>) -> (Setting, Origin) {
        let origin = match (lines.get(setting.key), setting.key) {
            (Some(line), _) => Origin::Line(*line),
            (None, "node.name") => Origin::Derived("the host name"),
            (None, "node.machine") => Origin::Derived("node.name"),
            (None, "node.bind") => Origin::Derived("node.address"),
            (None, "node.address") => Origin::Derived("the default route"),
            (None, "security.key_file") if self.key_is_credential => {
                Origin::Derived("the credential that systemd passes")
            }
            (None, "security.key_file") if setting.value.is_some() => {
                Origin::Derived("the file, which is there")
            }
            (None, _) => Origin::Default,
        };
        (setting, origin)
    }
}

/// The settings that both have, but with other values. What only one of two detectors has is no
/// difference beside that of the detector.
pub fn differences(
    these: Vec<Setting>,
    those: Vec<Setting>,
) -> impl Iterator<Item = (Setting, Setting)> {
    let mut those: BTreeMap<&str, Setting> =
        those.into_iter().map(|setting| (setting.key, setting)).collect();
    these.into_iter().filter_map(move |this| {
        let that = those.remove(this.key).filter(|that| *that != this)?;
        Some((this, that))
    })
}

/// What all members of the group must share, in the words of its detector.
fn shared(group: &GroupSettings) -> Vec<(&'static str, Option<String>)> {
    // The keys of the agreement are those of its own section.
    let GroupSettings { max_simultaneous_failures, failure_timeout, detection, agreement: _ } =
        group;
    let (detector, own) = match detection {
        Detection::Ring { heartbeat_interval } => {
            ("ring", vec![("group.heartbeat_interval", span(*heartbeat_interval))])
        }
        Detection::Swim(SwimSettings { ping_interval, suspicion_timeout, indirect_pings }) => (
            "swim",
            vec![
                ("group.ping_interval", span(*ping_interval)),
                ("group.suspicion_timeout", span(*suspicion_timeout)),
                ("group.indirect_pings", indirect_pings.to_string()),
            ],
        ),
    };
    let before = [
        ("group.detector", text(detector)),
        ("group.max_simultaneous_failures", max_simultaneous_failures.to_string()),
    ];
    let behind = [("group.failure_timeout", span(*failure_timeout))];
    let all = before.into_iter().chain(own).chain(behind);
    all.map(|(key, value)| (key, Some(value))).collect()
}

fn copies_of(copies: &Copies) -> [(&'static str, Option<String>); 6] {
    let Copies { count, is_set: _, but_not, source_bytes, total_bytes, age, rate } = copies;
    [
        ("logs.copies", Some(count.to_string())),
        ("logs.no_copies", Some(list(but_not))),
        ("logs.copies_space", Some(size(*source_bytes))),
        ("logs.copies_total", Some(size(*total_bytes))),
        ("logs.copies_age", Some(span(*age))),
        ("logs.copies_rate", Some(size(*rate))),
    ]
}

fn limits_of(limits: &Limits) -> [(&'static str, Option<String>); 6] {
    let Limits { searches, search_threads, search_time, search_output, greps, search_memory } =
        limits;
    let memory = u64::try_from(*search_memory).unwrap_or(u64::MAX);
    [
        ("limits.searches", Some(searches.to_string())),
        ("limits.search_threads", Some(search_threads.to_string())),
        ("limits.search_time", Some(span(*search_time))),
        ("limits.search_output", Some(size(*search_output))),
        ("limits.search_memory", Some(size(memory))),
        ("limits.greps", Some(greps.to_string())),
    ]
}

fn search_of(search: &SearchSocket) -> [(&'static str, Option<String>); 5] {
    let SearchSocket { socket, group, restriction } = search;
    let Restriction { files, tags, journal } = restriction;
    let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
    [
        ("search.socket", socket.as_deref().map(path)),
        ("search.group", Some(text(group))),
        ("search.files", Some(list(files))),
        ("search.tags", Some(list(&tags))),
        ("search.journal", Some(journal.to_string())),
    ]
}

fn agreement_of(agreement: &Agreement) -> [(&'static str, Option<String>); 5] {
    let Agreement { enabled, initial_council, council, lease, vote } = agreement;
    let founders: Vec<String> = initial_council.iter().map(ToString::to_string).collect();
    [
        ("agreement.enabled", Some(enabled.to_string())),
        ("agreement.initial_council", Some(list(&founders))),
        ("agreement.council", Some(council.to_string())),
        ("agreement.lease", Some(span(*lease))),
        ("agreement.vote", Some(vote.to_string())),
    ]
}

fn files_of(files: &Files) -> [(&'static str, Option<String>); 6] {
    let Files { enabled, space, repair_after, webhdfs, webhdfs_may, webhdfs_shares } = files;
    let shares: Vec<String> = webhdfs_shares.iter().map(ToString::to_string).collect();
    [
        ("files.enabled", Some(enabled.to_string())),
        ("files.space", Some(size(*space))),
        ("files.repair_after", Some(span(*repair_after))),
        ("files.webhdfs", webhdfs.map(|address| text(&address.to_string()))),
        ("files.webhdfs_may", Some(text(webhdfs_may.as_str()))),
        ("files.webhdfs_shares", Some(list(&shares))),
    ]
}

fn streams_of(streams: &Streams) -> [(&'static str, Option<String>); 3] {
    let Streams { enabled, worker, jobs } = streams;
    [
        ("streams.enabled", Some(enabled.to_string())),
        ("streams.worker", Some(path(worker))),
        ("streams.jobs", Some(jobs.to_string())),
    ]
}

fn path(path: &Path) -> String {
    text(&path.display().to_string())
}

fn list(entries: &[String]) -> String {
    let entries: Vec<String> = entries.iter().map(|entry| text(entry)).collect();
    format!("[{}]", entries.join(", "))
}

fn object<'t>(entries: impl Iterator<Item = (&'t str, &'t str)>) -> String {
    let entries: Vec<String> =
        entries.map(|(key, value)| format!("{}: {}", text(key), text(value))).collect();
    format!("{{{}}}", entries.join(", "))
}

/// A string as JSON, and TOML too.
fn text(text: &str) -> String {
    let escaped = text.chars().map(|character| match character {
        '"' | '\\' => format!("\\{character}"),
        control if control.is_control() => format!("\\u{:04x}", u32::from(control)),
        other => other.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// A duration in the largest unit that divides it: `"600ms"`, `"24h"`, `"30d"`.
fn span(duration: Duration) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];
    if duration.is_zero() { text("0s") } else { exactly(duration.as_millis(), units) }
}

/// A size in the largest unit that divides it: `"64MiB"`.
fn size(bytes: u64) -> String {
    exactly(bytes.into(), [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)])
}

fn exactly<const N: usize>(count: u128, units: [(&str, u128); N]) -> String {
    let unit = units.into_iter().find(|(_, unit)| count >= *unit && count.is_multiple_of(*unit));
    let (name, unit) = unit.unwrap_or((units.last().map_or("", |(name, _)| name), 1));
    format!("\"{}{name}\"", count / unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;

    #[test]
    fn each_setting_says_where_it_comes_from() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.toml");
        let lines = "# about this machine\n[node]\nname = \"vm3\"\naddress = '127.0.0.3'\n\n\
                     [group]\nintroducers = [\n  \"vm1:8946\",\n  \"vm2:8946\",\n]\n\
                     forget_after = \"48h\"\n[node.tags]\nrole = 'web\"'\n\
                     [search]\ntags = ['zone', 'role=web']\n";
        fs::write(&path, lines).unwrap();
        let (config, text) = Config::load_with_text(&path).unwrap();
        let origins = config.origins(&text);
        let of = |key: &str| {
            let (setting, origin) =
                origins.iter().find(|(setting, _)| setting.key == key).unwrap().clone();
            (setting.value, origin)
        };
        let some = |value: &str| Some(value.to_owned());
        assert_eq!(of("node.name"), (some("\"vm3\""), Origin::Line(3)));
        assert_eq!(of("node.machine"), (some("\"3\""), Origin::Derived("node.name")));
        assert_eq!(
            of("group.introducers"),
            (some("[\"vm1:8946\", \"vm2:8946\"]"), Origin::Line(7))
        );
        assert_eq!(of("group.forget_after"), (some("\"2d\""), Origin::Line(11)));
        assert_eq!(of("node.tags"), (some("{\"role\": \"web\\\"\"}"), Origin::Line(12)));
        assert_eq!(of("group.heartbeat_interval"), (some("\"600ms\""), Origin::Default));
        assert_eq!(of("limits.search_output"), (some("\"16GiB\""), Origin::Default));
        assert_eq!(of("metrics.listen"), (None, Origin::Default));
        assert_eq!(of("search.socket"), (None, Origin::Default));
        assert_eq!(of("search.tags"), (some("[\"zone\", \"role=web\"]"), Origin::Line(15)));
    }

    #[test]
    fn units_lose_nothing() {
        for (milliseconds, words) in
            [(0, "0s"), (600, "600ms"), (1_750, "1750ms"), (90_000, "90s"), (5_400_000, "90min")]
        {
            assert_eq!(span(Duration::from_millis(milliseconds)), format!("\"{words}\""));
        }
        assert_eq!((size(1_536 << 10), size(64 << 20)), ("\"1536KiB\"".into(), "\"64MiB\"".into()));
    }

    #[test]
    fn those_of_the_group_are_those_of_its_detector() {
        let of_group = |lines: &str| -> Vec<(String, String)> {
            let text = format!("[node]\nname = 'a'\naddress = '127.0.0.1'\n[group]\n{lines}");
            let config = Config::parse("m.toml", &text).unwrap();
            let rows = shared(&config.group).into_iter();
            rows.map(|(key, value)| (key.to_owned(), value.unwrap())).collect()
        };
        let rows = |rows: &[(&str, &str)]| -> Vec<(String, String)> {
            rows.iter().map(|(key, value)| (format!("group.{key}"), (*value).to_owned())).collect()
        };
        let ring = rows(&[
            ("detector", "\"ring\""),
            ("max_simultaneous_failures", "4"),
            ("heartbeat_interval", "\"600ms\""),
            ("failure_timeout", "\"1750ms\""),
        ]);
        assert_eq!(of_group(""), ring);
        let swim = rows(&[
            ("detector", "\"swim\""),
            ("max_simultaneous_failures", "4"),
            ("ping_interval", "\"2500ms\""),
            ("suspicion_timeout", "\"0s\""),
            ("indirect_pings", "3"),
            ("failure_timeout", "\"4s\""),
        ]);
        assert_eq!(of_group("detector = 'swim'\nsuspicion_timeout = '0s'"), swim);
    }

    /// Every key of the shipped file is shown for one of the detectors, and no other.
    #[test]
    fn the_settings_are_those_of_the_shipped_file() {
        let shipped = include_str!("../../../packaging/memberd.toml");
        let keys = |detector: &str| {
            let node = "[node]\nname = 'a'\naddress = '127.0.0.1'";
            let text = format!("{node}\n[group]\ndetector = '{detector}'");
            Config::parse("m.toml", &text).unwrap().settings().into_iter().map(|set| set.key)
        };
        let all: BTreeSet<&str> = keys("ring").chain(keys("swim")).collect();
        for key in &all {
            let (_, key) = key.split_once('.').unwrap();
            assert!(shipped.contains(&format!("\n#{key} = ")), "{key}");
        }
        let shown = shipped.lines().filter(|line| {
            line.strip_prefix('#')
                .is_some_and(|line| !line.starts_with(' ') && line.contains(" = "))
        });
        assert_eq!(shown.count(), all.len());
    }
}

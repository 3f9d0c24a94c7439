//! One search on its way to the audit trail. An [`AuditedSearch`] owns its description, and writes
//! its line when it is dropped.
//!
//! A search is logged once, with its outcome, when it ends. One that takes long is logged at its
//! beginning too, so that no search goes unseen while it runs.

use super::kept::Target;
use super::reply::PeerReply;
use crate::log::{AuditLine, AuditTrail, LogField};
use memberd_control::grep::{
    GrepAsker, GrepFiles, GrepOutcome, GrepPattern, GrepPrint, GrepRequest, GrepSyntax, GrepTotals,
};
use memberd_control::message::Reply;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The message ids of journald, as in `log/event.rs`.
const ASKED: &str = "e22330a13c3e47d4b3b21d6c8e89a1c0";
const SEARCHED: &str = "f74df1bf010146f8be5c85d24fd90946";

/// A search that runs for longer than this has a line before its end.
const LONG: Duration = Duration::from_secs(5);

/// The longest text of a field, in characters.
const LONGEST: usize = 200;

/// A search, for the log.
#[derive(Debug)]
pub(crate) struct AuditedSearch {
    trail: AuditTrail,
    /// Whose rate the line counts for.
    asker: String,
    message: &'static str,
    /// Kind and asker.
    head: Vec<LogField>,
    /// What is searched.
    what: Vec<LogField>,
    hidden: Vec<LogField>,
    began: Instant,
    is_long: bool,
    outcome: String,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    /// Members, for the grep of a client.
    members: Option<Members>,
    files: u64,
    bytes: u64,
    lines: u64,
}

#[derive(Debug, Default)]
struct Members {
    asked: usize,
    /// The names of those whose copies are searched.
    copies_of: String,
    answered: u64,
    lost: u64,
}

impl AuditedSearch {
    /// The grep of a client of this machine, at this socket.
    pub(crate) fn of_client(
        trail: &AuditTrail,
        request: &GrepRequest,
        socket: &'static str,
    ) -> Option<Self> {
        let asker = request.asker.clone().unwrap_or_default();
        let mut search = Self::new(trail, request, "grep asked")?;
        search.asker = user(&asker);
        search.counts.members = Some(Members::default());
        search.head = vec![("message_id", ASKED.into()), ("memberd_event", "asked".into())];
        search.head.extend(user_fields(asker));
        search.head.push(("memberd_socket", socket.into()));
        Some(search)
    }

    /// A search of this machine's logs, for the member at this address, or for this daemon itself.
    pub(super) fn of_member(
        trail: &AuditTrail,
        request: &GrepRequest,
        from: Option<IpAddr>,
    ) -> Option<Self> {
        let asker = request.asker.clone().unwrap_or_default();
        let mut search = Self::new(trail, request, "logs searched")?;
        // The address is certain, and what the member says is not.
        let place = from.map_or_else(|| "this member".to_owned(), |from| from.to_string());
        search.asker = format!("{} at {place}", user(&asker));
        search.head = vec![("message_id", SEARCHED.into()), ("memberd_event", "searched".into())];
        if !asker.member.is_empty() {
            search.head.push(("memberd_member", asker.member.clone()));
        }
        search.head.extend(from.map(|from| ("memberd_from", from.to_string())));
        search.head.extend(user_fields(asker));
        search.head.extend(request.kept_of.iter().map(|member| ("copies_of", cut(member))));
        Some(search)
    }

    fn new(trail: &AuditTrail, request: &GrepRequest, message: &'static str) -> Option<Self> {
        trail.is_on().then(|| AuditedSearch {
            trail: trail.clone(),
            asker: String::new(),
            message,
            head: Vec::new(),
            what: vec![
                ("memberd_options", cut(&options(request))),
                ("memberd_files", cut(&request.files.globs.join(" "))),
            ]
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .collect(),
            hidden: hidden(request),
            began: Instant::now(),
            is_long: false,
            outcome: "ended early".to_owned(),
            counts: Counts::default(),
        })
    }

    /// Notes how many members are asked, and of whom copies are searched.
    pub(crate) fn note_targets(&mut self, targets: &[Target]) {
        let copies: Vec<&str> = targets
            .iter()
            .filter(|target| matches!(target, Target::Kept(_)))
            .take(LONGEST)
            .map(|target| target.name().as_str())
            .collect();
        let members = self.counts.members.get_or_insert_default();
        members.asked = targets.len();
        members.copies_of = cut(&copies.join(" "));
    }

    /// Notes what a client is told of its grep.
    pub(crate) fn note_reply(&mut self, reply: &Reply) {
        let Reply::GrepMember { outcome, .. } = reply else { return };
        let members = self.counts.members.get_or_insert_default();
        match outcome {
            GrepOutcome::Searched(totals) => {
                members.answered += 1;
                self.note_totals(totals);
            }
            GrepOutcome::Lost(_) | GrepOutcome::Dropped(_) => members.lost += 1,
            GrepOutcome::NotAsked { .. } => {}
        }
    }

    /// Notes the last reply to another member.
    pub(super) fn note_last(&mut self, reply: &PeerReply) {
        match reply {
            PeerReply::Done(totals) => {
                self.note_totals(totals);
                self.note_end("done");
            }
            PeerReply::Refused(reason) | PeerReply::Broken(reason) => self.note_end(reason),
            _ => {}
        }
    }

    fn note_totals(&mut self, totals: &GrepTotals) {
        let Counts { files, bytes, lines, .. } = &mut self.counts;
        for (count, more) in [(files, totals.files), (bytes, totals.bytes), (lines, totals.lines)] {
            *count = count.saturating_add(more);
        }
    }

    /// Notes how it ended. Without this it was broken off.
    pub(crate) fn note_end(&mut self, outcome: &str) {
        self.outcome = cut(outcome);
    }

    /// Logs that it runs, once it takes long.
    pub(crate) fn note_time(&mut self) {
        if !self.is_long && self.began.elapsed() > LONG {
            self.is_long = true;
            self.write("runs", false);
        }
    }

    fn write(&self, outcome: &str, with_counts: bool) {
        let mut shown = self.head.clone();
        if let Some(members) = &self.counts.members {
            shown.push(("members", members.asked.to_string()));
            if !members.copies_of.is_empty() {
                shown.push(("copies_of", members.copies_of.clone()));
            }
            if with_counts {
                shown.push(("answered", members.answered.to_string()));
                shown.push(("lost", members.lost.to_string()));
            }
        }
        if with_counts {
            let Counts { files, bytes, lines, .. } = self.counts;
            let counts = [("searched_files", files), ("bytes", bytes), ("lines", lines)];
            shown.extend(counts.map(|(name, count)| (name, count.to_string())));
            shown.push(("took_ms", self.began.elapsed().as_millis().to_string()));
        }
        shown.push(("memberd_outcome", outcome.to_owned()));
        shown.extend(self.what.iter().cloned());
        let line = AuditLine { message: self.message, shown: &shown, hidden: &self.hidden };
        self.trail.write(&self.asker, &line);
    }
}

impl Drop for AuditedSearch {
    fn drop(&mut self) {
        self.write(&self.outcome, true);
    }
}

/// Names the user whose rate a line counts for.
fn user(asker: &GrepAsker) -> String {
    match asker.uid {
        Some(uid) => format!("uid {uid}"),
        None => "an unknown user".to_owned(),
    }
}

fn user_fields(asker: GrepAsker) -> impl Iterator<Item = LogField> {
    let user = asker.user.map(|user| ("memberd_user", user));
    user.into_iter().chain(asker.uid.map(|uid| ("memberd_uid", uid.to_string())))
}

/// The patterns, and what is matched in the journal. They may be secrets.
fn hidden(request: &GrepRequest) -> Vec<LogField> {
    let mut fields = vec![("memberd_pattern", shorten(&request.pattern))];
    if let Some(question) = &request.stats {
        fields.push(("memberd_question", cut(&question.query)));
    }
    if let Some(journal) = request.files.journal.as_ref().filter(|it| !it.matches.is_empty()) {
        fields.push(("matches", cut(&journal.matches.join(" "))));
    }
    fields
}

/// The beginning of the patterns, with a newline between them.
pub(super) fn shorten(pattern: &GrepPattern) -> String {
    // The beginning is enough, since a character has four bytes at most.
    let patterns: Vec<_> = pattern
        .patterns
        .iter()
        .take(LONGEST)
        .map(|pattern| pattern.get(..4 * LONGEST).unwrap_or(pattern))
        .map(String::from_utf8_lossy)
        .collect();
    cut(&patterns.join("\n"))
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// The options that say what is searched and what is told of it, as on the command line.
fn options(request: &GrepRequest) -> String {
    let GrepRequest { pattern, files, printing, members, .. } = request;
    let mut words: Vec<String> = Vec::new();
    let syntax = match pattern.syntax {
        GrepSyntax::Basic => None,
        GrepSyntax::Extended => Some("-E"),
        GrepSyntax::Fixed => Some("-F"),
        GrepSyntax::Perl => Some("-P"),
    };
    let what = match printing.what {
        GrepPrint::Lines => None,
        GrepPrint::Matches => Some("-o"),
        GrepPrint::Count => Some("-c"),
        GrepPrint::FilesWithMatch => Some("-l"),
        GrepPrint::FilesWithoutMatch => Some("-L"),
        GrepPrint::Nothing => Some("-q"),
    };
    let flags = [
        (pattern.ignore_case, "-i"),
        (pattern.invert, "-v"),
        (pattern.words, "-w"),
        (pattern.whole_lines, "-x"),
        (pattern.null_data, "-z"),
        (files.rotated, "--rotated"),
        (files.follow, "--follow"),
        (files.journal.is_some(), "--journal"),
        (printing.by_time, "--merge"),
    ];
    let flags = flags.into_iter().filter_map(|(is_set, flag)| is_set.then_some(flag));
    words.extend(syntax.into_iter().chain(what).chain(flags).map(str::to_owned));
    words.extend(printing.max_count.map(|count| format!("-m {count}")));
    words.extend(printing.before_context.map(|lines| format!("-B {lines}")));
    words.extend(printing.after_context.map(|lines| format!("-A {lines}")));
    for (option, globs) in [("--on", &members.on), ("--not-on", &members.not_on)] {
        words.extend(globs.iter().take(LONGEST).map(|glob| format!("{option}={glob}")));
    }
    words.extend(members.tags.iter().take(LONGEST).map(|tag| format!("--tag={tag}")));
    words.extend(file_options(files));
    words.join(" ")
}

fn file_options(files: &GrepFiles) -> Vec<String> {
    let time = |milliseconds: i64| {
        jiff::Timestamp::from_millisecond(milliseconds)
            .map_or_else(|_| milliseconds.to_string(), |time| time.to_string())
    };
    let mut words = Vec::new();
    words.extend(files.since.map(|since| format!("--since={}", time(since))));
    words.extend(files.until.map(|until| format!("--until={}", time(until))));
    for (option, globs) in [("--include", &files.include), ("--exclude", &files.exclude)] {
        words.extend(globs.iter().take(LONGEST).map(|glob| format!("{option}={glob}")));
    }
    if let Some(journal) = &files.journal {
        let lists = [
            ("-u", &journal.units),
            ("--identifier", &journal.identifiers),
            ("--user-unit", &journal.user_units),
            ("--facility", &journal.facilities),
        ];
        for (option, values) in lists {
            words.extend(values.iter().take(LONGEST).map(|value| format!("{option}={value}")));
        }
        let options = [
            ("-p", &journal.priority),
            ("--boot", &journal.boot),
            ("--namespace", &journal.namespace),
        ];
        for (option, value) in options {
            words.extend(value.iter().map(|value| format!("{option}={value}")));
        }
        words.extend(journal.dmesg.then(|| "--dmesg".to_owned()));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_control::grep::{GrepJournal, GrepMembers, GrepPrinting};

    #[test]
    fn options_read_as_on_the_command_line() {
        let pattern = GrepPattern {
            syntax: GrepSyntax::Extended,
            ignore_case: true,
            invert: true,
            ..GrepPattern::default()
        };
        let journal = GrepJournal {
            units: vec!["ssh".to_owned()],
            dmesg: true,
            matches: vec!["A=secret".to_owned()],
            ..GrepJournal::default()
        };
        let files = GrepFiles {
            rotated: true,
            follow: true,
            since: Some(1_763_688_033_123),
            exclude: vec!["*.gz".to_owned()],
            journal: Some(journal),
            ..GrepFiles::default()
        };
        let members = GrepMembers {
            on: vec!["web*".to_owned()],
            tags: vec!["zone=a".parse().unwrap()],
            ..GrepMembers::default()
        };
        let printing = GrepPrinting { what: GrepPrint::Count, ..GrepPrinting::default() };
        let request = GrepRequest { pattern, files, members, printing, ..GrepRequest::default() };
        assert_eq!(
            options(&request),
            "-E -c -i -v --rotated --follow --journal --on=web* --tag=zone=a \
             --since=2025-11-21T01:20:33.123Z --exclude=*.gz -u=ssh --dmesg"
        );
        let hidden = hidden(&request);
        assert_eq!(hidden[1], ("matches", "A=secret".to_owned()));
    }

    /// Older members do not say who asks. The address is always known.
    #[test]
    fn a_member_that_does_not_say_who_asks_is_known_by_address() {
        let trail = AuditTrail::default();
        let of = |asker| {
            let request = GrepRequest { asker, ..GrepRequest::default() };
            AuditedSearch::of_member(&trail, &request, Some([192, 0, 2, 1].into()))
        };
        assert!(of(None).is_none(), "the trail is off");
        trail.switch(true);
        let words = |search: AuditedSearch| {
            let fields = search.head[2..].iter().map(|(name, value)| format!("{name}={value}"));
            (search.asker.clone(), fields.collect::<Vec<_>>().join(" "))
        };
        let (asker, fields) = words(of(None).unwrap());
        assert_eq!(asker, "an unknown user at 192.0.2.1");
        assert_eq!(fields, "memberd_from=192.0.2.1");
        let eve = GrepAsker { member: "vm1".into(), user: Some("eve".into()), uid: Some(7) };
        let (asker, fields) = words(of(Some(eve)).unwrap());
        assert_eq!(asker, "uid 7 at 192.0.2.1");
        let expected = "memberd_member=vm1 memberd_from=192.0.2.1 memberd_user=eve memberd_uid=7";
        assert_eq!(fields, expected);
    }

    #[test]
    fn long_patterns_are_cut() {
        let patterns = vec![vec![b'x'; 300], b"never shown".to_vec()];
        let shown = shorten(&GrepPattern { patterns, ..GrepPattern::default() });
        assert_eq!(shown, "x".repeat(LONGEST));
    }
}

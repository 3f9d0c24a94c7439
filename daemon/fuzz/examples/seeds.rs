//! Writes the seeds of the fuzz targets to `seeds/`: real messages, settings, keys, patterns and
//! times, and a log to search. It owns no state.

use memberd::state::{Remembered, State};
use memberd_control::frame::encode;
use memberd_control::grep::{
    GrepColors, GrepFiles, GrepPattern, GrepPrinting, GrepRequest, GrepSyntax, GrepTotals,
};
use memberd_control::keyring::GroupKey;
use memberd_control::message::{
    FilePut, FileReply, FileRequest, FileUpload, Hello, PROTOCOL_VERSION, Reply, Request,
};
use memberd_copies::block::{Block, BlockHead};
use memberd_copies::store::{Limits, Span, SpanReader, Store};
use memberd_copies::stream::{Fingerprint, StreamHead, StreamId};
use memberd_council::{
    BootTime, Council, Origin, Output as CouncilOutput, Settings as CouncilSettings, Standing,
    StandingState, VoterId,
};
use memberd_fuzz::{
    COPY_STREAM, SAMPLE_LOG, START, STATS_QUESTIONS, address, at, copy_source, founder, job, keys,
    next_call, settings,
};
use memberd_jobs::{
    Delta, FileKey, Frame, Message as JobMessage, Part, Partition, Row, Rows, SumRow, WireError,
    list_bytes,
};
use memberd_membership::{Identity, Incarnation, Name, Node, Output, ViewNews, wire};
use memberd_streams::{Fold, Limits as SumLimits, LineTime, Plan, Query};
use memberd_transport::{Recipient, Sealer};
use samples::{
    BROTLI, BZIP2, BZIP2_EMPTY, COMPRESS, GZIP, LZ4, LZ4_LEGACY, LZ4_LINKED, LZIP, LZMA, PZSTD,
    XZ_9, ZSTD,
};
use serde::Serialize;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[path = "../../search/src/files/compressed/samples.rs"]
#[allow(dead_code, reason = "tests use the others")]
mod samples;

fn main() -> io::Result<()> {
    let conversation = conversation();
    datagrams(&conversation)?;
    agreement()?;
    calls(conversation)?;
    control_frames()?;
    settings_and_state()?;
    patterns()?;
    times()?;
    write("compressed", &compressed())?;
    copies()?;
    stats()?;
    jobs()?;
    write("webhdfs", &WEBHDFS.map(|request| request.as_bytes().to_vec()))?;
    fs::write(SAMPLE_LOG, LOG)
}

fn datagrams(conversation: &Conversation) -> io::Result<()> {
    let datagrams = &conversation.datagrams;
    let mut sealer = Sealer::new(address(2));
    sealer.begin(wire::decode(&datagrams[0]).map_err(io::Error::other)?.incarnation);
    let sealed = sealer
        .seal(&keys(), address(3), Recipient::Incarnation(Incarnation(START)), &datagrams[0])
        .map_err(io::Error::other)?;
    write("sealed_datagram", &[piece(&[], sealed)])?;
    let said: Vec<Vec<u8>> = datagrams.iter().map(|datagram| piece(&[2, 10], datagram)).collect();
    write("opened_datagram", &[said.concat()])?;
    write("opened_datagram", &said)
}

/// Calls, greps and their answers, and other streams between members.
fn calls(conversation: Conversation) -> io::Result<()> {
    let Conversation { request, welcomes, .. } = conversation;
    let framed =
        |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes(), bytes].concat();
    let mut calls = vec![[&[0], request.as_slice()].concat()];
    calls.extend(welcomes.map(|welcome| [&[1], welcome.as_slice()].concat()));
    for grep in greps() {
        calls.push([&[2], cbor(&grep)?.as_slice()].concat());
    }
    let done = [&[6], cbor(&GrepTotals::default())?.as_slice()].concat();
    let timed: Vec<u8> = [&[2], &START.to_be_bytes()[..], &5_u32.to_be_bytes(), b"line\n"].concat();
    let part = [&[3], &START.to_be_bytes()[..], b"li"].concat();
    let answer: [&[u8]; 7] = [
        b"\x05\0\0\0\0\0\0\x01\0",
        b"\0a line\n",
        &timed,
        &part,
        b"\x01n",
        b"\x04a message",
        &done,
    ];
    calls.push([vec![3], answer.map(framed).concat()].concat());
    write("member_call", &calls)?;
    let http = b"\x01GET /metrics?name=x HTTP/1.1\r\nHost: vm1\r\n\r\n".to_vec();
    write(
        "member_stream",
        &[
            [&[2], framed(&request).as_slice()].concat(),
            [&[0], &[1; 53][..]].concat(),
            vec![8, 0, 17, 1],
            http,
        ],
    )
}

fn control_frames() -> io::Result<()> {
    let hello = Hello { protocol: PROTOCOL_VERSION, program: "memberctl".to_owned() };
    let pattern = GrepPattern { patterns: vec![b"a.*b".to_vec()], ..GrepPattern::default() };
    let grep = GrepRequest { pattern, ..GrepRequest::default() };
    let put = FilePut { path: "/apps/x".to_owned(), copies: Some(3), ..FilePut::default() };
    let bodies = [
        encode(&hello),
        encode(&Request::Grep(Box::new(grep))),
        encode(&Request::Join { introducers: vec!["vm1:8946".to_owned()] }),
        encode(&Request::File(FileRequest::Put(put))),
        encode(&FileUpload::Bytes(b"line\n".to_vec())),
        encode(&Reply::File(FileReply::Bytes(b"line\n".to_vec()))),
        encode(&Reply::Left { was_member: true }),
        encode(&Reply::GrepOutput { member: "vm1".to_owned(), bytes: b"line\n".to_vec() }),
    ];
    let bodies: Vec<Vec<u8>> =
        bodies.into_iter().collect::<Result<_, _>>().map_err(io::Error::other)?;
    let whole: Vec<Vec<u8>> = bodies
        .iter()
        .map(|frame| frame.get(4..).unwrap_or_default().to_vec())
        .chain(bodies.clone())
        .collect();
    write("control_frame", &whole)
}

/// The files that the daemon reads at its start.
fn settings_and_state() -> io::Result<()> {
    let settings = include_str!("../../../packaging/memberd.toml");
    let set: String = settings
        .lines()
        .map(|line| line.strip_prefix('#').unwrap_or(line))
        .filter(|line| !line.starts_with(' '))
        .collect::<Vec<_>>()
        .join("\n");
    write("settings", &[settings.into(), set.into()])?;
    let member = Remembered { name: "vm2".to_owned(), address: address(2), incarnation: START };
    let state = State { incarnation: START, in_group: true, members: vec![member] }
        .to_bytes()
        .map_err(io::Error::other)?;
    let body = state.get(40..).unwrap_or_default();
    write("state", &[[&[0], state.as_slice()].concat(), [&[1], body].concat()])?;
    let key = GroupKey::generate()?;
    write("keyring", &[format!("# a key\n\n{}", key.to_line().as_str()).into()])
}

fn patterns() -> io::Result<()> {
    let patterns = [
        r"^\(a*\)b\{1,3\}\1$",
        r"(foo|ba[[:alpha:]x-z]+)?\<bar\>{2,}",
        "/var/log/**/*.{log,gz}",
        r"[]^-[=a=][.-.]]*\w\W\s",
    ];
    let posix =
        (0..3).flat_map(|syntax| patterns.map(|pattern| [&[syntax], pattern.as_bytes()].concat()));
    let perl = [
        r"(*UCP)(?i)^(\w+)\s(?=\1)(?<!x)a*+$",
        "(*LIMIT_MATCH=5)(a+)+$\naaaaaaaaaaaaaaaaaaaaaaaab",
    ];
    let perl = perl.map(|pattern| [&[3 | 1 << 5], pattern.as_bytes()].concat());
    write("pattern", &posix.chain(perl).collect::<Vec<_>>())
}

fn times() -> io::Result<()> {
    let moments = [
        "1h30m",
        "yesterday",
        "2026-11-21 14:00",
        "2026-11-21T01:20:33.123+01:00",
        "07:15",
        "@1763688033.5",
    ];
    let moments = moments.map(|moment| [&[3], moment.as_bytes()].concat());
    let lines = [[&[0], &START.to_be_bytes()[..], LOG].concat(), [&[2], LOG].concat()];
    write("time", &moments.into_iter().chain(lines).collect::<Vec<_>>())
}

/// What real tools make, in each format. The first byte chooses the name.
/// The files of a kept stream, each behind the number of its kind.
fn copies() -> io::Result<()> {
    let directory = std::env::temp_dir().join(format!("memberd-seeds-{}", std::process::id()));
    let mut store = Store::open(&directory, Limits::default()).map_err(io::Error::other)?;
    let id = StreamId { device: 1, inode: 2, begun_ms: 3 };
    let head = StreamHead {
        id,
        fingerprint: Fingerprint::of(LOG),
        path: "/srv/machine.1.log".into(),
        origin: "/srv/machine.1.log".into(),
        listed: true,
        offered: true,
        modified_ms: 0,
        zone: "Europe/Berlin".into(),
        lost_bytes: 0,
        continues: None,
    };
    let source = copy_source();
    store.head(&source, head).map_err(io::Error::other)?;
    let mut offset = 0;
    for line in LOG.split_inclusive(|byte| *byte == b'\n') {
        let block = Block {
            head: BlockHead {
                stream: id,
                offset,
                text_bytes: u32::try_from(line.len()).map_err(io::Error::other)?,
                hash: *blake3::hash(line).as_bytes(),
                read_ms: START,
            },
            frame: zstd::bulk::compress(line, 1)?,
        };
        offset = store.append(&source, &block).map_err(io::Error::other)?;
    }
    store.sync().map_err(io::Error::other)?;
    let stream = directory.join(source.as_str()).join(COPY_STREAM);
    let open = fs::read(stream.join("00000000000000000000.open"))?;
    store.seal_all(&mut NoTimes).map_err(io::Error::other)?;
    let sealed = fs::read(stream.join("00000000000000000000.sealed"))?;
    let head = fs::read(stream.join("head"))?;
    fs::remove_dir_all(&directory)?;
    let files = [(0, &open), (1, &sealed), (2, &head)];
    write("copy", &files.map(|(kind, bytes)| [&[kind], &bytes[..]].concat()))?;
    fs::write("seeds/copy-head", head)
}

/// Questions with lines, and partial sums behind the number of their question.
fn stats() -> io::Result<()> {
    let asked = ASKED.map(|asked| [b"\0", asked.as_bytes()].concat());
    let lines: [&[u8]; 3] = [b"k=a v=1.5", b"k=b v=-2", b"{\"a\":{\"b\":1}}"];
    let limits = SumLimits { groups: 100, bytes: 1 << 20 };
    let mut seeds = asked.to_vec();
    for (number, question) in (1..).zip(STATS_QUESTIONS) {
        let query = Query::parse(question).map_err(io::Error::other)?;
        let plan = Arc::new(Plan::new(&query).map_err(io::Error::other)?);
        let mut fold = Fold::new(plan, "vm1", limits);
        for line in lines {
            fold.line(line, &mut NoTimes).map_err(io::Error::other)?;
        }
        seeds.extend(fold.into_partials().map(|partial| [&[number], &partial[17..]].concat()));
    }
    write("stats", &seeds)
}

/// What members say about a job.
fn jobs() -> io::Result<()> {
    let (job, partition, epoch) = (job::JOB, Partition(0), job::EPOCH);
    let sums = job::sums(&job::table().jobs[&job].spec).ok_or(io::ErrorKind::InvalidData)?;
    let plan = Query::parse(job::QUESTION).and_then(|query| Plan::new(&query));
    let plan = Arc::new(plan.map_err(io::Error::other)?);
    let mut fold = Fold::new(plan, "vm2", SumLimits { groups: 100, bytes: 1 << 20 });
    fold.line(b"k=a v=1.5", &mut NoTimes).map_err(io::Error::other)?;
    let partial: Vec<u8> = fold.into_partials().flatten().collect();
    let divided = sums.divide(&partial, 1).map_err(io::Error::other)?.1;
    let parts = divided.into_iter().flat_map(|(_, division)| {
        let window = division.window.unwrap_or_default();
        division.partials.into_iter().map(move |sums| Part { window, lines: 1, sums })
    });
    let delta = Delta {
        file: FileKey(7),
        start: 0,
        from: 0,
        to: 10,
        watermark: 20_000,
        is_finished: true,
        gap: None,
        uncounted: 0,
        parts: parts.collect(),
    };
    let frame = Frame {
        job,
        partition,
        epoch,
        presence: Some(20_000),
        deltas: vec![delta],
        dropped_at: Some(1),
        gone: vec![FileKey(8)],
    };
    let row = Row::Sum { window: 0, key: b"a".to_vec(), values: b"1".to_vec(), revision: 0 };
    let rows = Rows { job, partition, epoch, from: 0, rows: vec![row], end: None };
    let row = |key: &[u8]| SumRow {
        key: key.to_vec(),
        values: b"1\t2".to_vec(),
        ranks: vec![key.to_vec(), vec![0]],
    };
    let list = Row::List { window: 0, rows: list_bytes(vec![row(b"a"), row(b"b")]) };
    let listed = vec![list, Row::Closed(20_000)];
    let lists = Rows { job: job::LISTS, partition, epoch, from: 0, rows: listed, end: None };
    let messages = [
        JobMessage::Table(Arc::new(job::table())),
        JobMessage::Beat { term: 1, version: 2 },
        JobMessage::Hello { job, partition, epoch, after: None },
        JobMessage::Frame(frame),
        JobMessage::Rows(rows),
        JobMessage::RowsTaken { job, partition, epoch, next: 1 },
        JobMessage::Rows(lists),
        JobMessage::AskClosed { job: job::LISTS, partition, epoch, until: 10_000 },
    ];
    let said: Result<Vec<Vec<u8>>, WireError> =
        messages.iter().map(|message| Ok(piece(&[10], &memberd_jobs::encode(message)?))).collect();
    let said = said.map_err(io::Error::other)?;
    write("job_message", &[said.concat()])?;
    write("job_message", &said)
}

/// Reads no times. All lines of a question are of the same moment.
struct NoTimes;

impl LineTime for NoTimes {
    fn milliseconds(&mut self, _: &[u8]) -> Option<i64> {
        Some(0)
    }
}

impl SpanReader for NoTimes {
    fn begin(&mut self, _: &StreamHead) {}

    fn span(&mut self, _: &[u8]) -> Span {
        Span { times: None, first_dated: false, unread: false }
    }

    fn same_until(&self) -> i64 {
        0
    }
}

fn compressed() -> Vec<Vec<u8>> {
    let files = [GZIP, ZSTD, PZSTD, LZ4, LZ4_LINKED, LZ4_LEGACY, BZIP2, BZIP2_EMPTY, XZ_9, LZIP];
    let mut seeds: Vec<Vec<u8>> = files.iter().map(|file| [&[0], *file].concat()).collect();
    seeds.push([&[0], files.concat().as_slice()].concat());
    seeds.push([&[1], LZMA].concat());
    seeds.push([&[2], BROTLI].concat());
    seeds.push([&[3], COMPRESS].concat());
    seeds
}

/// Questions, and lines that each is asked of.
const ASKED: [&str; 7] = [
    "' 50[023] ' | nginx | where status >= 500 and path startswith '/' | count, p99(rt) as slow by \
     member, path every 10s over 1m | top 3 by slow\n\
     192.0.2.1 - - [10/Oct/2026:13:55:36 +0200] \"GET /a HTTP/1.1\" 502 153 \"-\" \"-\" rt=0.1",
    "| json | let x = round(a.b * 2, 1) | sum(x), avg(x) by c | where sum(x) != 1 | sort c desc\n\
     {\"a\":{\"b\":-1.5e3},\"c\":\"\\u00e9\"}\n{\"c\":[1,{}],\"a\":null}",
    "| logfmt | where a in (1, 'b') or line ~ 'c+' | count by a, `time`\na=1 time=\"x \\\"y\"\na=b",
    "| syslog | count, distinct(pid) by host, program | keep count, host\n\
     <34>Oct 11 22:14:15 h su[1]: text\n<165>1 2003-10-11T22:14:15.003Z h p - i [a b=\"c\"] text",
    "| parse \"* - *\" as a, b | let c = if(has(a), concat(upper(a), length(b)), -1) | top 2 by c\n\
     x - y",
    "| json | logfmt from a | parse '*b' from k as c | count by c, k\n{\"a\":\"k=\\\"ab\\\"\"}",
    "a b | regex '(?P<n>[0-9]+)' | min(n), max(n), sum(n % 7 / 3 - 1)\n\
     12 a b\n99999999999999999999",
];

/// Requests of WebHDFS, with the number of the method before each.
const WEBHDFS: [&str; 6] = [
    "0/webhdfs/v1/s/a%20b+c?op=OPEN&offset=3&length=5&user.name=ann",
    "0/webhdfs/v1/s/d?op=LISTSTATUS_BATCH&startafter=x+y",
    "1/webhdfs/v1/s/\u{e4}?op=CREATE&overwrite=True&createparent=false&noredirect=true",
    "1/webhdfs/v1/s/a?op=RENAME&destination=/s/b%2Fc&renameoptions=NONE,overwrite&step=data",
    "2/webhdfs/v1/s/a?op=CONCAT&sources=/s/b,/s/c&doas=",
    "3/webhdfs/v1/s/d?op=DELETE&recursive=TRUE",
];

/// Lines with times in every format of logs.
const LOG: &[u8] = b"2025-11-21T01:20:33.123Z INFO member failed name=vm3
2025-11-21T01:20:33.5+01:00 aaa
2025-11-21 01:20:33,123 no zone
    at some.place
[2025-11-21 01:20:33] a
2025/11/21 01:20:33 [error] 7#7: b
Nov 21 01:20:33 vm1 sshd[7]: a foo bar
Nov  1 00:00:00.25 vm1 x
<34>Nov 21 01:20:33 vm1 x
192.0.2.1 - - [21/Nov/2025:01:20:33 +0000] \"GET / HTTP/1.1\" 200
[Fri Nov 21 01:20:33.123456 2025] [core:notice] x
1763688033.5 x
1763688033123
2025-11-21  5:34:20 331 [Warning] x
<13>1 2025-11-21T01:20:33.123456+01:00 host app 77 - - x
(2025-11-21  0:18:04:123456): [kcm] x
\x1b[2m2025-11-21T10:00:00.1Z\x1b[0m x
2025-11-21 02:20:33.635 CEST [17] LOG:  x
2025-11-21_01:20:33.86622 x
[21-Nov-2025 01:20:33 Europe/Berlin] x
Nov 21, 2025 1:20:33 PM x
Fri Nov 21 01:20:33 CET 2025
7:M 21 Nov 2025 01:20:33.123 * x
# Time: 251121  8:50:00
   714:20251121:012033.123 x
I1121 01:20:33.123456       7 server.go:155] x
@40000000691fbd2b2ef02e94 x
{\"log\":\"x\",\"a\":{\"time\":1},\"time\":\"2025-11-21T01:20:33.123456789Z\"}
{\"ts\":1763688033.123,\"t\":{\"$date\":\"2025-11-21T01:20:33Z\"}}
level=info ts=2025-11-21T01:20:33.123Z msg=\"a b\"
type=SYSCALL msg=audit(1763688033.123:456): x
INFO  [main] 2025-11-21 01:20:33,123 x
\xc3\xa4\xff no UTF-8
";

/// Grep requests, from the smallest to one with nearly all options.
fn greps() -> [GrepRequest; 3] {
    let pattern = |pattern: &[u8], syntax| GrepPattern {
        patterns: vec![pattern.to_vec()],
        syntax,
        ..GrepPattern::default()
    };
    let colored = GrepPrinting {
        line_numbers: true,
        byte_offsets: true,
        before_context: Some(1),
        after_context: Some(1),
        colors: Some(GrepColors::default()),
        ..GrepPrinting::default()
    };
    let files = GrepFiles {
        globs: vec!["*.log".to_owned()],
        since: Some(1_763_688_033_000),
        ..GrepFiles::default()
    };
    let by_time = GrepPrinting { by_time: true, json: true, ..GrepPrinting::default() };
    [
        GrepRequest { pattern: pattern(b"a.*b", GrepSyntax::Basic), ..GrepRequest::default() },
        GrepRequest {
            pattern: pattern(b"a+|b", GrepSyntax::Extended),
            printing: colored,
            ..GrepRequest::default()
        },
        GrepRequest {
            pattern: pattern(b"(?<=a)\\w", GrepSyntax::Perl),
            files,
            printing: by_time,
            ..GrepRequest::default()
        },
    ]
}

fn cbor(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// The messages that two members exchanged.
struct Conversation {
    /// All datagrams, in their order.
    datagrams: Vec<Vec<u8>>,
    /// The second member's request to join.
    request: Vec<u8>,
    /// The replies to this request, and to the one after a leave. The second reply names the last
    /// incarnation.
    welcomes: [Vec<u8>; 2],
}

fn conversation() -> Conversation {
    let (mut one, mut said) = (founder(), Vec::new());
    let mut two = Node::new(settings(), Name::new("vm2").expect("a name"), address(2), None, 8);
    two.join(at(10), vec![address(1)], Vec::new()).expect("it was out");
    let call = next_call(&mut two).expect("it asks its introducer");
    let welcome = one.handle_request(at(20), &call.payload);
    two.handle_reply(at(30), call.id, Ok(&welcome));
    for step in 0..100 {
        let now = at(30 + step * 50);
        if step == 90 {
            two.leave(now);
        }
        if step == 20 {
            let (founding, recovery, hash) = ([1; 16], [0; 16], [2; 32]);
            two.spread_view(now, ViewNews { founding, recoveries: 0, recovery, number: 18, hash });
        }
        for datagram in sent(&mut two) {
            // Datagrams that are lost in the middle make the first member ask.
            if !(30..60).contains(&step) {
                let _ = one.handle_datagram(now, address(2), &datagram);
            }
            said.push(datagram);
        }
        for datagram in sent(&mut one) {
            let _ = two.handle_datagram(now, address(1), &datagram);
            said.push(datagram);
        }
        one.handle_timeout(now);
        two.handle_timeout(now);
    }
    two.join(at(6_000), vec![address(1)], Vec::new()).expect("it has left");
    let again = next_call(&mut two).expect("it asks its introducer again");
    let back = one.handle_request(at(6_010), &again.payload);
    Conversation { datagrams: said, request: call.payload, welcomes: [welcome, back] }
}

/// Takes all outputs of a node, and returns the datagrams.
fn sent(node: &mut Node) -> Vec<Vec<u8>> {
    let (mut payload, mut datagrams) = (Vec::new(), Vec::new());
    while let Some(output) = node.poll_output(&mut payload) {
        if matches!(output, Output::Transmit(_)) {
            datagrams.push(payload.clone());
        }
    }
    datagrams
}

/// The messages and files of three councils that found their views, and elect a leader.
fn agreement() -> io::Result<()> {
    let name = |number: u8| Name::new(&format!("vm{number}")).expect("a name");
    let initial_council: Vec<Name> = (1..=3).map(name).collect();
    let clocks = |milliseconds: u64| memberd_council::Now {
        boot: BootTime::from_epoch(Duration::from_millis(milliseconds)),
        wall: at(milliseconds).wall,
    };
    let identity = |number| {
        let incarnation = Incarnation(START);
        Identity { name: name(number), address: address(number), incarnation }
    };
    let alive = |number| Standing {
        identity: identity(number),
        state: StandingState::Alive,
        zone: None,
        suspected: false,
    };
    let list: Vec<Standing> = (1..=3).map(alive).collect();
    let council = |number: u8| {
        let initial_council = initial_council.clone();
        let settings = CouncilSettings { initial_council, ..CouncilSettings::default() };
        let origin = Origin::Fresh(VoterId(number.into()));
        Council::new(settings, name(number), origin, clocks(1_000))
    };
    let mut councils: Vec<Council> = (1..=3).map(council).collect();
    let (mut said, mut files) = (Vec::new(), Vec::new());
    for step in 0..100 {
        let now = clocks(1_000 + step * 20);
        for place in 0..councils.len() {
            if step == 0 {
                councils[place].handle_list(now, &list);
            }
            councils[place].handle_timeout(now);
            while let Some(output) = councils[place].poll_output() {
                match output {
                    CouncilOutput::Send { to, message } => {
                        if to == name(1) {
                            said.push(piece(&[2], &message.encode()));
                        }
                        let to = councils.iter_mut().find(|one| one.own().name == to);
                        to.expect("one of the three").handle_message(now, message);
                    }
                    CouncilOutput::Write { id, durable } => {
                        files.push(durable.encode());
                        councils[place].handle_written(now, id);
                    }
                    CouncilOutput::Gossip(_) | CouncilOutput::Event(_) => {}
                }
            }
        }
    }
    write("agreement_message", &[said.concat()])?;
    write("agreement_message", &said)?;
    write("agreement_file", &files)
}

fn piece(head: &[u8], bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(head.len() + bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), head, bytes].concat()
}

fn write(target: &str, seeds: &[Vec<u8>]) -> io::Result<()> {
    let directory = Path::new("seeds").join(target);
    fs::create_dir_all(&directory)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(directory.join(format!("{number}-{}", seed.len())), seed)?;
    }
    Ok(())
}

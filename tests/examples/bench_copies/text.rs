//! Makes logs as four services write them, the same at each run. It owns their seed, and knows
//! where in the text the rare things lie.

use memberd_tests::chance::Chance;
use std::fmt::Display;
use std::io::Write as _;

/// How the text is divided to place what is rare in it: as a sealed segment divides it.
pub(crate) const BLOCK_BYTES: u64 = 256 * 1024;

/// A word of three lines of all.
pub(crate) const RARE_WORD: &str = "quagga-0042";
/// The id of one request, in three lines.
pub(crate) const RARE_ID: &str = "5bd1e995c6a4a793";
/// What is in one block of a hundred.
pub(crate) const INCIDENT: &str = "circuit breaker opened";
/// What is in one block of two hundred, and ends the lines that the rare regex finds.
pub(crate) const TIMEOUT: &str = "timeout";

const SEED: u64 = 20_261_130;

/// How many requests a service handles at once.
const REQUESTS: usize = 6;
/// How many lines a request has, on average.
const LINES_OF_A_REQUEST: usize = 4;

/// 31 days, in milliseconds: the lines of all files of a service together.
const MONTH_MS: u64 = 31 * DAY_MS;
const DAY_MS: u64 = 86_400_000;
/// About how long a line is, in bytes, to let the times of a file fill its part of the month.
const LINE_BYTES: u64 = 170;

/// What a line looks like. Each file is of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// A web server's log of requests.
    Web,
    /// A program's log of words and of `key=value`.
    Shop,
    /// What syslog writes.
    System,
    /// A program's log in JSON.
    Billing,
}

impl Service {
    const ALL: [Service; 4] = [Service::Shop, Service::Web, Service::Billing, Service::System];

    /// The service of a file.
    pub(crate) fn of(file: u64) -> Service {
        let index = usize::try_from(file % 4).unwrap_or_default();
        Service::ALL.get(index).copied().unwrap_or(Service::Shop)
    }

    /// The name of its files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Service::Web => "web",
            Service::Shop => "shop",
            Service::System => "system",
            Service::Billing => "billing",
        }
    }
}

/// How large the text is: so many files of so many bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) files: u64,
    pub(crate) file_bytes: u64,
}

impl Size {
    fn blocks_of_a_file(self) -> u64 {
        self.file_bytes.div_ceil(BLOCK_BYTES)
    }
}

/// The text of one file, line by line.
pub(crate) struct Text {
    chance: Chance,
    service: Service,
    file_bytes: u64,
    written: u64,
    /// In milliseconds since the beginning of the month.
    now: u64,
    /// How much later the next line is, on average, in milliseconds.
    step: u64,
    /// The ids of the requests that go on.
    requests: [[u64; 2]; REQUESTS],
    /// What lies where, the last one first: offsets and words.
    rare: Vec<(u64, String)>,
}

impl Text {
    /// The text of this file of a text of this size.
    pub(crate) fn of(file: u64, size: Size) -> Text {
        let mut chance = Chance::new(SEED ^ (file << 24));
        let part = MONTH_MS / size.files.div_ceil(4).max(1);
        let lines = (size.file_bytes / LINE_BYTES).max(1);
        let requests = [(); REQUESTS].map(|()| id(&mut chance));
        Text {
            service: Service::of(file),
            file_bytes: size.file_bytes,
            written: 0,
            now: (file / 4) * part,
            step: (part / lines).max(1),
            requests,
            rare: rare(file, size, &mut chance),
            chance,
        }
    }

    /// Adds lines until the buffer has this many bytes. Returns whether there are more.
    pub(crate) fn fill(&mut self, buffer: &mut Vec<u8>, bytes: usize) -> bool {
        while buffer.len() < bytes && self.written < self.file_bytes {
            let before = buffer.len();
            let due = self.rare.last().is_some_and(|(offset, _)| *offset <= self.written);
            let words = if due { self.rare.pop().map(|(_, words)| words) } else { None };
            self.line(buffer, words.as_deref());
            self.written += (buffer.len() - before) as u64;
        }
        self.written < self.file_bytes
    }

    /// A line with these words, or with some of the service's own.
    fn line(&mut self, to: &mut Vec<u8>, words: Option<&str>) {
        let step = usize::try_from(self.step).unwrap_or(1);
        self.now = (self.now + self.number(2 * step)).min(MONTH_MS - 1);
        match self.service {
            Service::Web => self.web(to, words),
            Service::Shop => self.shop(to, words),
            Service::System => self.system(to, words),
            Service::Billing => self.billing(to, words),
        }
        to.push(b'\n');
    }

    fn web(&mut self, to: &mut Vec<u8>, words: Option<&str>) {
        let Clock { day, hour, minute, second, .. } = Clock::at(self.now);
        let [a, b] = [self.skewed(20), self.skewed(250)];
        let [id, _] = self.request();
        let item = self.skewed(4000);
        let path = ["items", "cart", "search", "orders", "account"][self.index(5)];
        let (kind, folder) = if self.one_in(3) { ("GET", "api") } else { ("GET", "static") };
        let status = ["200", "200", "200", "200", "304", "302", "404", "503"][self.index(8)];
        let agent = words.unwrap_or_else(|| self.one_of(&AGENTS));
        let [bytes, ms] = [self.skewed(30) * 512, self.skewed(90)];
        put(
            to,
            format_args!(
                "198.51.{a}.{b} - - [{day:02}/Oct/2026:{hour:02}:{minute:02}:{second:02} +0000] \
                 \"{kind} /{folder}/{path}/{item} HTTP/1.1\" {status} {bytes} \
                 \"https://shop.example/{path}\" \"{agent}\" 0.{ms:03} {id:016x}"
            ),
        );
    }

    fn shop(&mut self, to: &mut Vec<u8>, words: Option<&str>) {
        let at = Clock::at(self.now);
        let [id, user] = self.request();
        let user = user % 9000 + 100;
        let worker = self.index(16);
        let level = if self.one_in(60) { "WARN" } else { "INFO" };
        let part = ["cart", "payment", "stock", "session", "catalog"][self.index(5)];
        put(to, format_args!("{at}Z {level} shop.{part} worker-{worker} request={id:016x}"));
        match words {
            Some(words) => put(to, format_args!(" {words}")),
            None => {
                let [count, ms] = [self.index(9) + 1, self.skewed(80)];
                let what = self.one_of(&EVENTS);
                put(to, format_args!(" user={user} {what}: {count} items in {ms} ms"));
            }
        }
    }

    fn system(&mut self, to: &mut Vec<u8>, words: Option<&str>) {
        let Clock { day, hour, minute, second, .. } = Clock::at(self.now);
        let [a, b, port] = [self.index(4), self.skewed(250), self.index(30_000) + 30_000];
        let session = self.now / 100_000 + 1000;
        put(to, format_args!("Oct {day:2} {hour:02}:{minute:02}:{second:02} web3 "));
        match (words, self.index(5)) {
            (Some(words), _) => put(to, format_args!("shopd[811]: {words}")),
            (None, 0) => put(
                to,
                format_args!(
                    "sshd[{session}]: Accepted publickey for deploy from 10.2.{a}.{b} port {port} \
                     ssh2: ED25519 SHA256:uQ3rBAnDWbEeHmn1qWFnCkUDRfKqC3hbAvzaUjOmGmg"
                ),
            ),
            (None, 1) => put(
                to,
                format_args!("systemd[1]: Started session-{session}.scope - Session of deploy."),
            ),
            (None, 2) => put(
                to,
                format_args!(
                    "kernel: [UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:5e:01:0a SRC=203.0.113.{b} \
                     DST=198.51.100.7 LEN=40 TTL=24{a} PROTO=TCP SPT={port} DPT=23 SYN URGP=0"
                ),
            ),
            (None, 3) => put(
                to,
                format_args!(
                    "CRON[{session}]: (root) CMD (test -x /usr/sbin/anacron || run-parts \
                     --report /etc/cron.hourly)"
                ),
            ),
            (None, _) => put(
                to,
                format_args!("dhcpd[700]: DHCPACK on 10.2.{a}.{b} to 52:54:00:5e:0{a}:0a via eth1"),
            ),
        }
    }

    fn billing(&mut self, to: &mut Vec<u8>, words: Option<&str>) {
        let at = Clock::at(self.now);
        let [trace, span] = self.request();
        let user = span % 9000 + 100;
        let words = words.unwrap_or_else(|| self.one_of(&EVENTS));
        let [host, ms, cents] = [self.index(6), self.skewed(120), self.skewed(9000)];
        put(
            to,
            format_args!(
                "{{\"time\":\"{at}Z\",\"level\":\"info\",\"service\":\"billing\",\
                 \"host\":\"bill-{host}\",\"trace\":\"{trace:016x}\",\"user\":{user},\
                 \"message\":\"{words}\",\"currency\":\"EUR\",\"cents\":{cents},\
                 \"duration_ms\":{ms}}}"
            ),
        );
    }

    /// The ids of one of the requests that go on. Now and then another takes its place.
    fn request(&mut self) -> [u64; 2] {
        let index = self.index(REQUESTS);
        if self.one_in(LINES_OF_A_REQUEST) {
            let next = id(&mut self.chance);
            if let Some(request) = self.requests.get_mut(index) {
                *request = next;
            }
        }
        self.requests.get(index).copied().unwrap_or_default()
    }

    fn index(&mut self, below: usize) -> usize {
        self.chance.below(below)
    }

    fn number(&mut self, below: usize) -> u64 {
        self.chance.below(below) as u64
    }

    /// A number below this, and more often a small one.
    fn skewed(&mut self, below: usize) -> usize {
        let most = self.index(below);
        self.index(most + 1)
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.index(count) == 0
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words.get(self.skewed(words.len())).copied().unwrap_or_default()
    }
}

/// An id, and another number that belongs to it.
fn id(chance: &mut Chance) -> [u64; 2] {
    [(); 2].map(|()| {
        let [high, low] = [(); 2].map(|()| chance.below(1 << 32) as u64);
        (high << 32) | low
    })
}

/// Adds words to a line.
fn put(to: &mut Vec<u8>, words: impl Display) {
    // A vector takes everything.
    let _ = write!(to, "{words}");
}

/// What is rare in a file, the last one first: where, and which words.
fn rare(file: u64, size: Size, chance: &mut Chance) -> Vec<(u64, String)> {
    let all = size.blocks_of_a_file() * size.files;
    let mut rare = Vec::new();
    for block in 0..size.blocks_of_a_file() {
        // In the middle: blocks begin a little earlier than this counts, as their lines are whole.
        let offset = block * BLOCK_BYTES + BLOCK_BYTES / 2;
        let number = file * size.blocks_of_a_file() + block;
        let mut put = |words: String| rare.push((offset, words));
        if [1, 3, 5].map(|part| all * part / 6).contains(&number) {
            put(format!("route withdrawn by {RARE_WORD}: no path left"));
        }
        if number == all / 4 {
            for step in ["accepted", "queued", "refused"] {
                put(format!("order {step}, request={RARE_ID}"));
            }
        }
        if number % 100 == 17 {
            for failures in 1..=5 {
                put(format!("{INCIDENT} after {failures} failures"));
            }
        }
        if number % 200 == 60 {
            let user = chance.below(9000) + 100;
            put(format!("user={user} gave up in the checkout: {TIMEOUT}"));
            put(format!("the upstream did not answer: {TIMEOUT}"));
        }
    }
    rare.reverse();
    rare
}

/// A time in October 2026.
struct Clock {
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    millisecond: u64,
}

impl Clock {
    fn at(milliseconds: u64) -> Clock {
        let second = milliseconds / 1000;
        Clock {
            day: 1 + milliseconds / DAY_MS,
            hour: second / 3600 % 24,
            minute: second / 60 % 60,
            second: second % 60,
            millisecond: milliseconds % 1000,
        }
    }
}

impl Display for Clock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Clock { day, hour, minute, second, millisecond } = self;
        write!(formatter, "2026-10-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}")
    }
}

const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
     Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
     Version/26.0 Safari/605.1.15",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.14.1",
];

const EVENTS: [&str; 8] = [
    "cart updated by the customer",
    "catalog page served from the cache",
    "payment accepted by the provider",
    "session continued on another worker",
    "stock reserved in the warehouse",
    "invoice written and queued for the printer",
    "price recalculated after a discount",
    "address checked against the list of the carrier",
];

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { files: 8, file_bytes: 8_000_000 };

    fn file(number: u64) -> String {
        let mut text = Vec::new();
        let file_bytes = usize::try_from(SIZE.file_bytes).unwrap();
        assert!(!Text::of(number, SIZE).fill(&mut text, file_bytes + 1_000));
        String::from_utf8(text).unwrap()
    }

    /// The share of blocks decides how much a search may leave out, so it must be what the page
    /// says.
    #[test]
    fn what_is_rare_is_in_as_many_blocks_as_it_should() {
        let mut blocks = [0; 2];
        let mut lines = [0; 3];
        for number in 0..SIZE.files {
            let text = file(number);
            let block = usize::try_from(BLOCK_BYTES).unwrap();
            for block in text.as_bytes().chunks(block).map(String::from_utf8_lossy) {
                blocks[0] += usize::from(block.contains(INCIDENT));
                blocks[1] += usize::from(block.contains(TIMEOUT));
            }
            let has = |word: &str| text.lines().filter(|line| line.contains(word)).count();
            lines[0] += has(RARE_WORD);
            lines[1] += has(RARE_ID);
            let regex = |line: &&str| {
                let after = line.split_once("user=").map(|(_, after)| after);
                after.is_some_and(|after| after.contains(TIMEOUT))
            };
            lines[2] += text.lines().filter(regex).count();
        }
        // 248 blocks.
        assert_eq!((blocks, lines), ([3, 1], [3, 3, 1]));
    }

    #[test]
    fn a_file_is_the_same_at_each_run_and_unlike_others() {
        let first = file(0);
        assert!(first == file(0) && first != file(4));
        let times: Vec<&str> = first.lines().filter_map(|line| line.split('Z').next()).collect();
        assert!(times.is_sorted() && first.ends_with('\n'));
    }
}

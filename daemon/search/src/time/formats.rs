//! The table of the formats in which lines carry their time. Its tests hold real lines.

mod dates;
mod fields;
mod json;
mod numbers;

pub(crate) use dates::{in_bracket, iso};
pub(crate) use numbers::epoch;

use super::stamp::Stamp;
use super::text::Text;

/// How times are written.
pub(crate) struct Format {
    /// What the documents call it.
    pub(crate) name: &'static str,
    /// Real lines: the program and version, RFC or manual page that they are from, the line, and
    /// its time in UTC on a machine whose zone is UTC.
    #[cfg(test)]
    lines: &'static [(&'static str, &'static str, &'static str)],
    begins: Begins,
    /// Reads a time at the beginning of a text.
    pub(crate) read: for<'l> fn(Text<'l>) -> Option<Stamp<'l>>,
}

type Lines = &'static [(&'static str, &'static str, &'static str)];

/// The lines serve the tests alone. The programs do not carry them.
const fn format(
    name: &'static str,
    _lines: Lines,
    begins: Begins,
    read: for<'l> fn(Text<'l>) -> Option<Stamp<'l>>,
) -> Format {
    Format {
        name,
        #[cfg(test)]
        lines: _lines,
        begins,
        read,
    }
}

/// With which bytes the times of a format begin.
#[derive(Clone, Copy)]
enum Begins {
    Digit,
    BlankOrDigit,
    Capital,
    DayOrWeekday,
    /// A letter, or another byte with which names begin.
    Name,
    TypeOrNode,
    AtSign,
    Brace,
    /// `in_bracket` reads it.
    Never,
}

impl Begins {
    const fn with(self, byte: u8) -> bool {
        match self {
            Begins::Digit => byte.is_ascii_digit(),
            Begins::BlankOrDigit => byte == b' ' || byte.is_ascii_digit(),
            Begins::Capital => byte.is_ascii_uppercase(),
            Begins::DayOrWeekday => {
                byte.is_ascii_digit() || matches!(byte, b'M' | b'T' | b'W' | b'F' | b'S')
            }
            Begins::Name => byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'@'),
            Begins::TypeOrNode => matches!(byte, b't' | b'n'),
            Begins::AtSign => byte == b'@',
            Begins::Brace => byte == b'{',
            Begins::Never => false,
        }
    }
}

/// For each byte, the formats whose times may begin with it: a bit for each, in their order.
static BEGINS: [u16; 256] = {
    let mut formats_of = [0; 256];
    let mut byte = 0_u8;
    loop {
        let mut format = 0;
        while format < FORMATS.len() {
            if FORMATS[format].begins.with(byte) {
                formats_of[byte as usize] |= 1 << format;
            }
            format += 1;
        }
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    formats_of
};

/// The formats whose times may begin with this byte.
pub(crate) fn that_begin_with(first: u8) -> impl Iterator<Item = &'static Format> {
    let mut bits = BEGINS.get(usize::from(first)).copied().unwrap_or_default();
    std::iter::from_fn(move || {
        let format = FORMATS.get(bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(format)
    })
}

/// The name of the format that [`in_bracket`] reads.
pub(crate) const IN_BRACKETS: &str = "an access log's, in a bracket";

/// The formats. The first that reads a line counts.
pub(crate) static FORMATS: [Format; 11] = [
    format(
        "RFC 3339 and ISO 8601",
        &[
            ("RFC 3339 5.8", "1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.52Z"),
            (
                "journald, systemd 252, short-iso",
                "2026-11-21T02:20:33+0100 vm1 sshd[7]: x",
                "2026-11-21T01:20:33Z",
            ),
            (
                "rsyslog 8.2302, RSYSLOG_SyslogProtocol23Format (RFC 5424)",
                "<13>1 2026-11-21T01:20:33.123456+01:00 host app 77 - - x",
                "2026-11-21T00:20:33.123Z",
            ),
            ("log4j 1.2", "2026-11-21 01:20:33,123 INFO  [main] x", "2026-11-21T01:20:33.123Z"),
            (
                "MariaDB 10.11.18, error log",
                "2026-11-28  5:34:20 331 [Warning] Aborted connection",
                "2026-11-28T05:34:20Z",
            ),
            (
                "MySQL 8.0, slow query log",
                "# Time: 2026-11-21T01:20:33.123456Z",
                "2026-11-21T01:20:33.123Z",
            ),
            (
                "PostgreSQL 15.18, log_timezone America/Sao_Paulo",
                "2026-11-20 22:20:33.635 -03 [1] LOG:  database system is ready",
                "2026-11-21T01:20:33.635Z",
            ),
            (
                "PostgreSQL 15, log_timezone Europe/Berlin",
                "2026-07-21 02:20:33.635 CEST [17] LOG:  checkpoint starting: time",
                "2026-07-21T00:20:33.635Z",
            ),
            (
                "SSSD 2.8, sssd_kcm.log",
                "(2026-11-29  0:18:04): [kcm] [server_setup] (0x1f7c0): x",
                "2026-11-29T00:18:04Z",
            ),
            (
                "SSSD 2.8 with debug_microseconds",
                "(2026-11-29  0:18:04:123456): [kcm] [server_setup] (0x1f7c0): x",
                "2026-11-29T00:18:04.123Z",
            ),
            (
                "tracing-subscriber 0.3 with colours",
                "\x1b[2m2026-11-28T10:00:00.1Z\x1b[0m \x1b[32m INFO\x1b[0m x",
                "2026-11-28T10:00:00.1Z",
            ),
            (
                "a date and a time in colours of their own",
                "\x1b[33m2026-11-28\x1b[0m \x1b[1;34m10:00:00\x1b[0m x",
                "2026-11-28T10:00:00Z",
            ),
            ("a byte order mark", "\u{feff}2026-11-28 10:00:00 x", "2026-11-28T10:00:00Z"),
            (
                "NULs that truncating left before the line",
                "\0\0\x002026-11-28 10:00:00 x",
                "2026-11-28T10:00:00Z",
            ),
            ("nginx 1.22, error log", "2026/11/21 01:20:33 [error] 7#7: x", "2026-11-21T01:20:33Z"),
            (
                "Samba 4.17",
                "[2026/11/21 01:20:33.123456,  0] ../../source3/smbd/server.c:1741(main)",
                "2026-11-21T01:20:33.123Z",
            ),
            (
                "ClickHouse 23.8",
                "2026.11.21 01:20:33.123456 [ 7 ] {} <Information> Application: x",
                "2026-11-21T01:20:33.123Z",
            ),
            (
                "svlogd -tt of runit 2.1.2: UTC",
                "2026-11-21_01:20:33.86622 x",
                "2026-11-21T01:20:33.866Z",
            ),
            ("apt 2.6, history.log", "Start-Date: 2026-11-28  01:20:33", "2026-11-28T01:20:33Z"),
            ("apt 2.6, term.log", "Log ended: 2026-11-28  01:20:33", "2026-11-28T01:20:33Z"),
            (
                "update-alternatives, dpkg 1.21",
                "update-alternatives 2026-11-28 01:20:33: run with --install /usr/bin/x",
                "2026-11-28T01:20:33Z",
            ),
            ("a level first", "INFO 2026-11-28 01:20:33,123 x", "2026-11-28T01:20:33.123Z"),
            (
                "a level in brackets",
                "[WARN ] 2026-11-28 01:20:33,123 x",
                "2026-11-28T01:20:33.123Z",
            ),
            (
                "Dropwizard 2",
                "ERROR [2026-11-28 01:20:33,123] io.dropwizard.Server: x",
                "2026-11-28T01:20:33.123Z",
            ),
            (
                "Cassandra 4.1",
                "INFO  [ScheduledTasks:1] 2026-11-28 01:20:33,123 StatusLogger.java:65 - x",
                "2026-11-28T01:20:33.123Z",
            ),
            (
                "Ruby 3.1, Logger",
                "I, [2026-11-28T01:20:33.123456 #7]  INFO -- : x",
                "2026-11-28T01:20:33.123Z",
            ),
        ],
        Begins::Digit,
        iso,
    ),
    format(
        "syslog, ctime(3), date(1)",
        &[
            ("RFC 3164 4.1.2", "<34>Oct 11 22:14:15 mymachine su: x", "2026-10-11T22:14:15Z"),
            (
                "journald, systemd 252",
                "Nov  1 01:20:33.123456 vm1 x: y",
                "2026-11-01T01:20:33.123Z",
            ),
            ("a year behind", "Jan 24 23:24:00 2017 app: x", "2017-01-24T23:24:00Z"),
            (
                "Apache 2.4, error log",
                "[Sat Nov 21 01:20:33.123456 2026] [core:notice] [pid 7] x",
                "2026-11-21T01:20:33.123Z",
            ),
            (
                "dmesg -T of util-linux 2.38",
                "[Sat Nov 21 01:20:33 2026] usb 1-1: x",
                "2026-11-21T01:20:33Z",
            ),
            ("date(1) of coreutils 9.1", "Sat Nov 21 01:20:33 CET 2026", "2026-11-21T00:20:33Z"),
            (
                "date(1) in the locale en_US.UTF-8",
                "Sat Nov 21 01:20:33 PM UTC 2026",
                "2026-11-21T13:20:33Z",
            ),
            (
                "Cisco IOS, service timestamps log datetime year",
                "Nov 21 2026 01:20:33.123: %SYS-5-CONFIG_I: x",
                "2026-11-21T01:20:33.123Z",
            ),
            (
                "java.util.logging, SimpleFormatter of OpenJDK 17",
                "Nov 21, 2026 1:20:33 PM org.example.Main main",
                "2026-11-21T13:20:33Z",
            ),
        ],
        Begins::Capital,
        dates::month_first,
    ),
    format(
        "the day first",
        &[
            (
                "PHP-FPM 8.2",
                "[28-Nov-2026 01:20:33] NOTICE: fpm is running, pid 7",
                "2026-11-28T01:20:33Z",
            ),
            (
                "PHP 8.2, error_log",
                "[28-Nov-2026 01:20:33 UTC] PHP Warning:  x",
                "2026-11-28T01:20:33Z",
            ),
            (
                "PHP 8.2, date.timezone Europe/Berlin",
                "[28-Nov-2026 01:20:33 Europe/Berlin] PHP Warning:  x",
                "2026-11-28T00:20:33Z",
            ),
            ("BIND 9.18", "28-Nov-2026 01:20:33.123 general: info: x", "2026-11-28T01:20:33.123Z"),
            (
                "Tomcat 10.1, catalina.out",
                "28-Nov-2026 01:20:33.123 INFO [main] x",
                "2026-11-28T01:20:33.123Z",
            ),
            (
                "Redis 7.0, behind the process",
                "7:M 28 Nov 2026 01:20:33.123 * Ready",
                "2026-11-28T01:20:33.123Z",
            ),
            ("Redis 3.2", "7:M 28 Nov 01:20:33.123 * Ready", "2026-11-28T01:20:33.123Z"),
            ("RFC 5322 3.3", "Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T15:55:06Z"),
            (
                "SASL reports of Erlang 24",
                "=INFO REPORT==== 28-Nov-2026::01:20:33.123456 ===",
                "2026-11-28T01:20:33.123Z",
            ),
        ],
        Begins::DayOrWeekday,
        dates::day_first,
    ),
    format(
        IN_BRACKETS,
        &[
            (
                "Apache 2.4, combined",
                r#"192.0.2.1 - - [21/Nov/2026:01:20:33 +0100] "GET / HTTP/1.1" 200"#,
                "2026-11-21T00:20:33Z",
            ),
            (
                "Werkzeug 2.2 (Flask)",
                r#"192.0.2.1 - - [28/Nov/2026 01:20:33] "GET / HTTP/1.1" 200 -"#,
                "2026-11-28T01:20:33Z",
            ),
            (
                "HAProxy 2.6",
                "192.0.2.1:5000 [28/Nov/2026:01:20:33.123] web app/a 0/0/0/1/1 200",
                "2026-11-28T01:20:33.123Z",
            ),
            ("CUPS 2.4, error_log", "E [28/Nov/2026:01:20:33 +0000] x", "2026-11-28T01:20:33Z"),
            (
                "uWSGI 2.0",
                "[pid: 7|app: 0|req: 1/1] 192.0.2.1 () {30 vars} [Sat Nov 28 01:20:33 2026] GET /",
                "2026-11-28T01:20:33Z",
            ),
        ],
        Begins::Never,
        dates::day_first,
    ),
    format(
        "digits without separators",
        &[
            ("MariaDB 10.11, slow query log", "# Time: 261129  8:50:00", "2026-11-29T08:50:00Z"),
            ("MySQL 5.5, error log", "261128  1:20:33 [Note] x", "2026-11-28T01:20:33Z"),
            ("Zabbix 6.0", "   714:20261128:012033.123 x", "2026-11-28T01:20:33.123Z"),
        ],
        Begins::BlankOrDigit,
        dates::compact,
    ),
    format(
        "glog and klog",
        &[
            (
                "klog 2.100",
                "I1128 01:20:33.123456       7 server.go:155] x",
                "2026-11-28T01:20:33.123Z",
            ),
            (
                "glog 0.6",
                "W20261128 01:20:33.123456     7 main.cc:12] x",
                "2026-11-28T01:20:33.123Z",
            ),
        ],
        Begins::Capital,
        dates::glog,
    ),
    format(
        "seconds since 1970",
        &[
            (
                "Squid 5.7, access.log",
                "1795224033.123     12 192.0.2.1 TCP_MISS/200",
                "2026-11-21T01:20:33.123Z",
            ),
            ("Nagios 4.4", "[1795224033] SERVICE ALERT: x", "2026-11-21T01:20:33Z"),
            ("milliseconds", "1795224033123 x", "2026-11-21T01:20:33.123Z"),
            ("nanoseconds", "1795224033123456789 x", "2026-11-21T01:20:33.123Z"),
        ],
        Begins::Digit,
        epoch,
    ),
    format(
        "TAI64N",
        &[(
            "multilog of daemontools 0.76",
            "@4000000037c219bf2ef02e94 x",
            "1999-08-24T04:04:05.787Z",
        )],
        Begins::AtSign,
        numbers::tai64n,
    ),
    format(
        "JSON",
        &[
            (
                "Docker 24, json-file",
                r#"{"log":"x\n","stream":"stdout","time":"2026-11-28T01:20:33.123456789Z"}"#,
                "2026-11-28T01:20:33.123Z",
            ),
            (
                "zap 1.26",
                r#"{"level":"info","ts":1795224033.1234567,"msg":"x"}"#,
                "2026-11-21T01:20:33.123Z",
            ),
            (
                "pino 8",
                r#"{"level":30,"time":1795224033123,"pid":7,"msg":"x"}"#,
                "2026-11-21T01:20:33.123Z",
            ),
            (
                "ECS of Elasticsearch 8",
                r#"{"@timestamp":"2026-11-28T01:20:33.123Z","log.level":"INFO","message":"x"}"#,
                "2026-11-28T01:20:33.123Z",
            ),
            (
                "MongoDB 6.0",
                r#"{"t":{"$date":"2026-11-28T01:20:33.123+00:00"},"s":"I","c":"CONTROL"}"#,
                "2026-11-28T01:20:33.123Z",
            ),
            (
                "journald, systemd 252, output json",
                r#"{"_BOOT_ID":"x","__REALTIME_TIMESTAMP":"1795224033123456","MESSAGE":"x"}"#,
                "2026-11-21T01:20:33.123Z",
            ),
            (
                "PostgreSQL 15, jsonlog",
                r#"{"timestamp":"2026-11-28 01:20:33.123 CET","pid":7}"#,
                "2026-11-28T00:20:33.123Z",
            ),
        ],
        Begins::Brace,
        json::json,
    ),
    format(
        "logfmt",
        &[
            (
                "Go 1.21, slog",
                "time=2026-11-28T01:20:33.123Z level=INFO msg=x",
                "2026-11-28T01:20:33.123Z",
            ),
            (
                "logrus 1.9",
                r#"time="2026-11-28T01:20:33Z" level=info msg=x"#,
                "2026-11-28T01:20:33Z",
            ),
            (
                "Prometheus 2.42",
                r#"level=info ts=2026-11-28T01:20:33.123Z caller=main.go:512 msg="a \"b\" c""#,
                "2026-11-28T01:20:33.123Z",
            ),
        ],
        Begins::Name,
        fields::logfmt,
    ),
    format(
        "auditd",
        &[(
            "auditd 3.0",
            "type=SYSCALL msg=audit(1795224033.123:456): arch=c000003e syscall=59",
            "2026-11-21T01:20:33.123Z",
        )],
        Begins::TypeOrNode,
        fields::audit,
    ),
];

#[cfg(test)]
mod tests;

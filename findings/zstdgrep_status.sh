#!/usr/bin/env bash
# zstdgrep succeeds only if every file has a match; grep and zgrep if any file has one.
#
# Version: zstd 1.5.4+dfsg2-5+deb12u1 of Debian 12, beside the machine's own grep and zgrep.
# Expected: the exit status is grep's: 0 if a line is found, 1 if none, 2 after an error. So
#   `if zstdgrep -q PATTERN web.log.*.zst` asks whether the pattern is in the rotated logs.
# Behavior: one file without a match makes the status 1, even though the lines of the others are
#   printed. So over rotated logs it asks whether the pattern is in each of them, and `-q` says no
#   in silence. Its manual page says yet another thing: 0, unless arguments are missing.
# Seen: for "found in 1 of 2 files" grep and zgrep return 0, and zstdgrep prints the line and
#   returns 1. For "found in both" all return 0.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get download -qq zstd=1.5.4+dfsg2-5+deb12u1 2>errors || { cat errors >&2; exit 1; }
dpkg -x zstd_*.deb package
export PATH=$folder/package/usr/bin:$PATH

printf 'GET /\nkilled by oom\n' >with
printf 'GET /\n' >without
cp with also
for log in with without also; do
    gzip -k "$log"
    zstd -q -k "$log"
done

# status COMMAND...: prints the lines and the exit status of a search on one line.
status() {
    local lines code=0
    lines=$("$@" 2>/dev/null) || code=$?
    echo "$1 $2: ${lines//$'\n'/, } -> $code"
}

seen=$(
    status grep -h oom with without
    status zgrep -h oom with.gz without.gz
    status zstdgrep -h oom with.zst without.zst
    status zstdgrep -q oom with.zst without.zst
    status zstdgrep -c oom with.zst without.zst
    status zstdgrep -h oom with.zst also.zst
    status zstdgrep -h oom without.zst
)
expected="grep -h: killed by oom -> 0
zgrep -h: killed by oom -> 0
zstdgrep -h: killed by oom -> 1
zstdgrep -q:  -> 1
zstdgrep -c: with.zst:1, without.zst:0 -> 1
zstdgrep -h: killed by oom, killed by oom -> 0
zstdgrep -h:  -> 1"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'CHANGED. It was:\n%s\n' "$expected" >&2; exit 1; }
echo "As before: zstdgrep answers for all files, and the others for any."

#!/usr/bin/env bash
# loguru's retention deletes the live log of another sink, and what follows is lost too.
#
# Version: loguru 0.7.3 from PyPI (on Linux).
# Expected: `retention=2` on the sink `app.log` keeps the two newest files that this sink rotated.
#   The files of other sinks are theirs.
# Behavior: it deletes every older file that matches `app.*.log`, and `app.errors.log` of another
#   sink does. It goes once the other log was rotated a few times without an error in between. Its
#   sink then writes to a file without a name, and nothing is raised. The reference of `logger.add`
#   has the pattern, in its text on retention.
# Seen: after 20 requests `app.errors.log` is gone, with the error in it. An error that is logged
#   afterwards is in no file.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q loguru==0.7.3

cat >"$folder/service.py" <<'PYTHON'
import os
import sys
import time

from loguru import logger

logs = sys.argv[1]
logger.remove()
logger.add(logs + "/app.errors.log", level="ERROR")
no_errors = lambda record: record["level"].name != "ERROR"
logger.add(logs + "/app.log", filter=no_errors, rotation="200 B", retention=2)


def show(moment):
    text = "".join(open(f"{logs}/{name}").read() for name in os.listdir(logs))
    errors = [word for word in ("disk-slow", "disk-lost") if word in text]
    there = os.path.exists(logs + "/app.errors.log")
    print(f"{moment}: app.errors.log {'there' if there else 'gone'}, errors in all logs: {errors}")


logger.error("disk-slow")
show("one error")
for number in range(20):
    logger.info("request {} is served", number)
    time.sleep(0.02)  # The names of rotated files have the time.
show("20 requests")
logger.error("disk-lost")
show("one more error")
PYTHON

mkdir "$folder/logs"
seen=$("$folder/venv/bin/python" "$folder/service.py" "$folder/logs")
expected="one error: app.errors.log there, errors in all logs: ['disk-slow']
20 requests: app.errors.log gone, errors in all logs: []
one more error: app.errors.log gone, errors in all logs: []"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'CHANGED. It was:\n%s\n' "$expected" >&2; exit 1; }
echo "As before: the rotation of one log deletes another."

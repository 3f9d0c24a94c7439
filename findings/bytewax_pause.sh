#!/usr/bin/env bash
# bytewax calls lines in perfect order late, in a window that is open, because the reader paused.
#
# Version: bytewax 0.21.1 from PyPI (Python 3.11).
# Expected: lines in the order of their times are never late, however slowly they come. Replaying an
#   old log gives the same counts at any speed, as with the watermarks of Spark and Flink, which
#   follow the times of the lines.
# Behavior: the watermark of EventClock also moves with the clock of the machine, since the newest
#   line was seen. Whoever reads slower than the log was written falls behind it. Lines behind the
#   watermark are late even though their window is still open. The reference of EventClock has the
#   formula. Its waiting time reads like the delay of a line, and limits the reader's pauses too.
# Seen: three lines of one minute, one second apart, with a wait of 10 s. Without a pause the window
#   of that minute has 3 lines. With 15 s before the second line it has 1, and 2 are late.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q \
    bytewax==0.21.1 prometheus-client==0.26.0 typing-extensions==4.16.0

cat >"$folder/flow.py" <<'PYTHON'
import sys
import time
from datetime import datetime, timedelta, timezone

import bytewax.operators as op
import bytewax.operators.windowing as windows
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.testing import TestingSink, run_main

MINUTE = datetime(2026, 1, 1, tzinfo=timezone.utc)
PAUSE_SECONDS = float(sys.argv[1])


class Log(StatelessSourcePartition):
    """A log of three lines. Each is a pair of the machine and the time."""

    def __init__(self):
        self.times = [MINUTE + timedelta(seconds=second) for second in (1, 2, 3)]

    def next_batch(self):
        if not self.times:
            raise StopIteration
        if len(self.times) == 2:
            time.sleep(PAUSE_SECONDS)
        return [("web1", self.times.pop(0))]


class Logs(DynamicSource):
    def build(self, step_id, worker_index, worker_count):
        return Log()


counted, late = [], []
flow = Dataflow("count")
lines = op.input("logs", flow, Logs())
clock = windows.EventClock(lambda line: line, wait_for_system_duration=timedelta(seconds=10))
minutes = windows.TumblingWindower(length=timedelta(minutes=1), align_to=MINUTE)
result = windows.collect_window("minutes", lines, clock, minutes)
op.output("counted", result.down, TestingSink(counted))
op.output("late", result.late, TestingSink(late))
run_main(flow)
sizes = [len(lines) for _, (_, lines) in counted]
print(f"pause {PAUSE_SECONDS:.0f} s: windows of {sizes} lines, {len(late)} late")
PYTHON

seen=$("$folder/venv/bin/python" "$folder/flow.py" 0)
seen+=$'\n'$("$folder/venv/bin/python" "$folder/flow.py" 15)
expected="pause 0 s: windows of [3] lines, 0 late
pause 15 s: windows of [1] lines, 2 late"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'CHANGED. It was:\n%s\n' "$expected" >&2; exit 1; }
echo "As before: a pause of the reader makes lines late that are in order."

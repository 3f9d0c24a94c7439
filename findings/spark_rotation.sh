#!/usr/bin/env bash
# Spark's file source knows a log by its path alone: rotation makes it repeat and miss lines.
#
# Version: pyspark 4.3.0 from PyPI, with the Java 17 of Debian 12.
# Expected: a stream over a folder of logs survives rotation by rename, as `tail -F` does. The
#   renamed file is known, and the new file under the old name is read from its start. If Spark
#   cannot do that, it says so.
# Behavior: a path is read whole once, and never again. After the rename the old lines count again,
#   because their path is new. The new log is never read, because its path is old. Each further
#   rotation repeats the oldest lines. No batch fails, and no warning names a log. The programming
#   guide only asks that files appear in the folder in one step; it does not speak of rotation.
# Seen: 6 lines were written, and the sink has 8. "one" and "two" are there three times, "three"
#   twice. "four", "five" and "six" are missing.
set -euo pipefail

command -v java >/dev/null || { echo "This needs Java 17 (default-jre-headless)." >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyspark==4.3.0 py4j==0.10.9.9
export SPARK_LOCAL_IP=127.0.0.1 SPARK_LOCAL_DIRS=$folder/spark

cat >"$folder/job.py" <<'PYTHON'
import os
import sys

from pyspark.sql import SparkSession

folder = sys.argv[1]
logs, sink = folder + "/logs", folder + "/sink"
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
builder = builder.config("spark.driver.host", "127.0.0.1")
spark = builder.config("spark.driver.bindAddress", "127.0.0.1").getOrCreate()


def read_what_is_new(moment):
    """One run of the same query, on the same checkpoint."""
    writer = spark.readStream.text(logs).writeStream.option("checkpointLocation", folder + "/state")
    query = writer.format("text").option("path", sink).trigger(availableNow=True).start()
    query.awaitTermination()
    lines = sorted(row.value for row in spark.read.text(sink).collect())
    print(moment + ":", ", ".join(f"{line} {lines.count(line)}" for line in sorted(set(lines))))


def write(text):
    with open(logs + "/web.log", "a") as log:
        log.write(text)


def rotate():
    """Renames as logrotate does, the oldest first."""
    if os.path.exists(logs + "/web.log.1"):
        os.rename(logs + "/web.log.1", logs + "/web.log.2")
    os.rename(logs + "/web.log", logs + "/web.log.1")


os.mkdir(logs)
write("one\ntwo\n")
read_what_is_new("two lines")
write("three\n")
read_what_is_new("one appended")
rotate()
write("four\nfive\n")
read_what_is_new("rotated, two more")
rotate()
write("six\n")
read_what_is_new("rotated, one more")
spark.stop()
PYTHON

expected="two lines: one 1, two 1
one appended: one 1, two 1
rotated, two more: one 2, three 1, two 2
rotated, one more: one 3, three 2, two 3"
seen=$("$folder/venv/bin/python" "$folder/job.py" "$folder" 2>"$folder/warnings") ||
    { cat "$folder/warnings" >&2; echo "The job failed." >&2; exit 1; }
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'CHANGED. It was:\n%s\n' "$expected" >&2; exit 1; }
if grep -E 'ERROR|web\.log' "$folder/warnings" >&2; then
    echo "CHANGED: Spark speaks of the logs now." >&2
    exit 1
fi
echo "As before: the lines of rotated logs are repeated, and those of new logs are missing."

#!/usr/bin/env bash
# Spark's cleanSource leaves the last batch of a run, which is all of the run with availableNow.
#
# Version: pyspark 4.3.0 from PyPI, with the Java 17 of Debian 12.
# Expected: a nightly job with `availableNow` and `cleanSource=delete` has deleted each file that it
#   read when it ends. The programming guide says that files are cleaned up once they are processed.
# Behavior: the files of a batch are deleted only when the next batch with data is on its way. Such
#   a job has one batch, so it deletes none of its files. A second run without new files deletes
#   none either. They go in the next run that finds a new file, and that file stays.
# Seen: `a.log` and `b.log` are there after two runs, and go in the third, which leaves `c.log`. The
#   sink has each line once throughout.
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
import time

from pyspark.sql import SparkSession

folder = sys.argv[1]
logs = folder + "/logs"
os.mkdir(logs)
session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
session.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
spark = session.getOrCreate()


def write(name):
    with open(f"{logs}/{name}.log", "w") as log:
        log.write(f"line of {name}\n")


def nightly_job(night):
    """Runs the job to its end. A thread of Spark deletes files, so it has 15 s more for that."""
    reader = spark.readStream.option("cleanSource", "delete").text(logs)
    writer = reader.writeStream.option("checkpointLocation", folder + "/state").format("text")
    writer.option("path", folder + "/sink").trigger(availableNow=True).start().awaitTermination()
    time.sleep(15)
    lines = spark.read.text(folder + "/sink").count()
    print(f"night {night}: {lines} lines read; files left:", *sorted(os.listdir(logs)))


write("a")
write("b")
nightly_job(1)
nightly_job(2)
write("c")
nightly_job(3)
spark.stop()
PYTHON

seen=$("$folder/venv/bin/python" "$folder/job.py" "$folder" 2>"$folder/warnings") ||
    { cat "$folder/warnings" >&2; echo "The job failed." >&2; exit 1; }
expected="night 1: 2 lines read; files left: a.log b.log
night 2: 2 lines read; files left: a.log b.log
night 3: 3 lines read; files left: c.log"
echo "$seen"
[ "$seen" = "$expected" ] || { printf 'CHANGED. It was:\n%s\n' "$expected" >&2; exit 1; }
echo "As before: a run deletes what an earlier run read, and never what it read itself."

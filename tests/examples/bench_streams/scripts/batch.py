"""Asks Spark questions over logs, one after the other, and writes each answer into a file.

    python3 batch.py FOLDER ANSWERS CORES QUESTION...

It prints a line for each: its number, its time and its processor time in seconds.
"""

import os
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

FOLDER, ANSWERS, CORES = sys.argv[1:4]
TICK = os.sysconf("SC_CLK_TCK")

spark = (
    SparkSession.builder.master(f"local[{CORES}]")
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.sql.shuffle.partitions", CORES)
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
java = spark.sparkContext._gateway.proc


def used():
    """The processor time of Python and of Java, in seconds."""
    fields = open(f"/proc/{java.pid}/stat").read().rsplit(")", 1)[1].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / TICK


def field(pattern):
    return F.regexp_extract("value", pattern, 1)


def member():
    return F.regexp_extract(F.input_file_name(), "([^/]+)$", 1).alias("member")


STATUS = field(r'" (\d{3}) ').alias("status")


def errors(lines):
    path = field(r'"\S+ (\S+) ').alias("path")
    found = lines.filter(F.col("value").rlike('" 50[023] ')).select(member(), path, STATUS)
    return found.groupBy("member", "path", "status").count()


def windows(lines):
    stamp = F.to_timestamp(field(r"\[([^\]]+)\]"), "dd/MMM/yyyy:HH:mm:ss Z")
    read = lines.select(member(), STATUS, stamp.alias("stamp"))
    counted = read.groupBy(F.window("stamp", "10 seconds"), "member", "status").count()
    begin = F.date_format("window.start", "yyyy-MM-dd'T'HH:mm:ssxxx")
    return counted.select(begin, "member", "status", "count")


def clients(lines):
    read = lines.select(
        field(r"^(\S+) ").alias("client"), field(r'" \d{3} (\d+) ').cast("long").alias("bytes")
    )
    summed = read.groupBy("client").agg(F.count("*").alias("count"), F.sum("bytes"))
    return summed.orderBy(F.desc("count")).limit(10)


for number, question in enumerate(sys.argv[4:]):
    begun, before = time.time(), used()
    rows = globals()[question](spark.read.text(f"{FOLDER}/vm*")).collect()
    with open(f"{ANSWERS}/{number}", "w") as answer:
        for row in rows:
            answer.write("\t".join(str(cell) for cell in row) + "\n")
    print(number, time.time() - begun, used() - before, flush=True)

spark.stop()
spark.sparkContext._gateway.shutdown() if spark.sparkContext._gateway else None
# Its processor time counts once it was waited for.
java.stdin.close()
java.wait()

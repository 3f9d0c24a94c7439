"""Runs Spark, batch and streaming, and Hadoop's shell on WebHDFS and on a local disk, and compares.

    python3 spark.py HOST:PORT DIRECTORY
"""

import json
import pathlib
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

HOST, LOCAL = sys.argv[1:3]
REMOTE_BASE = f"webhdfs://{HOST}/s/spark"
LOCAL_BASE = f"file://{LOCAL}/spark"

spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.sql.warehouse.dir", f"{LOCAL}/warehouse")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
jvm = spark._jvm


def same(what, run):
    """Runs something on both, and fails unless the results are equal."""
    begun = time.time()
    remote, local = run(REMOTE_BASE), run(LOCAL_BASE)
    assert remote == local, f"{what}: {remote!r} is not {local!r}"
    print(f"{what}: {time.time() - begun:.1f} s", flush=True)


def rows(frame):
    """All rows in one order."""
    return sorted(json.dumps(row.asDict(), sort_keys=True, default=str) for row in frame.collect())


def files(base):
    """Names of directories and of files that are not Spark's own numbers."""
    path = jvm.org.apache.hadoop.fs.Path(base)
    listed = path.getFileSystem(spark._jsc.hadoopConfiguration()).listStatus(path)
    return sorted(s.getPath().getName().split("-")[0] for s in listed)


def text(base):
    """Lines, written twice, the second time over the first."""
    lines = spark.range(2000).select(F.format_string("line %05d äöü", "id").alias("value"))
    lines.repartition(2).write.text(f"{base}/text")
    lines.limit(1500).repartition(2).write.mode("overwrite").text(f"{base}/text")
    lines.limit(10).coalesce(1).write.mode("append").text(f"{base}/text")
    read = spark.sparkContext.textFile(f"{base}/text")
    return sorted(read.collect()), files(f"{base}/text")


def tables(base):
    """Parquet and JSON, partitioned, and a join of them."""
    numbers = spark.range(3000).withColumn("part", F.col("id") % 3)
    numbers.write.partitionBy("part").parquet(f"{base}/parquet")
    words = spark.range(100).withColumn("word", F.concat(F.lit("w"), "id"))
    words.write.json(f"{base}/json")
    joined = spark.read.parquet(f"{base}/parquet").join(spark.read.json(f"{base}/json"), "id")
    counted = joined.groupBy("part").agg(F.count("*"), F.sum("id"), F.min("word"))
    return rows(counted), files(f"{base}/parquet")


def refused(base):
    """What exists is an error, and what is missing too."""
    said = []
    for attempt in [
        lambda: spark.range(1).write.json(f"{base}/json"),
        lambda: spark.read.json(f"{base}/none"),
    ]:
        try:
            attempt()
            said.append("nothing")
        except Exception as error:
            said.append(str(error).replace(base, "").split("]")[0])
    return said


def streamed(base):
    """A source and a sink of files, stopped and begun again from its checkpoint, and counts."""
    schema = "word string, number long"
    for run in range(2):
        batch = spark.createDataFrame([(f"w{n % 3}", 10 * run + n) for n in range(10)], schema)
        batch.coalesce(1).write.mode("append").json(f"{base}/source")
        stream = spark.readStream.schema(schema).json(f"{base}/source")
        sink = stream.writeStream.format("parquet").option("path", f"{base}/sink")
        sink = sink.option("checkpointLocation", f"{base}/checkpoint-sink")
        sink.trigger(availableNow=True).start().awaitTermination()
        counts = stream.groupBy("word").agg(F.sum("number").alias("sum"))
        state = counts.writeStream.outputMode("complete")
        state = state.option("checkpointLocation", f"{base}/checkpoint-counts")

        def keep(frame, number, to=f"{base}/counts"):
            frame.coalesce(1).write.mode("overwrite").json(to)

        state.foreachBatch(keep).trigger(availableNow=True).start().awaitTermination()
    return (
        rows(spark.read.parquet(f"{base}/sink")),
        rows(spark.read.json(f"{base}/counts")),
        files(f"{base}/checkpoint-counts"),
    )


def shell(base):
    """Hadoop's FsShell: statuses and outputs of a session."""
    here = pathlib.Path(LOCAL)
    (here / "big").write_bytes(bytes(range(256)) * 12000)
    (here / "small").write_text("small\n")
    fetched = here / ("fetched-" + base.split(":")[0])
    commands = [
        ["-mkdir", "-p", f"{base}/shell/a b/ü"],
        ["-put", f"{here}/big", f"{base}/shell/big"],
        ["-put", f"{here}/big", f"{base}/shell/big"],
        ["-put", "-f", f"{here}/small", f"{base}/shell/big"],
        ["-put", f"{here}/big", f"{base}/shell/a b/ü/x+y;z=1,%25"],
        ["-cat", f"{base}/shell/big"],
        ["-tail", f"{base}/shell/big"],
        ["-ls", "-R", "-C", f"{base}/shell"],
        ["-find", f"{base}/shell", "-name", "x*"],
        ["-mv", f"{base}/shell/big", f"{base}/shell/moved"],
        ["-mv", f"{base}/shell/none", f"{base}/shell/moved"],
        ["-mv", f"{base}/shell/moved", f"{base}/shell/a b"],
        ["-cp", f"{base}/shell/a b/moved", f"{base}/shell/copied"],
        ["-touchz", f"{base}/shell/empty"],
        ["-test", "-e", f"{base}/shell/none"],
        ["-test", "-z", f"{base}/shell/empty"],
        ["-count", f"{base}/shell/a b"],
        ["-get", f"{base}/shell/a b/ü/x+y;z=1,%25", f"{fetched}"],
        ["-rm", f"{base}/shell/copied"],
        ["-rm", f"{base}/shell/none"],
        ["-rmdir", f"{base}/shell/a b"],
        ["-rm", "-r", "-skipTrash", f"{base}/shell/a b"],
        ["-ls", "-C", f"{base}/shell"],
    ]
    said = [run_shell(command, base) for command in commands]
    assert fetched.read_bytes() == (here / "big").read_bytes()
    if base == REMOTE_BASE:
        # A local disk knows none of these.
        for command in [
            ["-appendToFile", f"{here}/small", f"{base}/shell/empty"],
            ["-df", base],
            ["-du", "-s", base],
            ["-chmod", "700", f"{base}/shell/empty"],
            ["-setrep", "2", f"{base}/shell/empty"],
            ["-checksum", f"{base}/shell/empty"],
        ]:
            status, output = run_shell(command, base)
            assert status == 0, (command, status, output)
        assert run_shell(["-cat", f"{base}/shell/empty"], base) == (0, ["small"])
    return said


def run_shell(command, base):
    """The exit status and the standard output of one command."""
    out = jvm.java.io.ByteArrayOutputStream()
    old = jvm.java.lang.System.out
    jvm.java.lang.System.setOut(jvm.java.io.PrintStream(out, True, "UTF-8"))
    try:
        arguments = spark._sc._gateway.new_array(jvm.java.lang.String, len(command))
        for number, word in enumerate(command):
            arguments[number] = word
        conf = jvm.org.apache.hadoop.conf.Configuration(spark._jsc.hadoopConfiguration())
        tool = jvm.org.apache.hadoop.fs.FsShell(conf)
        status = jvm.org.apache.hadoop.util.ToolRunner.run(tool, arguments)
    finally:
        jvm.java.lang.System.setOut(old)
    output = out.toString("UTF-8").replace(base, "BASE").replace(base.replace("//", ""), "BASE")
    lines = [" ".join(line.split()) for line in output.splitlines()]
    return status, sorted(line for line in lines if ".crc" not in line)


same("text", text)
same("tables", tables)
same("refused", refused)
same("streamed", streamed)
same("shell", shell)
print("ALL EQUAL")

"""Streams lines from the folder `in` to the folder `out`, as rows or as counts.

    python3 stream.py rows|counts TRIGGER CORES

It runs until it is killed. The trigger is a time, or default: as soon as the last batch is done.
"""

import os
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

KIND, TRIGGER, CORES = sys.argv[1:4]
HERE = os.getcwd()

spark = (
    SparkSession.builder.master(f"local[{CORES}]")
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.sql.shuffle.partitions", CORES)
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def append(batch, _number):
    """The usual sink for counts that change."""
    batch.coalesce(1).write.mode("append").text(f"{HERE}/out")


lines = spark.readStream.text(f"{HERE}/in")
if KIND == "rows":
    writer = lines.writeStream.format("text").option("path", f"{HERE}/out")
else:
    counts = lines.groupBy("value").count()
    rows = counts.select(F.concat_ws("\t", "value", "count").alias("value"))
    writer = rows.writeStream.outputMode("update").foreachBatch(append)
if TRIGGER != "default":
    writer = writer.trigger(processingTime=TRIGGER)
writer.option("checkpointLocation", f"{HERE}/checkpoint").start().awaitTermination()

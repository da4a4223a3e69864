"""Writes the Parquet files of this folder with Apache Arrow's own writer.

    pip install pyarrow
    python testdata/parquet/make.py
"""

import os

import pyarrow as pa
import pyarrow.parquet as pq

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = 40
TEXTS = [f"Row {i}: " + "ça va? " * (i % 5) + "fin" for i in range(ROWS)]


def write(name, table, **options):
    pq.write_table(table, os.path.join(HERE, name + ".parquet"), write_statistics=True, **options)


def main():
    table = pa.table({"id": list(range(ROWS)), "text": TEXTS})
    required = pa.table(
        {"text": pa.array(TEXTS)}, schema=pa.schema([pa.field("text", pa.string(), nullable=False)])
    )
    # Twice the same word in every row: a dictionary.
    write("dictionary-snappy", pa.table({"id": list(range(ROWS)), "text": [TEXTS[i % 7] for i in range(ROWS)]}),
          row_group_size=16, compression="snappy")
    write("plain-gzip-v2", table, row_group_size=16, compression="gzip", use_dictionary=False,
          data_page_version="2.0")
    write("plain-zstd-checksum", table, compression="zstd", use_dictionary=False, write_page_checksum=True,
          data_page_size=200, write_batch_size=4)
    write("delta-length", required, compression="none", use_dictionary=False,
          column_encoding={"text": "DELTA_LENGTH_BYTE_ARRAY"})
    write("delta-prefix", required, compression="none", use_dictionary=False,
          column_encoding={"text": "DELTA_BYTE_ARRAY"})
    write("brotli", required, compression="brotli")
    kinds = pa.table({
        "text": pa.array(["one", None, "three", None]),
        "id": pa.array([1, 2, 3, 4]),
        "words": pa.array([["a"], ["b", "c"], [], ["d"]]),
        "meta": pa.array([{"text": "m1", "n": 1}, {"text": "m2", "n": 2}, {"text": "m3", "n": 3}, {"text": "m4", "n": 4}]),
        "raw": pa.array([b"fine", b"bad \xff", b"fine", b"fine"]),
        "when": pa.array([0, 1, 2, 3], pa.timestamp("ms")),
    })
    write("kinds", kinds, compression="snappy")
    print("pyarrow", pa.__version__)


main()

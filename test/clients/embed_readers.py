"""
What `embedgate embed` writes, read back by NumPy and Polars: python embed_readers.py EXECUTABLE

Each format has the same vectors, and Polars takes the Parquet column for vectors of one size, by Arrow's schema in the file.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import polars

MODEL, DIMENSIONS = "all-MiniLM-L6-v2", 384
executable = pathlib.Path(sys.argv[1]).resolve()
texts = [f"text number {row % 40}" for row in range(50)]

with tempfile.TemporaryDirectory() as folder:
    at = pathlib.Path(folder)
    (at / "texts.txt").write_text("\n".join([*texts, ""]) + "\n")
    for out, options in {"v.npy": [], "half.npy": ["--dtype", "f16"], "v.parquet": [], "v.jsonl": [], "v.f32": []}.items():
        command = [executable, "embed", "texts.txt", "--model", MODEL, "--out", out, *options]
        # The last row is empty.
        assert subprocess.run(command, cwd=at, stderr=subprocess.DEVNULL).returncode == 3, out

    vectors = numpy.load(at / "v.npy", mmap_mode="r")
    assert vectors.shape == (51, DIMENSIONS) and vectors.dtype == numpy.float32
    assert numpy.allclose(numpy.linalg.norm(vectors[:50], axis=1), 1, atol=1e-3)
    assert numpy.array_equal(vectors[:10], vectors[40:50]) and numpy.isnan(vectors[50]).all()

    half = numpy.load(at / "half.npy")
    assert half.dtype == numpy.float16 and numpy.array_equal(half[:50], vectors[:50].astype(numpy.float16))

    raw = numpy.fromfile(at / "v.f32", "<f4").reshape(-1, DIMENSIONS)
    assert numpy.array_equal(raw, vectors, equal_nan=True)

    frame = polars.read_parquet(at / "v.parquet")
    assert frame.schema == {"embedding": polars.Array(polars.Float32, DIMENSIONS)}, frame.schema
    assert numpy.array_equal(frame["embedding"][:50].to_numpy(), vectors[:50]) and frame["embedding"][50] is None

    lines = [json.loads(line) for line in (at / "v.jsonl").read_text().splitlines()]
    assert [line["row"] for line in lines] == list(range(51)) and lines[50]["embedding"] is None
    assert numpy.array_equal(numpy.array([line["embedding"] for line in lines[:50]], "<f4"), vectors[:50])

print("readers of vectors: right")

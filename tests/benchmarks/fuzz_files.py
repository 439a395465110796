"""Feed damaged files of every format to ``load_images``: an array or a DatasetError must result.

Run it with ``python tests/benchmarks/fuzz_files.py --files 100000``. It needs no MNIST. Each format
is read in a process of its own, because C libraries may crash: the file that did it is kept.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import lzma
import multiprocessing
import os
import resource
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.io
from PIL import Image
from pyarrow import parquet
from sklearn.datasets import dump_svmlight_file

sys.path.insert(0, str(Path(__file__).parents[1]))

from misbehaving_mirror import to_idx

from skorch_mnist import load_digits28, load_images
from skorch_mnist.datasets import DatasetError

MEMORY = 6 * 2**30  # bytes that a process may map
SLOW = 20.0  # seconds that a file may take
DIGITS = load_digits28()
X, Y = DIGITS.images[:12, ::2, ::2], DIGITS.target[:12]  # small: most of the time goes into bytes
FLAT = X.reshape(12, -1).copy()
FLAT[:, -1] = 1  # libsvm leaves out pixels that are 0
ROWS = np.column_stack([Y, FLAT])


def written(write):
    """Return what a function writes into a file."""
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def png(image, form="PNG"):
    return written(lambda stream: Image.fromarray(image).save(stream, form))


def text(rows, sep=",", header=""):
    return (header + "\n".join(sep.join(map(str, row)) for row in rows)).encode()


def hdf5(stream):
    with h5py.File(stream, "w") as file:
        file.create_dataset("x_train", data=X, compression="gzip")
        file["y_train"] = Y
        file["test/images"], file["test/labels"] = FLAT, [f"n{y}" for y in Y]


def zipped(members, method=zipfile.ZIP_DEFLATED):
    def write(stream):
        with zipfile.ZipFile(stream, "w", method) as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return written(write)


def tarred(members, mode="w"):
    def write(stream):
        with tarfile.open(fileobj=stream, mode=mode) as archive:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    return written(write)


def pictures(form="PNG"):
    return {f"train/{y}/{k}.{form.lower()}": png(image, form)
            for k, (image, y) in enumerate(zip(X, Y, strict=True))}  # fmt: skip


def arrow(stream):
    images = [{"bytes": png(image), "path": None} for image in X]
    parquet.write_table(pa.table({"image": images, "label": Y}), stream)


def seeds():
    """Return files of every format, by name."""
    npz = {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y}
    struct = {"images": FLAT, "labels": Y[:, None]}
    frame = pd.DataFrame(FLAT).rename(columns=str).assign(label=Y)
    labels = to_idx(Y.astype(np.uint8))
    header = ",".join(["label", *(f"p{k}" for k in range(FLAT.shape[1]))]) + "\n"
    arff = "@relation x\n" + "".join(f"@attribute p{k} real\n" for k in range(FLAT.shape[1]))
    arff += "@attribute class {0,1,2,3,4,5,6,7,8,9}\n@data\n"
    bitmap = "\n".join("".join(str(int(p > 99)) for p in row) for row in X[3]).encode()
    idx = {"train-images-idx3-ubyte": to_idx(X), "train-labels-idx1-ubyte": labels}
    names = "file,label\n" + "\n".join(f"{k}.png,{y}" for k, y in enumerate(Y))
    flat = {f"{k}.png": png(image) for k, image in enumerate(X)}
    return {
        "npz": ("x.npz", written(lambda s: np.savez(s, **npz))),
        "npz, compressed": ("x.npz", written(lambda s: np.savez_compressed(s, **npz))),
        "npy": ("x.npy", written(lambda s: np.save(s, FLAT))),
        "idx": ("x-idx3-ubyte", to_idx(X)),
        "idx.gz": ("x-idx3-ubyte.gz", gzip.compress(to_idx(X))),
        "mat": ("x.mat", written(lambda s: scipy.io.savemat(s, {"X": FLAT, "y": Y}))),
        "mat, compressed": (
            "x.mat",
            written(lambda s: scipy.io.savemat(
                s, {"dataset": {"train": struct, "test": struct}}, do_compression=True
            )),
        ),
        "mat 4": ("x.mat", written(lambda s: scipy.io.savemat(s, {"X": FLAT, "y": Y}, format="4"))),
        "hdf5": ("x.h5", written(hdf5)),
        "parquet": ("x.parquet", written(arrow)),
        "parquet, columns": ("x.parquet", written(frame.to_parquet)),
        "csv": ("x.csv", text(ROWS)),
        "csv, header": ("x.csv", text(ROWS, header=header)),
        "csv, fractions": ("x.csv", text(np.column_stack([Y, FLAT / 255]), sep=";")),
        "csv, UTF-16": ("x.csv", text(ROWS, sep="\t").decode().encode("utf-16")),
        "csv.gz": ("x.csv.gz", gzip.compress(text(ROWS))),
        "csv.bz2": ("x.csv.bz2", bz2.compress(text(ROWS))),
        "csv.xz": ("x.csv.xz", lzma.compress(text(ROWS))),
        "csv.zip": ("x.csv.zip", zipped({"x.csv": text(ROWS)})),
        "arff": ("x.arff", text(np.roll(ROWS, -1, axis=1), header=arff)),
        "libsvm": ("x", written(lambda s: dump_svmlight_file(FLAT / 1.0, Y, s, zero_based=False))),
        "text digits": ("3_1.txt", bitmap),
        "png": ("x.png", png(X[3])),
        "pgm": ("x.pgm", png(X[3], "PPM")),
        "zip of pictures": ("x.zip", zipped(pictures())),
        "zip, stored": ("x.zip", zipped(pictures("BMP"), zipfile.ZIP_STORED)),
        "zip of idx": ("x.zip", zipped(idx)),
        "zip of names": ("x.zip", zipped({**flat, "labels.csv": names.encode()})),
        "tar": ("x.tar", tarred(pictures("GIF"))),
        "tar.gz": ("x.tar.gz", tarred(pictures("JPEG"), "w:gz")),
        "tar.xz": ("x.tar.xz", tarred(idx, "w:xz")),
        "zip in zip": ("x.zip", zipped({"train.zip": zipped(pictures())})),
    }  # fmt: skip


def mutated(rng, content):
    """Return damaged content: bytes that changed, moved, were removed or repeated."""
    content = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        if not content:
            break
        # Headers and tables of contents are at the start and the end.
        place = int(rng.integers(len(content)))
        if rng.random() < 0.5:
            place = int(rng.integers(min(len(content), 200)))
        elif rng.random() < 0.3:
            place = len(content) - 1 - place % min(len(content), 400)
        length = int(rng.integers(1, 9))
        kind = rng.integers(7)
        if kind < 2:
            content[place] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            content[place : place + length] = rng.bytes(length)
        elif kind == 3:
            value = (0, 255, 128, 127, 48)[rng.integers(5)]
            content[place : place + length] = bytes([value]) * length
        elif kind == 4:
            del content[place : place + length]
        elif kind == 5:
            content[place:place] = content[place : place + length * 8]
        elif rng.random() < 0.3:
            del content[place:]
    return bytes(content)


def read_mutants(name, first, last, folder, results):
    """Read damaged files of one format, and report what came of each kind of result."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    file, content = seeds()[name]
    path = Path(folder, file)
    path.write_bytes(content)
    load_images(path)
    outcomes = Counter()
    for number in range(first, last):
        rng = np.random.default_rng([number, *name.encode()])
        path.write_bytes(mutated(rng, content))
        start = time.perf_counter()
        try:
            found = load_images(path)
            assert found.data.ndim == 2 and found.data.dtype.kind in "uif", found.data.dtype
            assert found.target is None or len(found.target) == len(found.data)
            outcomes["array"] += 1
        except DatasetError as error:
            text = str(error)
            outcomes["unspecific error" if "not what it seems" in text else "error"] += 1
        except BaseException:
            outcomes["FAILED"] += 1
            results.put((name, number, traceback.format_exc()))
        if time.perf_counter() - start > SLOW:
            results.put((name, number, f"took {time.perf_counter() - start:.0f} s"))
        if os.listdir(folder) != [file]:
            results.put((name, number, f"wrote {os.listdir(folder)}"))
            break
    results.put((name, None, outcomes))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--only", help="one format")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else [*seeds()]
    each = -(-arguments.files // len(names))
    failures, total = 0, Counter()
    context = multiprocessing.get_context("spawn")
    for name in names:
        results = context.Queue()
        with tempfile.TemporaryDirectory() as folder:
            limits = arguments.first, arguments.first + each
            process = context.Process(target=read_mutants, args=(name, *limits, folder, results))
            start = time.perf_counter()
            process.start()
            outcomes = None
            while outcomes is None and (process.is_alive() or not results.empty()):
                try:
                    _, number, result = results.get(timeout=1)
                except Exception:
                    continue
                if number is None:
                    outcomes = result
                else:
                    failures += 1
                    print(f"{name} {number}: {result}", flush=True)
            process.join()
            if process.exitcode:
                failures += 1
                kept = Path(tempfile.gettempdir(), f"crash-{name.replace(' ', '_')}")
                kept.write_bytes(next(Path(folder).iterdir()).read_bytes())
                print(f"{name} crashed with {process.exitcode}; the file is {kept}", flush=True)
            total += outcomes or Counter()
            seconds = time.perf_counter() - start
            print(f"{name:<18} {seconds:6.1f} s {dict(outcomes or {})}", flush=True)
    print(f"{sum(total.values())} files: {dict(total)}; {failures} failures")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())

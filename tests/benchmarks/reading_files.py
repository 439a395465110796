"""Time and memory of ``load_images`` for 60,000 images, next to the library that it calls.

Run it with ``python tests/benchmarks/reading_files.py``. It needs MNIST and Linux. Each reading
takes place in a process of its own; the two alternate, and the median of ``--repeat`` CPU times
counts.
Memory is what the peak of the process grew by, as a multiple of 60,000 x 784 bytes.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np

LIBRARIES = {
    "npz": "z = np.load(path); z['x_train'], z['y_train']",
    "npz, compressed": "z = np.load(path); z['x_train'], z['y_train']",
    "npy": "np.load(path), np.load(path.replace('images', 'labels'))",
    "idx": "np.fromfile(path, np.uint8)",
    "idx.gz": "import gzip; gzip.open(path).read()",
    "mat": "from scipy.io import loadmat; loadmat(path)",
    "mat, not compressed": "from scipy.io import loadmat; loadmat(path)",
    "mat of EMNIST": "from scipy.io import loadmat; loadmat(path)",
    "hdf5": "import h5py; f = h5py.File(path); f['x_train'][()], f['y_train'][()]",
    "csv": "np.loadtxt(path, np.uint8, delimiter=',')",
    "csv.gz": "import gzip; np.loadtxt(gzip.open(path, 'rt'), np.uint8, delimiter=',')",
    "csv, fractions": "np.loadtxt(path, np.float64, delimiter=',')",
    "parquet": (
        "from pyarrow import parquet; t = parquet.read_table(path)\n"
        "np.stack([np.asarray(Image.open(io.BytesIO(v['bytes'])))"
        " for v in t['image'].to_pylist()]), np.asarray(t['label'])"
    ),
    "parquet, columns": "import pandas as pd; pd.read_parquet(path).to_numpy()",
    "libsvm": (
        "from sklearn.datasets import load_svmlight_file\n"
        "X, y = load_svmlight_file(path, n_features=784); X.toarray()"
    ),
    "zip of pictures": (
        "import zipfile; z = zipfile.ZipFile(path)\n"
        "np.stack([np.asarray(Image.open(io.BytesIO(z.read(n)))) for n in z.namelist()])"
    ),
    "tar.gz of pictures": (
        "import tarfile; t = tarfile.open(path, 'r|gz')\n"
        "np.stack([np.asarray(Image.open(io.BytesIO(t.extractfile(m).read()))) for m in t])"
    ),
    "folder of pictures": (
        "import glob\n"
        "np.stack([np.asarray(Image.open(n)) for n in sorted(glob.glob(path + '/*/*.png'))])"
    ),
}
COMMON = r"""
import io, json, re, sys, time
import numpy as np
from PIL import Image
import cv2, h5py, pandas, pyarrow.parquet, scipy.io, sklearn.datasets
from skorch_mnist import load_images
Image.init()
path = sys.argv[1]
def peak():
    return int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
open("/proc/self/clear_refs", "w").write("5")  # forget the peak so far
before = peak()
start = time.process_time()
{}
seconds = time.process_time() - start
print(json.dumps([seconds, (peak() - before) * 1024]))
"""


def png(image):
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def write_files(root):
    """Write MNIST in every form; return the paths."""
    import h5py
    import pandas as pd
    import pyarrow as pa
    import scipy.io
    from pyarrow import parquet
    from sklearn.datasets import dump_svmlight_file

    from skorch_mnist import fetch_mnist

    X, y = fetch_mnist(return_X_y=True)
    images = X.reshape(-1, 28, 28)
    files = {name: root / name.replace(" ", "_").replace(",", "") for name in LIBRARIES}
    for name, save in (("npz", np.savez), ("npz, compressed", np.savez_compressed)):
        with files[name].open("wb") as stream:
            save(stream, x_train=images, y_train=y)
    files["npy"] = root / "train_images.npy"
    np.save(files["npy"], images)
    np.save(root / "train_labels.npy", y)
    header = bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes()
    files["idx"].write_bytes(header + images.tobytes())
    files["idx.gz"].write_bytes(gzip.compress(header + images.tobytes(), 6))
    part = {"images": images.swapaxes(1, 2).reshape(-1, 784), "labels": y[:, None]}
    for name, variables in (
        ("mat", {"X": X, "y": y}),
        ("mat, not compressed", {"X": X, "y": y}),
        ("mat of EMNIST", {"dataset": {"train": part}}),
    ):
        compressed = name != "mat, not compressed"
        scipy.io.savemat(files[name], variables, do_compression=compressed, appendmat=False)
    with h5py.File(files["hdf5"], "w") as file:
        file.create_dataset("x_train", data=images, compression="gzip")
        file["y_train"] = y
    rows = np.column_stack([y, X])
    frame = pd.DataFrame(rows)
    frame.to_csv(files["csv"], header=False, index=False)
    files["csv.gz"].write_bytes(gzip.compress(files["csv"].read_bytes(), 6))
    fractions = [f"{value / 255:.4f}" for value in range(256)]
    with files["csv, fractions"].open("w") as stream:
        for label, row in zip(y, X, strict=True):
            stream.write(",".join([str(label), *(fractions[value] for value in row)]) + "\n")
    encoded = [png(image) for image in images]
    table = {"image": [{"bytes": content, "path": None} for content in encoded], "label": y}
    parquet.write_table(pa.table(table), files["parquet"])
    frame.rename(columns=str).rename(columns={"0": "label"}).to_parquet(files["parquet, columns"])
    dump_svmlight_file(X.astype(float), y, str(files["libsvm"]), zero_based=False)
    names = [f"{label}/{k:05}.png" for k, label in enumerate(y)]
    with (
        zipfile.ZipFile(files["zip of pictures"], "w") as archive,
        tarfile.open(files["tar.gz of pictures"], "w:gz") as tar,
    ):
        for name, content in zip(names, encoded, strict=True):
            archive.writestr(name, content)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
            path = files["folder of pictures"] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return files


def measured(code, path):
    command = [sys.executable, "-c", COMMON.format(code), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[*LIBRARIES])
    arguments = parser.parse_args()
    print(f"{'':<20} library  load_images  ratio  memory of the library  of load_images")
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(Path(folder))
        for name in arguments.only:
            times = [
                [measured(code, files[name]) for code in (LIBRARIES[name], "load_images(path)")]
                for _ in range(arguments.repeat)
            ]
            (library, peak), (ours, own_peak) = (
                [statistics.median(run[k][j] for run in times) for j in range(2)] for k in range(2)
            )
            bytes_ = 60_000 * 784
            print(
                f"{name:<20} {library:6.2f} s {ours:9.2f} s {ours / library:7.2f} "
                f"{peak / bytes_:14.1f} {own_peak / bytes_:20.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()

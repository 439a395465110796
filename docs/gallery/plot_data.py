"""
Data
====

Load MNIST and its relatives as verified arrays, digits that need no network, and common file
formats: IDX and CSV files, data frames, and folders of pictures.
"""

# %%
# MNIST and its relatives
# -----------------------
#
# =================================  =======================================  =========  ========
# function                           content                                  images     download
# =================================  =======================================  =========  ========
# ``fetch_mnist``                    digits                                   70,000     12 MB
# ``fetch_fashion_mnist``            garments of ten kinds                    70,000     31 MB
# ``fetch_kmnist``                   ten hiragana in cursive hand             70,000     21 MB
# ``fetch_qmnist``                   digits, with 60,000 test images          120,000    20 MB
# ``fetch_emnist(split="letters")``  letters, digits or both, in six splits   ≤ 814,255  562 MB
# ``load_digits28``                  scikit-learn digits, shaped like MNIST   1,797      none
# =================================  =======================================  =========  ========
#
# All have the same shape, (n, 784) bytes from 0 to 255. Images are upright, and classes are counted
# from 0. The ``fetch`` functions take ``subset="train"``, ``"test"`` or ``"all"``. Without
# ``return_X_y``, they return a ``Bunch`` that also has the images, the names of the classes and, in
# ``DESCR``, origin, license and split.

from skorch_mnist import load_digits28

digits = load_digits28()
print({name: getattr(value, "shape", type(value).__name__) for name, value in digits.items()})
print(digits.DESCR)

# %%
# Downloads
# ---------
#
# The first call downloads, later calls read the copy on disk. It is in the cache folder of the
# user, or where the environment variable ``SKORCH_MNIST_HOME`` or the argument ``data_home``
# points. The folders have the layout of torchvision, so you can use a folder that torchvision
# filled, and vice versa.
#
# Every file is verified by its SHA-256 whenever it is read. Nobody publishes hashes of the unpacked
# files of KMNIST, QMNIST and EMNIST. For these, the archive is verified, and the hash of its
# content is stored next to the file, in the format of ``sha256sum``. A damaged or short file is
# named and replaced; with ``download_if_missing=False``, it is an error. Mirrors are tried one
# after the other; one that does not respond is given up after 30 seconds. A file is only used once
# it is complete and verified, so neither a killed process nor several at once can leave a partial
# download. Proxies are taken from ``https_proxy``.
#
# If nothing can be downloaded, the error says what was tried, and where to put the files:

import tempfile

from skorch_mnist import fetch_mnist
from skorch_mnist.datasets import DatasetError

nowhere = tempfile.TemporaryDirectory()
try:
    fetch_mnist(data_home=nowhere.name, download_if_missing=False)
except DatasetError as error:
    print(str(error).replace(nowhere.name, "/home/me/data"))

# %%
# IDX files
# ---------
#
# ``load_idx`` reads IDX files, the format of MNIST, of any dataset, compressed or not. The sizes in
# the header are compared with the length of the file before memory is allocated.

import gzip
import struct
from pathlib import Path

from skorch_mnist.datasets import load_idx

folder = Path(nowhere.name)
header = struct.pack(">HBBIII", 0, 8, 3, *digits.images.shape)
(folder / "my-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + digits.data.tobytes()))
X, _ = load_idx(folder / "my-images-idx3-ubyte.gz", return_X_y=True)
print(X.shape, X.dtype)

# %%
# CSV files and data frames
# -------------------------
#
# ``load_images`` opens all of these and :doc:`many other formats <../guide/data>`. ``load_csv``
# reads files like those of Kaggle: one image per line, with or without column names and labels.
# ``load_frame`` takes a data frame such as ``fetch_openml("mnist_784").frame``.

import pandas as pd

from skorch_mnist.datasets import load_csv, load_frame

frame = pd.DataFrame(digits.data, columns=[f"pixel{k}" for k in range(784)])
frame.insert(0, "label", digits.target)
frame.to_csv(folder / "train.csv", index=False)
X, y = load_csv(folder / "train.csv", return_X_y=True)
print(X.shape, y[:10])
X, y = load_frame(frame.assign(label=digits.target.astype(str)), return_X_y=True)
print(X.shape, y[:10])

# %%
# Folders of pictures
# -------------------
#
# ``load_image_folder`` reads a folder that has one folder for each class. It returns pictures like
# those of MNIST as arrays. For other pictures, ``load_content=False`` returns the file names, for
# :class:`~skorch_mnist.DigitPreprocessor`.

from PIL import Image

from skorch_mnist.datasets import load_image_folder

for number, (image, label) in enumerate(zip(digits.images[:50], digits.target[:50], strict=True)):
    (folder / "png" / str(label)).mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(folder / "png" / str(label) / f"{number}.png")
X, y = load_image_folder(folder / "png", return_X_y=True)
print(X.shape, y[:10])
nowhere.cleanup()

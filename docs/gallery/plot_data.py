"""
Data
====

MNIST and its relatives as arrays, verified; the digits that need no network; and what people hold
already: IDX and CSV files, frames, folders of pictures.
"""

# %%
# The family
# ----------
#
# =================================  =======================================  =========  ========
# function                           what                                     images     download
# =================================  =======================================  =========  ========
# ``fetch_mnist``                    digits                                   70,000     12 MB
# ``fetch_fashion_mnist``            garments of ten kinds                    70,000     31 MB
# ``fetch_kmnist``                   ten hiragana in cursive hand             70,000     21 MB
# ``fetch_qmnist``                   digits, with 60,000 test images          120,000    20 MB
# ``fetch_emnist(split="letters")``  letters, digits or both, in six splits   ≤ 814,255  562 MB
# ``load_digits28``                  scikit-learn's digits in MNIST's form    1,797      none
# =================================  =======================================  =========  ========
#
# All have the same shape, (n, 784) bytes from 0 to 255, stand upright, and count their classes
# from 0. The functions that fetch take ``subset="train"``, ``"test"`` or ``"all"``. Without
# ``return_X_y`` they give a ``Bunch`` that also has the images, the names of the classes and, in
# ``DESCR``, origin, licence and split.

from skorch_mnist import load_digits28

digits = load_digits28()
print({name: getattr(value, "shape", type(value).__name__) for name, value in digits.items()})
print(digits.DESCR)

# %%
# Downloads
# ---------
#
# The first call downloads, later ones read the copy on disk: in the user's cache folder, or where
# the environment variable ``SKORCH_MNIST_HOME`` or the argument ``data_home`` points. Its folders
# are laid out as torchvision lays them out, so that a folder which torchvision filled is used, and
# the other way round.
#
# Every file is verified by its SHA-256 whenever it is read. (Nobody publishes those of the
# unpacked files of KMNIST, QMNIST and EMNIST: there the archive is verified, and the hash of what
# came out of it is kept beside the file, in the format of ``sha256sum``.) A damaged or short file
# is named and replaced; with ``download_if_missing=False`` it is an error. Mirrors are tried one
# after the other, a silent one for 30 seconds. A download counts only when it is whole and
# verified, so that neither a killed process nor eight at once leave a half one. Proxies are taken
# from ``https_proxy``.
#
# Where nothing can be downloaded, the error says what was tried, and where to place the files:

import tempfile

from skorch_mnist import fetch_mnist
from skorch_mnist.datasets import DatasetError

nowhere = tempfile.TemporaryDirectory()
try:
    fetch_mnist(data_home=nowhere.name, download_if_missing=False)
except DatasetError as error:
    print(str(error).replace(nowhere.name, "/home/me/data"))

# %%
# Files in MNIST's own format
# ---------------------------
#
# ``load_idx`` reads IDX files, packed or not, of other data sets too. What a file's header promises
# is compared with the file's length before memory is taken.

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
# Tables
# ------
#
# ``load_csv`` reads what Kaggle and others hold, one image a line, with or without names and
# labels; ``load_frame`` takes a pandas frame such as ``fetch_openml("mnist_784").frame``.

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
# ``load_image_folder`` reads a folder that has one folder for each class. Pictures like MNIST's
# come as arrays; of others ``load_content=False`` gives the file names, for
# :class:`~skorch_mnist.DigitPreprocessor`.

from PIL import Image

from skorch_mnist.datasets import load_image_folder

for number, (image, label) in enumerate(zip(digits.images[:50], digits.target[:50], strict=True)):
    (folder / "png" / str(label)).mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(folder / "png" / str(label) / f"{number}.png")
X, y = load_image_folder(folder / "png", return_X_y=True)
print(X.shape, y[:10])
nowhere.cleanup()

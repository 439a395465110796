"""Measure the time and the peak memory of reading pictures, as ``docs/guide`` reports them.

Run it with ``OMP_NUM_THREADS=1 python tests/benchmarks/picture_costs.py``, on an idle machine.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from memory import peak_since
from synthetic_pictures import draw_picture

from skorch_mnist import load_digits28
from skorch_mnist.pictures import DigitPreprocessor, find_digits

SIDE = 10_000  # pixels of the largest pictures
FORMS = (("RGB", "png"), ("RGB", "jpeg"), ("RGBA", "png"), ("L", "png"), ("F", "tiff"))


def seconds(read, n):
    """Return the shortest time of three, per picture."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        read()
        times.append((time.perf_counter() - start) / n)
    return min(times)


def main():
    """Print a line per kind of picture."""
    cv2.setNumThreads(1)  # only ours
    images = load_digits28().images[:64]
    drawn = [draw_picture(image, np.random.default_rng(k)) for k, image in enumerate(images)]
    photos = []
    for picture in drawn[:16]:
        photos.append(io.BytesIO())
        Image.fromarray(picture).resize((3000, 4000)).save(photos[-1], "jpeg", quality=90)
    photos = [photo.getvalue() for photo in photos]
    size = "{1}x{0}".format(
        *np.median([picture.shape[:2] for picture in drawn], axis=0).astype(int)
    )
    for name, pictures in ((f"arrays of {size}", drawn), ("JPEG of 3000x4000", photos)):
        for n_jobs in (1, 2):
            preprocessor = DigitPreprocessor(n_jobs=n_jobs, on_error="warn")
            took = seconds(lambda p=preprocessor, x=pictures: p.transform(x), len(pictures))
            print(f"{name}, n_jobs={n_jobs}: {took:.3f} s per picture", flush=True)
    page = np.asarray(Image.fromarray(drawn[0]).resize((200, 240)))
    page = np.tile(page, (5, 8, 1))
    print(f"a page of 40 digits: {seconds(lambda: find_digits(page), 1):.3f} s", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        for mode, form in FORMS:
            path = Path(folder, f"large.{form}")
            Image.fromarray(drawn[0]).resize((SIDE, SIDE)).convert(mode).save(path)
            for name, read in (("digit", DigitPreprocessor().stages), ("page", find_digits)):
                with peak_since() as memory:
                    read(path)
                print(f"{SIDE:,}x{SIDE:,} {mode} {form}, as a {name}: {memory.bytes / 1e6:.0f} MB",
                      flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

"""Accuracy on pictures of the MNIST test digits, compared with that on the test images.

Run it with ``python tests/benchmarks/pictures.py``. These pictures were not used to choose
anything: the preprocessing was developed on training images drawn with other seeds.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from synthetic_pictures import RULINGS, draw_picture

from skorch_mnist import DigitPreprocessor, MNISTCNNClassifier, fetch_mnist


def main():
    """Print a row of a table for each kind of picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1_000, help="of each kind")
    parser.add_argument("--random-state", type=int, default=2026)
    args = parser.parse_args()
    clf = MNISTCNNClassifier(random_state=0, verbose=0).fit(*fetch_mnist(return_X_y=True))
    test = fetch_mnist(subset="test")
    images, y = test.images[: args.pictures], test.target[: args.pictures]
    print(f"test images: {clf.score(test.data[: args.pictures], y):.3f}")
    print("| pictures | resized | DigitPreprocessor | ms a picture |\n|---|---|---|---|")
    kinds = [{"ruling": ruling} for ruling in RULINGS] + [{"light_on_dark": True}, {}]
    for number, kind in enumerate(kinds):
        pictures = [
            draw_picture(image, np.random.default_rng([args.random_state, i]), **kind)
            for i, image in enumerate(images)
        ]
        resized = [np.asarray(Image.fromarray(p).convert("L").resize((28, 28))) for p in pictures]
        start = time.perf_counter()
        with warnings.catch_warnings(record=True) as refused:
            warnings.simplefilter("always")
            X = DigitPreprocessor(on_error="warn").transform(pictures)
        seconds = time.perf_counter() - start
        name = next(iter(kind.values()), "all, dark on light") if number != 3 else "light on dark"
        print(
            f"| {name} | {clf.score(np.stack(resized), y):.3f} | {clf.score(X, y):.3f} "
            f"({len(refused)} refused) | {1000 * seconds / len(pictures):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

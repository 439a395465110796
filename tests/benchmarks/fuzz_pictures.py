"""Feed strange and damaged pictures to the reader: a digit or a PictureError must result.

Run it with ``python tests/benchmarks/fuzz_pictures.py --pictures 10000``. It needs no MNIST.
``--only NUMBER`` repeats one picture and shows the whole error.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import resource
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz_idx import mutate
from synthetic_pictures import draw_picture

from skorch_mnist import load_digits28
from skorch_mnist.pictures import DigitPreprocessor, PictureError, find_digits

MAX_PIXELS = 5_000_000
DTYPES = ("bool", "u1", "i1", "u2", ">u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "g",
          "c8", "O", "U1", "M8[s]")  # fmt: skip
FILES = (  # mode, format and options
    ("L", "png", {}), ("RGB", "png", {}), ("1", "png", {}), ("P", "png", {}), ("I;16", "png", {}),
    ("RGBA", "png", {}), ("LA", "png", {}), ("P", "png", {"transparency": 0}),
    ("RGB", "jpeg", {}), ("L", "jpeg", {}), ("CMYK", "jpeg", {}), ("RGB", "jpeg", {"exif": True}),
    ("RGB", "jpeg", {"progressive": True}), ("P", "gif", {}), ("L", "gif", {}),
    ("RGB", "gif", {"transparency": 0}), ("RGB", "bmp", {}), ("1", "bmp", {}), ("P", "bmp", {}),
    ("RGB", "webp", {}), ("RGBA", "webp", {"lossless": True}),
    ("L", "tiff", {}), ("RGB", "tiff", {"compression": "tiff_lzw"}), ("F", "tiff", {}),
    ("CMYK", "tiff", {"compression": "tiff_deflate"}), ("1", "tiff", {"compression": "group4"}),
    ("I;16", "tiff", {}), ("I", "tiff", {}), ("LAB", "tiff", {}), ("RGB", "tiff", {"exif": True}),
    ("RGB", "ppm", {}), ("RGB", "jpeg2000", {}), ("RGBA", "ico", {}),
)  # fmt: skip


def digit(rng, drawn):
    """Return a drawn digit in gray or color, small because most of the time goes into pixels."""
    picture = drawn[rng.integers(len(drawn))]
    side = int(rng.integers(20, 300))
    return np.asarray(Image.fromarray(picture).resize((side, int(side * rng.uniform(0.5, 2)))))


def encoded(rng, drawn):
    """Return the bytes of a file."""
    mode, form, options = FILES[rng.integers(len(FILES))]
    image = Image.fromarray(digit(rng, drawn)).convert("RGB")
    if mode == "LAB":
        image = Image.merge("LAB", image.split())
    elif mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)
    else:
        image = image.convert(mode)
    if options.get("exif"):
        exif = Image.Exif()
        exif[0x0112] = int(rng.integers(0, 12))
        exif[0x010E] = "a digit"
        options = {"exif": exif}
    if options.get("transparency") is not None:
        image = image.quantize(16)
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def damaged(rng, drawn):
    """Return a file with random changes, or two files in one."""
    data = encoded(rng, drawn)
    kind = rng.integers(4)
    if kind == 0:
        return data[: int(rng.integers(len(data) + 1))]
    if kind == 1:
        other = encoded(rng, drawn)
        return data[: int(rng.integers(len(data)))] + other[int(rng.integers(len(other))) :]
    if kind == 2:  # pixels only, which leaves headers intact
        data = bytearray(data)
        for place in rng.integers(len(data) // 4, len(data), int(rng.integers(1, 60))):
            data[place] ^= 1 << int(rng.integers(8))
        return bytes(data)
    return mutate(data, rng)


def strange_array(rng, drawn):
    """Return an array of any shape, type and content."""
    kind = rng.integers(9)
    if kind == 0:
        shape = tuple(rng.integers(0, 6, int(rng.integers(0, 6))).tolist())
    elif kind == 1:
        shape = tuple(
            rng.permutation([int(rng.integers(1, 4)), int(rng.integers(1, 400))]).tolist()
        )
    elif kind == 2:
        shape = (int(rng.integers(1, 12)), int(rng.integers(1, 12)))
    elif kind == 3:
        shape = (int(rng.integers(20, 60)), int(rng.integers(400, 1200)))[:: rng.choice([-1, 1])]
    else:
        shape = (int(rng.integers(1, 200)), int(rng.integers(1, 200)))
    if kind > 1 and rng.random() < 0.4:
        channels = int(rng.integers(1, 6))
        shape = (*shape, channels) if rng.random() < 0.7 else (channels, *shape)
    content = rng.integers(7)
    if content == 0:
        array = np.full(shape, rng.choice([0, 1, 0.5, 128, 255, 65_535, -1, 1e9, np.nan, np.inf]))
    elif content == 1:
        array = rng.random(shape) * rng.choice([1, 2, 255, 256, 65_535, 1e6])
    elif content == 2:  # mostly paper
        array = np.full(shape, float(rng.integers(256)))
        array[rng.random(shape) < rng.choice([0.001, 0.05, 0.5])] = rng.integers(256)
    elif content == 3:
        array = rng.normal(128, rng.choice([0.1, 5, 50]), shape).clip(0, 255)
    else:
        array = digit(rng, drawn).astype(float)
        if content == 4:
            array = array / 255
        if content == 5:
            margins = [(0, 0), (0, int(rng.integers(900))), (0, 0)]
            array = np.pad(array, margins[: array.ndim])
    array = np.asarray(array)
    if array.size and rng.random() < 0.05:
        array.flat[rng.integers(array.size)] = rng.choice([np.nan, np.inf, -np.inf, -1, 70_000])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = array.astype(DTYPES[rng.integers(len(DTYPES))] if rng.random() < 0.5 else "u1")
    if array.ndim and rng.random() < 0.3:  # not contiguous
        views = [array.T, array[::-1], array[..., ::-1], array[::2], np.asfortranarray(array)]
        array = views[rng.integers(len(views))]
    return array


def strange_image(rng, drawn):
    """Return a Pillow image of any mode and size."""
    modes = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA",
             "RGBX", "RGBa", "La", "I;16", "I;16B")  # fmt: skip
    mode = modes[rng.integers(len(modes))]
    size = tuple(int(side) for side in np.exp(rng.uniform(0, 6, 2)))
    if rng.random() < 0.5:
        image = Image.new(mode, size)
        if mode in ("L", "I", "F") and rng.random() < 0.5:
            image.putpixel((0, 0), 7)
        return image
    image = Image.fromarray(digit(rng, drawn))
    try:
        return image.convert(mode)
    except ValueError:  # no such conversion
        return image.convert("L").convert(mode) if mode in ("PA", "LA") else image.quantize(4)


KINDS = (damaged, damaged, damaged, encoded, strange_array, strange_array, strange_array,
         strange_image)  # fmt: skip


def check(picture, page):
    """Read a picture, check what was found, and return a word for the outcome."""
    outcomes = []
    try:
        stages = DigitPreprocessor(max_pixels=MAX_PIXELS).stages(picture)
    except PictureError as error:
        expect_named(error)
        outcomes.append("refused" if type(error) is PictureError else "no digit")
    else:
        outcomes.append("digit")
        image, box, shape = stages.image, stages.box, stages.picture.shape
        assert image.shape == (28, 28) and image.dtype == np.uint8 and image.max() > 100, image
        assert shape[:2] == stages.ink.shape == stages.kinds.shape, (shape, stages.kinds.shape)
        assert stages.ink.min() >= 0 and stages.ink.max() <= 1
        assert 0 <= box[0] < box[2] and 0 <= box[1] < box[3], box
        assert all(isinstance(side, int) for side in box)
        assert stages.digit.max() == 1 and stages.digit.min() >= 0
        assert (stages.kinds == 1).any()
    if not page:
        return outcomes[0]
    try:
        found = find_digits(picture, page="auto", max_pixels=MAX_PIXELS)
    except ValueError as error:
        expect_named(error)
        outcomes.append("refused")
    else:
        n = len(found.boxes)
        outcomes.append(f"{min(n, 2)} digits")
        assert found.images.shape == (n, 28, 28) and found.boxes.shape == (n, 4)
        assert len(found.crops) == n and (not n or found.images.max(axis=(1, 2)).min() > 100)
        for (left, top, right, bottom), crop in zip(found.boxes.tolist(), found.crops, strict=True):
            assert 0 <= left < right and 0 <= top < bottom, found.boxes
            assert crop.shape == (bottom - top, right - left, 3), (found.boxes, crop.shape)
    return " / ".join(outcomes)


def expect_named(error):
    """Check that an error is about the picture."""
    assert "the picture" in str(error) or "a single picture, got " in str(error), error


def describe(picture):
    """Return a short description of a picture."""
    if isinstance(picture, np.ndarray):
        return f"array of shape {picture.shape}, {picture.dtype}"
    if isinstance(picture, Image.Image):
        return f"image of mode {picture.mode}, {picture.size}"
    return f"file of {len(picture)} bytes, {picture[:12]!r}"


def main():
    """Print what came of the pictures, and each kind of failure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--random-state", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="look for pages less often")
    parser.add_argument("--only", type=int)
    args = parser.parse_args()
    faulthandler.enable()
    images = load_digits28().images[:100]
    drawn = [draw_picture(image, np.random.default_rng(k)) for k, image in enumerate(images)]
    outcomes, failures, slowest = Counter(), Counter(), (0.0, "")
    start, before = time.monotonic(), None
    for number in range(args.pictures) if args.only is None else [args.only]:
        rng = np.random.default_rng([args.random_state, number])
        picture = KINDS[number % len(KINDS)](rng, drawn)
        begin = time.monotonic()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                outcomes[check(picture, page=number // len(KINDS) % args.every == 0)] += 1
            except Exception as error:
                frames = traceback.extract_tb(error.__traceback__)
                ours = [frame for frame in frames if "/pictures/" in frame.filename] or frames
                key = f"{type(error).__name__} {ours[-1].filename}:{ours[-1].lineno}"
                failures[key] += 1
                if failures[key] == 1 or args.only is not None:
                    print(f"{number}: {describe(picture)}: {key}: {error}", flush=True)
                    if args.only is not None:
                        traceback.print_exc()
        for warning in caught:
            key = f"warning {warning.filename}:{warning.lineno}"
            failures[key] += 1
            if failures[key] == 1:
                print(f"{number}: {describe(picture)}: {key}: {warning.message}", flush=True)
        slowest = max(slowest, (time.monotonic() - begin, f"{number}: {describe(picture)}"))
        if number % 1000 == 999:
            print(f"{number + 1:,} pictures after {time.monotonic() - start:.0f} s", flush=True)
        if number == 500:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{sum(outcomes.values()):,} pictures in {time.monotonic() - start:.0f} s")
    for outcome, count in outcomes.most_common():
        print(f"{count:7,} {outcome}")
    print("slowest:", slowest)
    print(f"peak memory {peak // 1024} MB, after the first 500 {(before or peak) // 1024} MB")
    print("failures:", dict(failures))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()

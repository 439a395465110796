"""Fonts: those of the system that have ordinary digits, and what Matplotlib brings along."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .strokes import cropped_to_ink

# Files of families with Latin digits; other scripts and symbols are left out.
_NAMES = (
    "CourierPrime-*", "DejaVuSans*", "DejaVuSerif*", "Free*", "Lato-*", "Liberation*",
    "NotoMono-*", "NotoSans-*", "NotoSansMono-*", "NotoSerif-*", "OCRB", "OpenSans-*", "Roboto*",
    "Ubuntu*",
)  # fmt: skip
_UNFIT = ("Hairline", "Thin", "ExtraLight", "SansDisplay", "SerifDisplay")  # or without digits
_SYSTEM = (Path("/usr/share/fonts"), Path("/Library/Fonts"), Path("C:/Windows/Fonts"))


@lru_cache(maxsize=1)
def font_files():
    """Return the paths of the fonts, sorted by name.

    Install more for more variety, such as Debian's fonts-freefont-ttf, fonts-lato,
    fonts-liberation, fonts-noto-core, fonts-open-sans and fonts-roboto-unhinted. The printed
    pictures of a seed change with the fonts.
    """
    folders = [folder for folder in _SYSTEM if folder.is_dir()]
    if spec := find_spec("matplotlib"):
        folders.append(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf")
    files = {}
    for folder in folders:
        for name in _NAMES:
            for suffix in ("ttf", "otf"):
                for path in folder.rglob(f"{name}.{suffix}"):
                    if not any(word in path.name for word in _UNFIT):
                        files.setdefault(path.name, path)
    if not files:
        raise FileNotFoundError("No fonts were found. Install Matplotlib, which brings DejaVu")
    return tuple(str(files[name]) for name in sorted(files))


def any_font(rng):
    """Return the path of a font, each family as often as another."""
    families = {}
    for path in font_files():
        families.setdefault(Path(path).stem.split("-")[0][:9], []).append(path)
    family = sorted(families)[rng.integers(len(families))]
    return families[family][rng.integers(len(families[family]))]


def printed(text, font, height):
    """Return the coverage float32 of a text, cropped to its ink; digits are ``height`` high."""
    more = 4 if height < 60 else 1
    loaded = _loaded(font, round(height * more / 0.72))
    left, top, right, bottom = loaded.getbbox(text)
    size = [-(-int(n + 4) // more) * more + more for n in (right - left, bottom - top)]
    canvas = Image.new("L", size)
    ImageDraw.Draw(canvas).text((1 - left, 1 - top), text, fill=255, font=loaded)
    cover = np.asarray(canvas.reduce(more), dtype=np.float32) / 255
    return cropped_to_ink(cover) if cover.any() else cover


@lru_cache(maxsize=64)
def _loaded(font, size):
    return ImageFont.truetype(font, size)

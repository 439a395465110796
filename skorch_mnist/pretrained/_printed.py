"""Printed digits and other characters, in free fonts from Debian packages."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

# Debian packages, without the families in tests/synthetic_pictures/fonts.py, which are for testing.
FAMILIES = """
    3270 adf-accanthis adf-baskervald adf-berenis adf-gillius adf-ikarius adf-libris adf-romande
    adf-switzera adf-tribun adf-universalis adf-verana agave anonymous-pro arapey averia-gwf
    averia-sans-gwf averia-serif-gwf b612 bebas-neue beteckna breip bwht cabin cantarell
    clear-sans comfortaa comic-neue crosextra-caladea crosextra-carlito dancingscript
    dkg-handwriting dosis dseg ebgaramond engadget essays1743 eurofurence f500 fanwood
    fantasque-sans firacode gfs-didot gfs-neohellenic gnutypewriter go goudybookletter hermit
    humor-sans inconsolata inter isabella jetbrains-mono junction junicode jura karla
    kaushanscript klee kristi league-mono league-spartan leckerli-one lindenhill lmodern lobster
    lobstertwo manrope monofur monoid mononoki national-park ocr-a okolaks oldstandard opendin
    opendyslexic osifont oxygen paratype play prociono quattrocento quicksand radisnoir roadgeek
    rufscript sil-andika sil-charis sil-gentium sjfonts smc-chilanka sora spleen summersby
    texgyre tiresias tlwg-purisa-ttf tomsontalks tuffy urw-base35 vollkorn yanone-kaffeesatz
""".split()  # noqa: SIM905
PER_PACKAGE = 4  # fonts; some packages have one, others have forty weights of the same font
UNFIT = ("D050000L", "DSEG14", "DSEG7SEGG", "DSEGWeather", "latinmodern-math")
SIZE = 128  # pixels of the em while a character is drawn
# Characters that do not look like a digit when they are cropped and scaled: O is a 0, S is a 5.
NO_DIGITS = (
    "ACEFHKLMNPRTUVWXYÆÇÑÐÞÄÅÉÊÛacdefhkmnprtuvwxæçñðäåéêüþ"
    "ΓΔΛΞΠΣΦΨαγηλπτφψωЖИЛФЦШЩЮЯджилфцшщюя"
    '"#%*+-.:<=>@^_~¢£€¥¶±×÷µ√∞∑∏≈≠≤≥→←♥♦♣♠★☺■□▲△▼▽◆◇'
)


def font_files(rng: np.random.Generator) -> list[str]:
    """Return the paths of some fonts of each package.

    Raises
    ------
    FileNotFoundError
        If this is not Debian, or a package is not installed.
    """
    if shutil.which("dpkg") is None:
        raise FileNotFoundError(
            "The fonts are Debian packages. Run this on Debian 12, for example in a container."
        )
    chosen: list[str] = []
    missing = []
    for family in FAMILIES:
        package = f"fonts-{family}"
        listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True)
        files = sorted(
            line
            for line in listed.stdout.splitlines()
            if line.endswith((".ttf", ".otf")) and not any(name in line for name in UNFIT)
        )
        if not files:
            missing.append(package)
        places = rng.permutation(len(files))[:PER_PACKAGE]
        chosen += [files[place] for place in sorted(places)]
    if missing:
        raise FileNotFoundError(
            "Fonts are missing. On Debian 12, run apt-get install --no-install-recommends "
            + " ".join(missing)
        )
    return chosen


def print_character(
    character: str, font: str, height: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the ink of a printed character of about the given height.

    Parameters
    ----------
    character : str
        A digit, or another character of the font.
    font : str
        Path of a font.
    height : float
        Height of the character in pixels.
    rng : numpy.random.Generator
        Chooses how much the character is stretched.

    Returns
    -------
    ndarray of shape (height, width), dtype float32, 0 (paper) to 1 (ink)
    """
    loaded = _loaded(font)
    left, top, right, bottom = loaded.getbbox(character)
    canvas = Image.new("L", (int(right - left), int(bottom - top)))
    ImageDraw.Draw(canvas).text((-left, -top), character, fill=255, font=loaded)
    width = height * canvas.width / canvas.height * np.exp(rng.normal(0, 0.06))
    size = (max(1, round(float(width))), max(1, round(height)))
    resized = np.asarray(canvas.resize(size, Image.Resampling.BOX))
    return np.asarray(resized / 255, np.float32)


def has_character(character: str, font: str) -> bool:
    """Whether a font draws a character, instead of nothing or a box."""
    shown, missing = (_loaded(font).getmask(text) for text in (character, "\uffff"))
    return shown.getbbox() is not None and bytes(shown) != bytes(missing)


@cache
def _loaded(font: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font, SIZE)

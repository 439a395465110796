"""Letters: the text that is printed around digits."""

from __future__ import annotations

from .fonts import any_font, printed
from .scene import ink_color

# Text without digits, so that all digits of a page are known.
_TEXT = """
amount code date number postal total account name street city country phone invoice order
please fill in every row column and box so that each value appears only once easy medium
difficult puzzle of the day solution next page see also meter reading customer signature
"""


def sentence(rng, n_words):
    """Return some words."""
    known = _TEXT.split()
    words = [known[i] for i in rng.integers(len(known), size=n_words)]
    return " ".join(words).capitalize()


def put_text(scene, rng, height, top, left, width, n_lines, *, font=None, color=None):
    """Print lines of text, ``height`` pixels high, into a column of a width; return its bottom."""
    font = any_font(rng) if font is None else font
    color = ink_color(rng, ("black", "black", "pencil")) if color is None else color
    for _ in range(n_lines):
        cover = printed(sentence(rng, int(rng.integers(3, 9))), font, height)
        scene.put(cover[:, : max(1, int(width))], color, int(top), int(left))
        top += 1.9 * height
    return top

"""The examples of the guide that need no download, and the links between pages."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "guide"


def test_the_examples_for_users_of_skorch_give_the_output_that_the_page_shows():
    page = str(GUIDE / "coming_from_skorch.md")
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    failed, tried = doctest.testfile(page, module_relative=False, optionflags=flags)
    assert tried > 25 and not failed


def test_links_between_pages_lead_to_files_of_a_checkout():
    links = [
        (page, link)
        for page in (ROOT / "README.md", *ROOT.glob("docs/*/*.md"))
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in link
    ]
    built = "auto_examples"  # the folder of pages that Sphinx makes of the gallery
    dead = [link for page, link in links if built in link or not (page.parent / link).exists()]
    assert len(links) > 50 and not dead

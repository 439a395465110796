"""The examples of the guide that need no download."""

from __future__ import annotations

import doctest
from pathlib import Path

GUIDE = Path(__file__).parents[1] / "docs" / "guide"


def test_the_examples_for_users_of_skorch_give_the_output_that_the_page_shows():
    page = str(GUIDE / "coming_from_skorch.md")
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    failed, tried = doctest.testfile(page, module_relative=False, optionflags=flags)
    assert tried > 25 and not failed

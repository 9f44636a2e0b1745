"""A hook of the site: a link that leaves docs/ becomes the name of the file, since the site holds no source.

And `A\\|B` in a table, which GitHub needs, becomes `A|B`.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Replace [words](../../src/wgan/losses.py) by words (`src/wgan/losses.py`), and bars in code that GitHub has escaped."""
    folder = posixpath.dirname(page.file.src_uri)

    def inside(found: re.Match[str]) -> str:
        words, target = found[1], found[2]
        if re.match(r"\w+:", target):
            return found[0]
        path = posixpath.normpath(posixpath.join("docs", folder, target))
        if path.startswith("docs/") and not path.startswith("docs/examples"):
            return found[0]
        name = path.removeprefix("../")
        return f"`{name}`" if words.strip("`") in name else f"{words} (`{name}`)"

    return CODE.sub(lambda code: code[0].replace("\\|", "|"), LINK.sub(inside, markdown))

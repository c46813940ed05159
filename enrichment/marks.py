"""Marker characters: masking overwrites markup with them, so that each remaining character keeps its position.

They are Unicode noncharacters, which no text should contain. A text that does contain some has them replaced by DROP.
"""

import re

DROP, BREAK, ITEM, LINK, LINK_END = (chr(0xFDD0 + i) for i in range(5))
HEADS = {str(level): chr(0xFDE0 + level) for level in range(1, 7)}  # the start of a heading, by its level
MARKS = "".join(chr(code) for code in range(0xFDD0, 0xFDF0))
_WITHOUT_MARKS = str.maketrans(dict.fromkeys(MARKS, DROP))


def without_marks(text: str) -> str:
    """`text` with each character of `MARKS` replaced by DROP."""
    return text.translate(_WITHOUT_MARKS)


def overwrite(text: str, mark: str) -> str:
    """As many characters of `mark` as `text` has; line ends stay."""
    return re.sub(r"[^\n]", mark, text)

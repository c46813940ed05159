"""Turns reStructuredText into Markdown of the same length."""

import re

from enrichment.marks import BREAK

_EXPLICIT = re.compile(r"\.\.(?: \S|$|\S)")  # a directive, a comment, a target or a footnote
_UNDERLINE = re.compile(r"""([=\-~^"'*+#:._`])\1{2,}""")
_FIELD = re.compile(r":[A-Za-z][A-Za-z -]{0,40}:(?: |$)")


def mask_restructuredtext(text: str) -> str:
    """Titles get Markdown's underlines. Directives, comments, literal blocks and fields are overwritten, with the lines
    that are indented under them."""
    lines, masked, is_nested = text.split("\n"), [], False
    for i, line in enumerate(lines):
        bare = line.strip()
        title = lines[i - 1].strip() if i else ""
        is_nested = is_nested and (not bare or line[0] in " \t")
        if is_nested or _EXPLICIT.match(line) or _FIELD.match(line):
            is_nested = is_nested or bool(_EXPLICIT.match(line))
            masked.append(BREAK * len(line) if bare else line)
        elif title and _UNDERLINE.fullmatch(bare) and len(bare) >= len(title) > 0:
            masked.append(("=" if bare[0] == "=" else "-") * len(line))
        else:
            is_nested = bare.endswith("::")
            masked.append(line)
    return "\n".join(masked)

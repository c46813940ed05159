"""A text with everything but its prose overwritten: each remaining character keeps its position."""

from enrichment.asciidoc import mask_asciidoc
from enrichment.html_masking import mask_html
from enrichment.markdown_regions import markdown_regions, plain_regions
from enrichment.marks import without_marks
from enrichment.markup_format import markup_format
from enrichment.org import mask_org
from enrichment.restructuredtext import mask_restructuredtext

_MASKS = {"asciidoc": mask_asciidoc, "org": mask_org, "restructuredtext": mask_restructuredtext}


def mask_readme(source: str) -> str:
    """`source` as Markdown without HTML, as many characters, lines ended by \\n.

    Comments, tags, hidden elements, and the markup of AsciiDoc, Org and reStructuredText are overwritten by `MARKS`.
    """
    text = _normal(source)
    if mask := _MASKS.get(markup_format(text)):
        text = mask(text)
    return mask_html(text, markdown_regions(text))


def mask_description(source: str) -> str:
    """The same of a description: its indentation and fences mean nothing."""
    text = _normal(source)
    if markup_format(text) == "restructuredtext":
        text = mask_restructuredtext(text)
    return mask_html(text, plain_regions(text))


def _normal(source: str) -> str:
    return without_marks(source.replace("\r\n", " \n").replace("\r", "\n"))

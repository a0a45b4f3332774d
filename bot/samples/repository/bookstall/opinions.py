"""Customers' book reviews: Markdown in, HTML that is safe to show out."""

import bleach
import markdown2

TAGS = ["a", "blockquote", "br", "em", "li", "ol", "p", "strong", "ul"]


def as_html(text: str) -> str:
    html = markdown2.markdown(text)
    return bleach.clean(html, tags=TAGS)

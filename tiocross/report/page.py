"""The parts of a page, each as `Html`: what is plain text among what they are given is escaped."""

import base64
import shlex
import struct

from tiocross import __version__
from tiocross.report.style import CSS
from tiocross.shown import Html, element, join

_WIDTHS = ((1300, "wider"), (700, "wide"))  # in pixels: from which a figure is scrolled, not shrunk, on a narrow screen


def page(kind, question, *parts):
    """A whole page: ``kind`` of results, the ``question`` as its heading, then its parts."""
    head = element("head", element("meta", charset="utf-8"),
                   element("meta", name="viewport", content="width=device-width, initial-scale=1"),
                   element("meta", name="color-scheme", content="light dark"),
                   element("meta", name="generator", content=f"tiocross {__version__}"),
                   element("title", f"{question} ({kind})"), element("style", Html(CSS)))
    foot = element("footer", f"Made by tiocross {__version__} from the files in this folder. Nothing on this page is loaded "
                             "from elsewhere.")
    body = element("body", element("main", element("p", kind, class_="kind"), element("h1", question), *parts, foot))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def section(title, *parts):
    """A part of the page with a heading."""
    return element("section", element("h2", title), *parts, aria_label=title)


def paragraph(*parts, class_=None):
    """A paragraph."""
    return element("p", *parts, class_=class_)


def answer(*sentences):
    """The answer, set apart; one paragraph for each sentence."""
    return section("The answer", element("div", *map(paragraph, sentences), class_="answer"))


def warning(*parts):
    """A warning, set apart."""
    return element("div", paragraph(*parts), class_="warning")


def bullets(items, class_=None):
    """A list of items."""
    return element("ul", *(element("li", item) for item in items), class_=class_)


def facts(pairs):
    """Names and what they are, pair by pair."""
    return element("dl", *(join(element("dt", name), element("dd", value)) for name, value in pairs))


def command(*words):
    """What to type: words with the quotes that a shell needs."""
    return shlex.join(map(str, words))


def code(text):
    """What to type, or what a file says."""
    return element("pre", element("code", text))


def scrolling(table, label):
    """A table that is scrolled within itself where the page is too narrow for it."""
    return element("div", table, class_="scroll", role="region", aria_label=label, tabindex="0")


def folded(summary, *parts):
    """What is seen only by who asks for it."""
    return element("details", element("summary", summary), *parts)


def picture(png, title, caption, alt, *, half=False):
    """A figure from the bytes of a PNG file, on white ground, with its caption; ``half`` a page high at most in print."""
    width, height = struct.unpack(">II", png[16:24])
    source = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    image = element("img", src=source, alt=alt, width=width, height=height,
                    class_=next((name for least, name in _WIDTHS if width > least), None))
    card = element("div", image, class_="card", tabindex="0", role="group", aria_label=title)
    return element("figure", card, element("figcaption", element("strong", f"{title}. "), caption),
                   class_="half" if half else None)


def pictures(folder, known):
    """The figures of a folder, in the order of ``known``: name -> (title, caption, alt); those that lack are named."""
    parts, missing = [], []
    for name, (title, caption, alt) in known.items():
        path = folder / f"{name}.png"
        content = path.read_bytes() if path.is_file() else b""
        if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) > 24:
            parts.append(picture(content, title, caption, alt))
        else:
            missing.append(path.name)
    if missing:
        parts.append(warning(f"Not in the folder, and so not shown: {', '.join(missing)}."))
    return section("Figures", *parts)


def with_interval(value, low, high, *, digits):
    """A number with its interval below it, for a cell of a table."""
    return join(f"{value:.{digits}f}", element("span", f" [{low:.{digits}f}, {high:.{digits}f}]", class_="interval"))

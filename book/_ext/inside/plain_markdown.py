"""MyST Markdown as Markdown that every notebook program shows well.

JupyterLab, VS Code and Colab do not know MyST's directives and roles. What the pages use of them is
put into plain Markdown and a little HTML: boxes, folded answers, numbered equations, citations,
references, links between pages.
"""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from docutils import nodes
from sphinx.application import Sphinx

FENCE = re.compile(
    r"^(?P<indent>\s*)(?P<fence>:{3,}|`{3,}|~{3,})(?:\{(?P<name>[\w:-]+)\})?(?P<rest>.*)$"
)
OPTION = re.compile(r"^:([\w-]+):\s*(.*)$")
TARGET_OR_COMMENT = re.compile(r"^(\([^)\s]+\)=\s*|%.*)$")
NUMBERED = re.compile(r"\$\$(.+?)\$\$[ \t]*\(([^()\s]+)\)", re.DOTALL)
# A role, or a code span: taking both in one pass keeps code that looks like a role as it is.
ROLE = re.compile(
    r"\{(?P<role>[\w:-]+)\}(?P<ticks>`+)(?P<text>.+?)(?P=ticks)|(?P<code>(?P<open>`+).+?(?P=open))",
    re.DOTALL,
)
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<to>[^()\s]+)\)")
EXPLICIT = re.compile(r"^(?P<text>.*?)\s*<(?P<to>[^<>]+)>$", re.DOTALL)

WITH_TITLE = (
    "note",
    "tip",
    "hint",
    "important",
    "warning",
    "caution",
    "danger",
    "attention",
    "error",
    "seealso",
)
WITHOUT_TITLE = ("grid", "grid-item", "tab-set")
LEFT_OUT = ("contents", "tableofcontents", "toctree", "raw", "only", "eval-rst", "index")


class Page:
    """What a page's text refers to: equations, sources, other pages.

    A reference that leads nowhere keeps its name: Sphinx itself has reported it by then.

    Parameters
    ----------
    app : the running Sphinx, after it has read every page
    docname : the page
    """

    def __init__(self, app: Sphinx, docname: str) -> None:
        self.env, self.docname = app.env, docname

    def equation(self, label: str) -> str:
        """Number of an equation, as the built page shows it."""
        docname, serial = self.env.get_domain("math").equations.get(label, (self.docname, label))
        numbers = self.env.toc_fignumbers.get(docname, {}).get("displaymath", {})
        return ".".join(map(str, numbers.get(f"equation-{nodes.make_id(label)}", (serial,))))

    def cite(self, keys: str, role: str) -> str:
        """Authors and year of each source: in brackets, or with the year in brackets for the role
        ``cite:t``.
        """
        entries = {
            citation.key: citation.entry for citation in self.env.get_domain("cite").citations
        }
        named = []
        for key in re.split(r"\s*,\s*", keys.strip()):
            if key not in entries:
                named.append((key, "?"))
                continue
            entry = entries[key]
            names = [
                " ".join(person.prelast_names + person.last_names)
                for person in entry.persons["author"]
            ]
            authors = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
            named.append((authors, entry.fields["year"]))
        if role == "cite:t":
            return ", ".join(f"{authors} [{year}]" for authors, year in named)
        return "[" + "; ".join(f"{authors}, {year}" for authors, year in named) + "]"

    def references(self) -> str:
        """List the sources that the page lists."""
        listed = [
            citation.formatted_entry.text.render_as("markdown")
            for citation in self.env.get_domain("cite").citations
            if citation.bibliography_key.docname == self.docname
        ]
        # The escapes of pybtex are right but more than Markdown needs.
        return "\n".join(
            "- " + re.sub(r"\\([.():-])", r"\1", " ".join(text.split())) for text in listed
        )

    def image(self, path: str) -> Path:
        """File of an image that the page names."""
        return Path(self.env.relfn2path(path, self.docname)[1])

    def link(self, text: str, to: str) -> str:
        """Link to another page's notebook; only the text where the target is none."""
        file = to.partition("#")[0]
        if file.endswith(".md"):
            # As in Sphinx, "/book/one/bptt" starts at the top of the book, and "bptt" is beside
            # this page.
            folder = str(PurePosixPath(self.docname).parent)
            target = (
                normpath(f"{'' if file.startswith('/') else folder}/{file}")
                .strip("/")
                .removesuffix(".md")
            )
            if target in self.env.titles:
                text = text or self.env.titles[target].astext()
                if "kernelspec" in self.env.metadata.get(target, {}):
                    return f"[{text}]({relpath(target, folder)}.ipynb)"
        return text

    def reference(self, role: str, text: str) -> str:
        """Text of a reference to a heading, figure or page."""
        if explicit := EXPLICIT.match(text):
            return explicit["text"]
        if role == "doc":
            return self.link("", text if text.endswith(".md") else f"{text}.md")
        labels = self.env.get_domain("std").labels
        return labels[text.lower()][2] if text.lower() in labels else text


def plain(text: str, page: Page) -> str:
    """Plain Markdown for the MyST text of a page, or of a part of it."""
    out: list[str] = []
    prose: list[str] = []

    def flush() -> None:
        if prose:
            out.append(_prose("\n".join(prose), page))
            prose.clear()

    lines = text.splitlines()
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        opening = FENCE.match(line)
        if not opening or (opening["fence"][0] == ":" and not opening["name"]):
            if not TARGET_OR_COMMENT.match(line):
                prose.append(line)
            continue
        end = _closing(lines, position, opening["fence"])
        body, position = lines[position:end], end + 1
        flush()
        if opening["name"]:
            out.append(_directive(opening["name"], opening["rest"].strip(), body, page))
        else:
            out.append("\n".join([line, *body, opening["indent"] + opening["fence"]]))
    flush()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()


def _closing(lines: list[str], start: int, fence: str) -> int:
    for number in range(start, len(lines)):
        line = lines[number].strip()
        if len(line) >= len(fence) and set(line) == {fence[0]}:
            return number
    return len(lines)


def _directive(name: str, argument: str, body: list[str], page: Page) -> str:
    options, body = _options(body)
    content = "\n".join(body)
    if name in LEFT_OUT:
        return ""
    if name == "bibliography":
        return page.references()
    if name == "math":
        tag = rf"\tag{{{page.equation(options['label'])}}}" if "label" in options else ""
        return f"$$\n{content.strip()}{tag}\n$$"
    if name in ("code", "code-block", "sourcecode"):
        return f"```{argument}\n{content}\n```"
    if name in ("figure", "image"):
        return _image(argument, options, plain(content, page), page)
    inner = plain(content, page)
    if name == "dropdown" or (
        name == "admonition" and "dropdown" in options.get("class", "").split()
    ):
        return f"\n<details>\n<summary>{plain(argument, page)}</summary>\n\n{inner}\n\n</details>\n"
    if name == "admonition" or name in WITH_TITLE:
        # MyST lets the text of a note begin on the line of its name.
        title, inner = (
            (argument, inner)
            if name == "admonition"
            else (name.capitalize(), f"{argument}\n{inner}".strip())
        )
        box = f"**{plain(title, page)}**\n\n{inner}"
        return "\n" + "\n".join(f"> {line}".rstrip() for line in box.splitlines()) + "\n"
    if name in WITHOUT_TITLE:
        argument = ""  # a number of columns
    return f"\n{f'**{plain(argument, page)}**' if argument and inner else ''}\n\n{inner}\n"


def _options(body: list[str]) -> tuple[dict[str, str], list[str]]:
    options = {}
    while body and (option := OPTION.match(body[0].strip())):
        options[option[1]] = option[2]
        body = body[1:]
    return options, body


def _image(path: str, options: dict[str, str], caption: str, page: Page) -> str:
    if "only-dark" in options.get("class", "").split():
        return ""  # its light twin stands beside it
    file = page.image(path)
    if not file.is_file():
        return caption
    kind = mimetypes.guess_type(file.name)[0]
    data = base64.b64encode(file.read_bytes()).decode()
    return f"\n![{options.get('alt', '')}](data:{kind};base64,{data})\n\n{caption}\n"


def _prose(text: str, page: Page) -> str:
    text = NUMBERED.sub(
        lambda found: rf"$${found[1].rstrip()}\tag{{{page.equation(found[2])}}}$$", text
    )
    return ROLE.sub(
        lambda found: found["code"] or _role(found["role"], found["text"], page), _links(text, page)
    )


def _links(text: str, page: Page) -> str:
    def replaced(found: re.Match[str]) -> str:
        external = re.match(r"[a-z]+:", found["to"])
        return found[0] if external else page.link(found["text"], found["to"])

    return LINK.sub(replaced, text)


def _shown(text: str) -> str:
    """What a reader sees of ``text <target>``."""
    return explicit["text"] if (explicit := EXPLICIT.match(text)) else text


def _role(role: str, text: str, page: Page) -> str:
    if role.startswith("cite"):
        return page.cite(text, role)
    plain_roles: dict[str, Callable[[], str]] = {
        "eq": lambda: f"({page.equation(text)})",
        "math": lambda: f"${text}$",
        "code": lambda: f"`{text}`",
        "kbd": lambda: f"`{text}`",
        "index": lambda: _shown(text),
        "term": lambda: _shown(text),
    }
    return plain_roles.get(role, lambda: page.reference(role, text))()

"""Every citation in the tree leads somewhere: to a section that exists, or to a document that does.

The documents are docs/wire.md (the Live API's wire) and docs/audio.md (sound and speech), named so everywhere. Their
sections have labels: a number (`5`, `6.2`), a letter and a number (`A4`), or the first cell of a row in a table of
numbered points (`F6`, `C2`). Digits, F and C are labels of the wire, A and B of the audio document.

A citation stands in a comment, a docstring or a Markdown file, and has one of three forms:

 * the document's name, then a label or several with a comma, "and" or "to" between them: docs/wire.md 6.1, or
   docs/audio.md A2 and A6. The name alone cites the whole document. "section" is not written.
 * labels alone, where parentheses hold nothing else: (6.2), or (1.5, C2). This form is for a file that names the
   document in its module docstring, or above the first table or heading of the second level in Markdown.
 * a cell of a Markdown table, in a column whose heading is the document's name: labels with commas between them.

So parentheses that hold a number of another kind and nothing else are written in another way: "3 s", "line 3".
What is in backquotes in Markdown is code, and cites nothing.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import livechat

ROOT = Path(livechat.__file__).parent.parent
CODE = sorted(path for part in ("livechat", "tests", "benchmarks") for path in (ROOT / part).rglob("*.py"))
PAGES = sorted(path for part in (".", "docs", "tests", "benchmarks") for path in (ROOT / part).glob("*.md"))

_LABEL = r"(?:\d{1,2}(?:\.\d{1,2})?|[ABCF]\d{1,2})(?!\w|\.\d)"
_EXPLICIT = re.compile(rf"(docs/(?:wire|audio)\.md)\s+({_LABEL}(?:(?:,\s+|\s+and\s+|\s+to\s+){_LABEL})*)")
_BARE = re.compile(rf"\(({_LABEL}(?:,\s+{_LABEL})*)\)")
_SECTION = re.compile(r"^##+ (\d{1,2}(?:\.\d{1,2})?|[AB]\d{1,2})\.? |^\| ([CF]\d{1,2}) \|", re.MULTILINE)
_PAGE = re.compile(r"(?<![\w./-])(?:[\w-]+/)*[\w-]+\.md\b")


def owner(label: str) -> str:
    """The document that a label is of."""
    return "docs/audio.md" if label[0] in "AB" else "docs/wire.md"


def sections(document: str) -> set[str]:
    """The labels that a document has."""
    found = _SECTION.findall((ROOT / document).read_text(encoding="utf-8"))
    return {number or point for number, point in found}


def cited(prose: str, top: str) -> Iterator[tuple[str, str]]:
    """(document, label) of each citation in `prose`; in the bare form where `top` does not name it: ("", label)."""
    for document, labels in _EXPLICIT.findall(prose):
        yield from ((document, label) for label in re.findall(_LABEL, labels))
    for labels in _BARE.findall(prose):
        yield from ((owner(label) if owner(label) in top else "", label) for label in re.findall(_LABEL, labels))


def comments(source: str) -> Iterator[str]:
    """The comments of a file; those that fill neighbouring lines as one."""
    block, last = "", -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        whole_line = token.line.lstrip().startswith("#")
        if not whole_line or token.start[0] != last + 1:
            yield block
            block = ""
        block = f"{block} {token.string.lstrip('# ')}"
        last = token.start[0] if whole_line else -1
    yield block


def prose_of(path: Path) -> tuple[list[str], str]:
    """What can cite in a file, and the part at its top that says which document the bare form means."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        text = re.sub(r"`[^`\n]*`", "`", text)
        return [text, *columns(text)], f"{path.relative_to(ROOT)} {re.split(r'^(?:## |[|])', text, flags=re.M)[0]}"
    tree = ast.parse(text)
    bodies = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, bodies)]
    return [*docstrings, *comments(text)], ast.get_docstring(tree) or ""


def columns(text: str) -> Iterator[str]:
    """The cells of columns headed by a document's name, as explicit citations."""
    at: dict[int, str] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("|"):
            at = {}
        elif not at:
            at = {n: cell for n, cell in enumerate(cells) if cell in ("docs/wire.md", "docs/audio.md")} or {-1: ""}
        else:
            yield from (f"{name} {cells[n]}" for n, name in at.items() if name and n < len(cells) and cells[n])


@pytest.mark.parametrize("path", [*CODE, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_file_cites_exists(path: Path) -> None:
    known = {document: sections(document) for document in ("docs/wire.md", "docs/audio.md")}
    prose, top = prose_of(path)
    citations = [citation for part in prose for citation in cited(part, top)]
    assert [label for document, label in citations if not document] == [], "the file's top does not say of what"
    assert [(document, label) for document, label in citations if label not in known[document]] == []


@pytest.mark.parametrize("path", [*CODE, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_that_a_file_names_exists(path: Path) -> None:
    prose, _ = prose_of(path)
    named = {name for part in prose for name in _PAGE.findall(part)}
    assert {name for name in named if not (ROOT / name).exists() and not (path.parent / name).exists()} == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_leads_to_a_file_or_to_another_place(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


def test_both_documents_have_sections_and_no_label_twice() -> None:
    for document in ("docs/wire.md", "docs/audio.md"):
        labels = [a or b for a, b in _SECTION.findall((ROOT / document).read_text(encoding="utf-8"))]
        assert labels
        assert sorted(labels) == sorted(set(labels))
        assert {owner(label) for label in labels} == {document}


@pytest.mark.parametrize(
    ("prose", "found"),
    [
        ("seen (docs/wire.md 6.1, where it is told)", ["6.1"]),
        ("Rules: docs/wire.md 0.3, 4 and 6.1.", ["0.3", "4", "6.1"]),
        ("as docs/wire.md\n1.2 to 1.4 say", ["1.2", "1.4"]),
        ("the longest (6.2)", ["6.2"]),
        ("early (F6), and never (1.5, C2)", ["F6", "1.5", "C2"]),
        ("docs/audio.md A2", ["A2"]),
        # no citations
        ("docs/wire.md says so", []),
        ("in 3.4.0 and v6.1, after 6.2 s", []),
        ("numbers in [0, 1), (1, 2] and RFC 9639 8.2", []),
        ("the second (3 s), the third (n = 5), (2026)", []),
        ("F4 and M (C0 and C1 controls)", []),
    ],
)
def test_the_grammar(prose: str, found: list[str]) -> None:
    assert [label for _, label in cited(prose, "docs/wire.md")] == found


def test_a_label_alone_needs_a_file_that_says_of_what() -> None:
    assert list(cited("the longest (6.2)", "of docs/audio.md")) == [("", "6.2")]
    assert list(cited("in bursts (A4)", "of docs/audio.md")) == [("docs/audio.md", "A4")]


def test_a_column_cites() -> None:
    table = "| fault | docs/wire.md |\n|---|---|\n| drop | F2, 6.1 |\n| lot | |\n"
    assert list(columns(table)) == ["docs/wire.md F2, 6.1"]

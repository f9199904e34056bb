"""Which utterances hold some words: full-text search (SQLite FTS5) over what was kept.

The index is made in memory for one search. An index on disk would keep words that were forgotten.
"""

import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from livechat.conversations.records import Utterance
from livechat.errors import UsageError

# Written without spaces between words (Thai, kana, Han), so each sign is a word of its own to the index.
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_BEGIN, _END = "\ue000", "\ue001"  # around what was found; SQLite passes on what no speech has
_SNIPPET = 24  # words around what was found


@dataclass(frozen=True, slots=True)
class Found:
    """`parts`: (words around, whether this part was looked for), in order; as they were said."""

    utterance: Utterance
    parts: tuple[tuple[str, bool], ...]


def search(utterances: Iterable[Utterance], words: str) -> list[Found]:
    """The utterances in which every one of `words` stands, or a word that begins so; best first.

    Case and accents do not count. Raises UsageError for no words.
    """
    kept = list(utterances)
    wanted = [f'"{_spaced(word)}"*' for word in re.split(r"[\s\"\0]+", words) if re.search(r"\w", word)]
    if not wanted:
        raise UsageError("there is no word to find", "give one or more, as in `livechat sessions find tomato`")
    with closing(sqlite3.connect(":memory:")) as db:
        try:
            db.execute("CREATE VIRTUAL TABLE said USING fts5(text, tokenize = 'unicode61 remove_diacritics 2')")
        except sqlite3.OperationalError as error:
            raise UsageError(f"this Python cannot search: {error}", "use one whose SQLite has FTS5") from None
        rows = ((n, _spaced(_unmarked(each.text))) for n, each in enumerate(kept))
        db.executemany("INSERT INTO said (rowid, text) VALUES (?, ?)", rows)
        found = db.execute(
            "SELECT rowid, snippet(said, 0, ?, ?, '…', ?) FROM said WHERE said MATCH ? ORDER BY rank, rowid",
            (_BEGIN, _END, _SNIPPET, " ".join(wanted)),
        ).fetchall()
    return [Found(kept[row], _parts(snippet)) for row, snippet in found]


def _unmarked(text: str) -> str:
    return text.replace(_BEGIN, " ").replace(_END, " ")


def _spaced(text: str) -> str:
    return re.sub(f"([{_UNSPACED}])", r" \1 ", text)


def _parts(snippet: str) -> tuple[tuple[str, bool], ...]:
    said = re.sub(f" ({_BEGIN}?)([{_UNSPACED}])({_END}?) ", r"\1\2\3", snippet)
    parts = re.split(f"{_BEGIN}(.*?){_END}", said, flags=re.DOTALL)
    return tuple((part, n % 2 == 1) for n, part in enumerate(parts) if part)

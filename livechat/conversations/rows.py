"""The tables of the kept conversations, and which of their rows can be read: views that all reading goes through.

SQLite keeps what it is given, whatever the column's type. A row may come from a damaged disk, another program or a
later livechat. Such a row is named and passed over, and hides no other. The views are temporary: each connection
makes its own.
"""

import re

FILE = "conversations.sqlite3"  # in the state folder

_TABLES = """
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, started REAL NOT NULL, seen REAL NOT NULL,
    backend TEXT NOT NULL, model TEXT NOT NULL, options TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS handles (
    conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    handle TEXT NOT NULL, covers INTEGER NOT NULL, issued REAL NOT NULL, expires REAL NOT NULL,
    PRIMARY KEY (conversation, handle)
);
CREATE TABLE IF NOT EXISTS turns (
    conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    number INTEGER NOT NULL, user TEXT NOT NULL, model TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (conversation, number)
);
CREATE TABLE IF NOT EXISTS times (
    conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    number INTEGER NOT NULL, began REAL NOT NULL, answered REAL, PRIMARY KEY (conversation, number)
);
CREATE TABLE IF NOT EXISTS runs (
    conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    began REAL NOT NULL, ended REAL NOT NULL, links INTEGER NOT NULL, captured_ms REAL NOT NULL,
    sent_ms REAL NOT NULL, replayed_ms REAL NOT NULL, dropped_ms REAL NOT NULL, longest_gap_ms REAL NOT NULL,
    PRIMARY KEY (conversation, began)
);
CREATE TABLE IF NOT EXISTS costs (
    conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    began REAL NOT NULL, cost REAL NOT NULL, PRIMARY KEY (conversation, began)
);
CREATE TABLE IF NOT EXISTS devices (
    profile TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (profile, kind)
);
"""
# `times` came later than `turns`, and `costs` than `runs`: an older livechat inserts whole rows into these.

CALENDAR_S = 253_402_000_000  # seconds since the epoch, in the year 9999: Python's calendar ends there
MOST = 1_000_000_000  # the highest count that is believed
FIGURES = ("links", "captured_ms", "sent_ms", "replayed_ms", "dropped_ms", "longest_gap_ms")  # of events.Summary


def _text(column: str) -> str:
    return f"typeof({column}) = 'text'"


def _count(column: str) -> str:
    return f"typeof({column}) = 'integer' AND {column} BETWEEN 0 AND {MOST}"


def _span(column: str, most: int = 1000 * MOST) -> str:
    return f"typeof({column}) IN ('real', 'integer') AND {column} BETWEEN 0 AND {most}"


def _time(column: str) -> str:
    return _span(column, CALENDAR_S)


# What `is_id` takes. SQLite's text functions stop at a NUL, so the length in bytes is compared too.
_ID = (
    "typeof(id) = 'text' AND id GLOB '[a-zA-Z0-9]*' AND id NOT GLOB '*[^a-zA-Z0-9_-]*'"
    " AND length(id) <= 64 AND length(id) = length(CAST(id AS BLOB))"
)

# For each table, what each column that is read must be.
READABLE = {
    "conversations": " AND ".join([_ID, _time("started"), _time("seen"), _text("backend"), _text("model")]),
    "handles": " AND ".join([_text("handle"), "handle <> ''", _count("covers"), _time("expires")]),
    "turns": " AND ".join([_count("number"), _text("user"), _text("model"), _time("at")]),
    "times": " AND ".join([_count("number"), _time("began"), f"(answered IS NULL OR {_time('answered')})"]),
    "runs": " AND ".join(
        [_time("began"), _time("ended"), "ended >= began", _count("links"), *map(_span, FIGURES[1:])]
    ),
    "costs": " AND ".join([_time("began"), _span("cost")]),
    "devices": " AND ".join(map(_text, ("profile", "kind", "name"))),
}
SCHEMA = _TABLES + "".join(
    f"CREATE TEMP VIEW IF NOT EXISTS readable_{table} AS SELECT rowid AS place, * FROM main.{table} WHERE {right};\n"
    for table, right in READABLE.items()
)

# The words for one row of each table, and for several.
_WORDS = {
    "conversations": ("what livechat noted of it", "what livechat noted of it"),
    "handles": ("1 session handle", "{} session handles"),
    "turns": ("1 exchange", "{} exchanges"),
    "times": ("the time of 1 exchange", "the times of {} exchanges"),
    "costs": ("what 1 run cost", "what {} runs cost"),
    "runs": ("how continuous 1 run was", "how continuous {} runs were"),
}


def is_id(text: str) -> bool:
    """Whether this can be the id of a conversation, and so the name of its lock's file."""
    return re.fullmatch("[a-zA-Z0-9][a-zA-Z0-9_-]{,63}", text) is not None


def name(column: str) -> str:
    """SQL for the id in `column` as a person can type it, also where it is not text."""
    return f"CASE typeof({column}) WHEN 'text' THEN {column} ELSE quote({column}) END"


def flaws() -> str:
    """SQL for (conversation, table, number of its rows that cannot be read or whose conversation is not there)."""
    alone = "NOT EXISTS (SELECT 1 FROM main.conversations c WHERE c.id IS {0}.conversation)"
    selects = [
        f"SELECT {name('id')}, 'conversations', 1 FROM main.conversations WHERE NOT ({READABLE['conversations']})"
    ]
    selects += [
        f"SELECT {name('conversation')}, '{table}', count(*) FROM main.{table}"
        f" WHERE NOT ({READABLE[table]}) OR {alone.format(table)} GROUP BY 1"
        for table in _WORDS
        if table != "conversations"
    ]
    return " UNION ALL ".join(selects)


def worded(table: str, count: int) -> str:
    """`count` rows of a table, in words for a person."""
    one, several = _WORDS[table]
    return one if count == 1 else several.format(count)

"""What a conversation is told before it begins: `--context` and `--history-from`."""

from pathlib import Path

from livechat.conversations.archive import Archive
from livechat.conversations.read_export import exchanges
from livechat.errors import UsageError
from livechat.paths import text_of
from livechat.session.context_replay import Exchange
from livechat.settings import Settings


def given_context(settings: Settings, archive: Archive) -> list[Exchange]:
    """The exchanges to be told, oldest first: of the other conversation, then of the files.

    Raises UsageError for what is not there or cannot be read.
    """
    told: list[Exchange] = []
    if settings.history_from:
        kept = archive.find(settings.history_from.strip())
        if kept is None:
            raise UsageError(f"there is no conversation {settings.history_from}", "see `livechat sessions`")
        told += kept.turns
    for name in (settings.context or "").split(","):
        if name.strip():
            text = text_of(name.strip(), "--context takes text files")
            if not text.strip():
                raise UsageError(f"{name.strip()} is empty", "name a file with text, or leave it out")
            told += exchanges(text, Path(name.strip()).name)
    return told

"""The words of a conversation in a text file of their own."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from livechat.ui.safe_text import plain_text


def save(turns: Iterable[tuple[str, str]], conversation: str, folder: Path, day: date) -> Path:
    """Write each question and its answer to a new file in `folder`, named after day and conversation.

    Returns its path. A file that is there already is left alone, and the next free number is taken. Raises OSError,
    and leaves nothing behind then.
    """
    stem, number = f"livechat-{day}-{conversation}", 1
    while True:
        path = folder / f"{stem}{f'-{number}' if number > 1 else ''}.txt"
        try:
            file = path.open("x", encoding="utf-8")
            break
        except FileExistsError:
            number += 1
    try:
        with file:
            file.write(plain_text(turns))
    except OSError:
        path.unlink()
        raise
    return path

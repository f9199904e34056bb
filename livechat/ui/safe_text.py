"""Text made fit for a terminal: escaping, wrapping, and how exchanges, times, counts and levels are written.

Whatever a model, a server or a person wrote passes `clean` before it is shown. It makes harmless:
ECMA-48 (ESC, CSI, OSC and the other C0 and C1 controls) and Unicode UAX #9 (bidi embeddings and overrides).
"""

import re
from collections.abc import Callable, Iterable

# The most characters in one line from a person: a line without an end must not fill the memory. It is more than a
# model takes in, and fits, even escaped in JSON, into the 16 MiB that a server may take in one message.
LONGEST = 1_000_000

_ODD = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # C0 and C1, without tab, newline and return: `clean` replaces those first
    "\u00ad\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # invisible
    "\u200e\u200f\u061c\u202a-\u202e\u2066-\u206f"  # reorders what is beside it
    "\ud800-\udfff"  # lone surrogates, which no stream can encode
    "]"
)
# U+200C and U+200D (non-joiner, joiner) stay: Persian, Indic scripts and emoji are wrong without them.


def clean(text: str, *, newlines: bool = False) -> str:
    """`text` with nothing in it that a terminal obeys: odd characters become visible signs of one cell.

    C0 controls become their pictures (ESC is ␛), the rest �. Tabs become spaces; line ends become spaces
    too, or "\\n" with `newlines`. Idempotent. Never raises.
    """
    breaks = re.sub("\r\n|[\r\u0085\u2028\u2029]", "\n", text).replace("\t", "    ")
    if not newlines:
        breaks = breaks.replace("\n", " ")
    return _ODD.sub(_visible, breaks)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "�"


def plain_text(exchanges: Iterable[tuple[str, str]]) -> str:
    """Questions and answers as in a pipe: one line for each side that said something, `you: …` and `model: …`.

    A line end within an utterance becomes a space: else an answer could contain a line that looks like a question.
    """
    sides = [(who, said.strip()) for user, model in exchanges for who, said in (("you", user), ("model", model))]
    return "".join(f"{who}: {clean(said)}\n" for who, said in sides if said)


def wrap(text: str, width: int, cells: Callable[[str], int]) -> list[str]:
    """Cleaned `text` in lines of at most `width` cells, broken at spaces where there are any.

    `cells` measures one character. Characters are measured singly, so that a terminal which does not join
    an emoji sequence still has room for it: no line ever wraps by itself. At least one line is returned.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line, used = "", 0
        for word in re.findall(r" *[^ ]+| +$", paragraph):
            size = sum(map(cells, word))
            if used + size <= width:
                line, used = line + word, used + size
                continue
            if line:
                lines.append(line)
            first, line, used = word.lstrip(" ") if line else word, "", 0
            for char in first:
                size = cells(char)
                if used + size > width and line:
                    lines.append(line)
                    line, used = "", 0
                line, used = line + char, used + size
        lines.append(line)
    return lines


def age(seconds: float) -> str:
    """A running time as a clock shows it: 0:07, 12:04, 1:02:04. Never negative."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def validity(seconds: float) -> str:
    """How long something stays valid, with units so that it is not taken for a clock: 1h59, 43m, 20s."""
    whole = max(0, int(seconds))
    if whole >= 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02}"
    return f"{whole // 60}m" if whole >= 60 else f"{whole}s"


def tokens(count: float) -> str:
    """A number of tokens, short: 940, 9.4k, 102k, 1.0M."""
    if count < 1000:
        return f"{count:.0f}"
    if count < 999_500:
        return f"{count / 1000:.1f}k" if count < 9_950 else f"{count / 1000:.0f}k"
    return f"{count / 1e6:.1f}M"


def money(amount: float) -> str:
    """An amount of money, to the hundredth, or to what a few turns cost."""
    return f"{amount:.{2 if amount >= 1 else 4}f}"


def duration(ms: float) -> str:
    """A span in milliseconds, in the unit that reads best: 80 ms, 0.4 s, 12 s, 3:20 min."""
    if ms < 100:
        return f"{ms:.0f} ms"
    if ms < 9_950:
        return f"{ms / 1000:.1f} s"
    return f"{ms / 1000:.0f} s" if ms < 119_500 else f"{age(ms / 1000)} min"


def gauge(share: float, width: int) -> tuple[str, str]:
    """A bar of `width` cells for a share of 0 to 1: its filled part and its empty part.

    Anything above nothing shows at least one filled cell.
    """
    bounded = min(1.0, max(0.0, share))
    filled = max(1, round(bounded * width)) if bounded > 0 else 0
    return "━" * filled, "─" * (width - filled)

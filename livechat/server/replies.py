"""What the offline agent answers. It knows little, and all that it says is true.

It knows the time, the session and its history, some arithmetic, spelling and counting, and one story. Everything else
it repeats as it was heard, so that a person sees how well they are understood.
"""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

from livechat.server.history import Facts, HistoryTurn, question

STORY = (
    "Here is a story. An old lighthouse keeper had one job, and that was to keep the lamp alight. Every evening "
    "she climbed two hundred steps, and every morning she climbed them down again. One winter night the wind "
    "blew the lamp out, and she could find no match. So she took her small brass bell and rang it, all night "
    "long, out into the dark. Far away a captain heard it, turned the wheel, and missed the rocks by the width "
    "of a boat. In the morning he came up the stairs with a box of matches. I never saw your light, he said, "
    "but I heard you all the way home. She keeps the matches in her pocket now, and still rings the bell at "
    "night, in case somebody is listening."
)
ABOUT = "I only repeat: I am the offline agent."  # short, as it is said in the middle of other things
HELP = (
    "I am a small offline agent. I run on this computer, without a network. Ask me for the time, the date, how old "
    "this session is, how much context is used, some arithmetic, to spell a word, to count, or for a story. I can "
    "repeat after you, and tell you what you said."
)
COUNT_LIMIT = 100
REPEATED = 40  # words of a long message
PLACES = 6  # decimals of a result

_SMALL = re.findall(
    r"\w+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen",
)
_TENS = re.findall(r"\w+", "twenty thirty forty fifty sixty seventy eighty ninety")
_NUMBERS = {word: n for n, word in enumerate(_SMALL)} | {word: 20 + 10 * n for n, word in enumerate(_TENS)}
_OPERATORS = {
    "+": "plus", "plus": "plus", "-": "minus", "minus": "minus", "*": "times", "x": "times", "times": "times",
    "multiplied by": "times", "/": "divided by", "over": "divided by", "divided by": "divided by",
}  # fmt: skip

_NUMBER = r"\d{1,12}(?:\.\d{1,6})?"
_OPERATOR = "|".join(re.escape(word) for word in sorted(_OPERATORS, key=len, reverse=True))
_SUM = re.compile(rf"(?<![\w.])({_NUMBER}(?:\s*(?:{_OPERATOR})\s*{_NUMBER})+)(?![\w.]*\d)")
_NAME = re.compile(r"\b(?i:my name is|my name's|i am called|call me)\s+([^\W\d_][\w'-]*(?: [A-Z][\w'-]*)*)")


def reply(history: Sequence[HistoryTurn], facts: Facts) -> str:
    """The answer to what the user said last: turns of theirs without an answer between are one question."""
    asked = [turn.text.strip() for turn in question(history)]
    text = " ".join(said for said in asked if any(map(str.isalnum, said))).replace("’", "'")
    plain = re.sub(r"\s+", " ", re.sub(r"[^\w\s.+*/'-]|\.(?!\d)", " ", text.lower())).strip()
    plain = plain.replace("what's", "what is")
    if not plain:
        return "I did not hear any words."
    numbers = digits(plain)
    if found := _SUM.search(numbers):
        return _arithmetic(found[1])
    for pattern, answer in _INTENTS:
        if match := re.search(pattern, plain):
            return answer(_Asked(text, numbers, match, history[:-1], facts))
    heard = f"I heard: {_beginning(text)}"
    told = any(turn.role == "model" and ABOUT in turn.text for turn in history)
    return heard if told else f"{heard} {ABOUT}"


def _beginning(text: str) -> str:
    """`text` with a full stop, or its first words and how many follow: nobody listens to a page of it."""
    words = text.split()
    if len(words) <= REPEATED and len(text) <= REPEATED * 20:
        return f"{text}{'' if text[-1] in '.!?' else '.'}"
    said = " ".join(words[:REPEATED])[: REPEATED * 20]
    return f"{said} … and {max(0, len(words) - REPEATED)} more words."


class _Asked(NamedTuple):
    """A question, and what an answer may use. `numbers`: the question with spoken numbers as digits."""

    text: str
    numbers: str
    match: re.Match[str]
    earlier: Sequence[HistoryTurn]
    facts: Facts


def digits(plain: str) -> str:
    """`plain` with spoken numbers as digits, such as "twenty-five" or "two thousand three hundred and six"."""
    plain = re.sub(r"\b(" + "|".join(_TENS) + r")-(?=[a-z])", r"\1 ", plain)
    words = re.sub(r"\ban? (?=(?:hundred|thousand)\b)", "one ", plain).split()
    out: list[str] = []
    thousands, rest = 0, None  # of the number being spoken

    def finish() -> None:
        nonlocal thousands, rest
        if thousands or rest is not None:
            out.append(str(thousands + (rest or 0)))
        thousands, rest = 0, None

    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word in _NUMBERS:
            number = _NUMBERS[word]
            if rest is not None and not _continues(rest, number):
                finish()
            rest = (rest or 0) + number
        elif word == "hundred" and rest and rest < 100:
            rest *= 100
        elif word == "thousand" and rest and not thousands:
            thousands, rest = rest * 1000, None
        elif not (word == "and" and after in _NUMBERS and (rest % 100 == 0 if rest else thousands)):
            finish()
            out.append(word)
    finish()
    return " ".join(out)


def _continues(rest: int, number: int) -> bool:
    """Whether `number`, said after `rest`, belongs to it: five in "twenty five", but not in "eleven five"."""
    if rest and rest % 100 == 0:
        return number > 0
    return rest % 100 >= 20 and rest % 10 == 0 and 0 < number < 10


def _arithmetic(expression: str) -> str:
    """The exact value of `expression`, numbers with operators between, as a sentence. Products come first."""
    parts = [part.strip() for part in re.split(rf"\s*({_OPERATOR})\s*", expression)]
    numbers = [Fraction(part) for part in parts[::2]]
    operators = [_OPERATORS[part] for part in parts[1::2]]
    spoken = "".join(f" {name} {_number(n)}" for name, n in zip(operators, numbers[1:], strict=True))
    terms = [numbers[0]]
    for operator, number in zip(operators, numbers[1:], strict=True):
        if operator == "divided by" and number == 0:
            return "Nothing can be divided by zero."
        if operator == "times":
            terms[-1] *= number
        elif operator == "divided by":
            terms[-1] /= number
        else:
            terms.append(number if operator == "plus" else -number)
    total = sum(terms, Fraction())
    exact = "is" if (total * 10**PLACES).denominator == 1 else "is about"
    return f"{_number(numbers[0])}{spoken} {exact} {_number(total)}."


def _number(value: Fraction) -> str:
    whole, part = divmod(round(abs(value) * 10**PLACES), 10**PLACES)
    written = f"{whole}.{part:0{PLACES}d}".rstrip("0").rstrip(".")
    return f"minus {written}" if value < 0 and written != "0" else written


def _time(asked: _Asked) -> str:
    return f"It is {asked.facts.now.strftime('%I:%M %p').lstrip('0')}."


def _date(asked: _Asked) -> str:
    now = asked.facts.now
    return f"Today is {now.strftime('%A')}, {now.strftime('%B')} {now.day}, {now.year}."


def _age(asked: _Asked) -> str:
    minutes, seconds = divmod(int(asked.facts.session_age), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "hour"), (minutes, "minute"), (seconds, "second")]
    shown = [f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in parts if n or unit == "second"]
    return f"This session is {' and '.join(shown)} old."


def _context(asked: _Asked) -> str:
    used, window = asked.facts.context_tokens, asked.facts.window
    return f"The context holds {used} of {window} tokens, which is {100 * used / window:.0f} percent."


def _spell(asked: _Asked) -> str:
    words = re.findall(r"[^\W\d_]+", asked.match[1])
    if not words:
        return "Which word shall I spell?"
    return f"{words[-1].capitalize()} is spelled {', '.join(words[-1].upper())}."


def _count(asked: _Asked) -> str:
    bounds = [int(n) for n in re.findall(r"\b\d{1,9}\b", asked.numbers)]
    first, last = (bounds[0], bounds[1]) if len(bounds) > 1 else (1, bounds[0] if bounds else 10)
    step = 1 if last >= first else -1
    numbers = list(range(first, last + step, step)[:COUNT_LIMIT])
    whole = numbers[-1] == last
    limit = "" if whole else f" I stop there: {COUNT_LIMIT} numbers are my limit."
    return ", ".join(map(str, numbers)) + "." + limit


def _repeat(asked: _Asked) -> str:
    words = re.sub(r"^\W*(?:please\s+)?(?:repeat after me|say|repeat)\b\W*", "", asked.text, flags=re.IGNORECASE)
    return words or "What shall I repeat?"


def _mine(asked: _Asked) -> str:
    said = [turn.text.strip() for turn in asked.earlier if turn.role == "user"]
    if not said:
        return "This is the first thing I remember you saying."
    if re.search(r"\bfirst\b", asked.match.string):
        return f"The first thing I remember you saying is: {said[0]}"
    if re.search(r"\blast\b", asked.match.string):
        return f"The last thing you said is: {said[-1]}"
    # Pauses, so that a listener can tell where one ends.
    return "You said: " + " ... ".join(said)


def _yours(asked: _Asked) -> str:
    said = [turn.text for turn in asked.earlier if turn.role == "model" and turn.text]
    return said[-1] if said else "I do not remember saying anything yet."


def _told_name(asked: _Asked) -> str:
    found = _NAME.search(asked.text)
    return f"Pleased to meet you, {_proper(found[1])}." if found else "I did not catch your name."


def _asked_name(asked: _Asked) -> str:
    names = [found[1] for turn in asked.earlier if turn.role == "user" and (found := _NAME.search(turn.text))]
    return f"Your name is {_proper(names[-1])}." if names else "I do not remember you telling me your name."


def _proper(name: str) -> str:
    return name[:1].upper() + name[1:]


def _seen(asked: _Asked) -> str:
    return asked.facts.seen() if asked.facts.seen else "I have seen nothing: no picture has come."


def _fixed(text: str) -> Callable[[_Asked], str]:
    return lambda _: text


# The first that matches answers.
_INTENTS: list[tuple[str, Callable[[_Asked], str]]] = [
    (r"^(?:please )?(?:repeat after me|say (?!(?:that|it) again))", _repeat),
    (r"\bwhat (?:did|have) i (?:just )?(?:say|said|tell|told)|\bwhat was the \w+ thing i said", _mine),
    (r"\bwhat did you (?:just )?say|\b(?:say|repeat) (?:that|it)\b|^pardon", _yours),
    (r"\bwhat is my name|\b(?:know|remember) my name|^who am i\b", _asked_name),
    (r"\bmy name is |\bmy name's |\bi am called |^(?:please )?call me ", _told_name),
    (r"^(?:please |ok |okay )?(?:stop|quiet|be quiet|shut up|enough|that's enough|cancel)\b", _fixed("Okay.")),
    (r"\b(?:what|who|how many|did|do|can) .*\b(?:see|seen|look at|picture|pictures|frames?|image)\b", _seen),
    (r"\bspell(?:ed)?\b(.*)", _spell),
    (r"\bcount\b.*\b(?:to|up|from|down)\b", _count),
    (r"\b(?:tale|story|stories)\b", _fixed(STORY)),
    (r"\bcontext\b|\btokens?\b", _context),
    (r"\bhow (?:long|old)\b.*\b(?:session|conversation|we|talk|talking|chat)\b|\bsession age\b", _age),
    (r"\bwhat time\b|\bthe time\b|\btime is it\b", _time),
    (r"\b(?:what|which) (?:is )?(?:the |today'?s )?(?:date|day|year|month)\b|\bthe date\b", _date),
    (r"\bhelp\b|\bwhat can (?:you|i)\b|\bwho are you\b|\bwhat are you\b", _fixed(HELP)),
    (r"\bgood ?bye\b|^bye\b|\bsee you\b", _fixed("Goodbye!")),
    (r"^(?:hello|hi|hey|good (?:morning|evening|afternoon))\b", _fixed("Hello! I am the offline agent.")),
    (r"\bthanks\b|\bthank you\b", _fixed("You are welcome.")),
]

"""What is kept until its words are there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from livechat.audio.interfaces import FRAME_BYTES, FRAME_MS
from livechat.captions.backlog import MOST_S, Backlog, Begin, End, Item

SILENT = bytes(FRAME_BYTES)


def frame(n: int) -> bytes:
    return n.to_bytes(4, "little") * (FRAME_BYTES // 4)


def fed(backlog: Backlog, script: str) -> None:
    """A frame for each letter: "s" of speech, "p" a pause within it, "." silence."""
    for n, letter in enumerate(script, 1):
        backlog.feed(SILENT if letter == "." else frame(n), speaking=letter != ".", voiced=letter == "s")


def taken(backlog: Backlog) -> list[Item]:
    items: list[Item] = []
    while (item := backlog.peek()) is not None:
        items.append(item)
        backlog.sent()
    return items


def test_an_utterance_has_its_first_syllable_and_no_silence_after_it() -> None:
    backlog = Backlog(whole=False)
    fed(backlog, "." * 40 + "sss...")
    begin, *frames, end = taken(backlog)
    assert (begin, end) == (Begin(1), End(1, 18 * FRAME_MS))
    assert frames == [SILENT] * 15 + [frame(41), frame(42), frame(43)]


def test_whole_sound_flows_on_with_its_silence() -> None:
    backlog = Backlog(whole=True)
    fed(backlog, "." * 40 + "ss..")
    items = taken(backlog)
    assert [type(item) for item in items] == [bytes] * 40 + [Begin, bytes, bytes, End, bytes, bytes]


def test_silence_that_no_link_takes_is_kept_only_as_long_as_it_says_something() -> None:
    backlog = Backlog(whole=True)
    fed(backlog, "." * 5_000)
    assert backlog.behind_ms <= 2_100
    assert not backlog.speech


def test_a_settled_utterance_is_not_sent_again_and_another_is() -> None:
    backlog = Backlog(whole=False)
    fed(backlog, "ss..sss..")
    before = taken(backlog)
    assert backlog.unsettled == [1, 2]
    backlog.settle(1)
    assert backlog.unsettled == [2]
    backlog.rewind()
    assert taken(backlog) == before[4:]
    assert backlog.replayed_ms == 5 * FRAME_MS  # three frames and the two before them


def test_whole_sound_is_sent_again_with_the_syllable_that_was_taken_for_silence() -> None:
    backlog = Backlog(whole=True)
    fed(backlog, "." * 20)
    taken(backlog)
    backlog.feed(frame(7), speaking=False, voiced=True)  # the onset, before the detector is sure
    fed(backlog, "ss")
    taken(backlog)
    backlog.rewind()
    again = taken(backlog)
    assert again[14] == frame(7)
    assert isinstance(again[15], Begin)


def test_a_long_utterance_ends_at_a_pause_or_wherever_it_is() -> None:
    backlog = Backlog(whole=False)
    fed(backlog, "s" * 1_100 + "p" + "s" * 2_000)
    ends = [item.ms for item in taken(backlog) if isinstance(item, End)]
    assert ends == [1_100 * FRAME_MS, 1_500 * FRAME_MS]
    assert backlog.inside


def test_without_a_link_the_oldest_utterances_go_and_are_counted() -> None:
    backlog = Backlog(whole=False)
    for _ in range(40):
        fed(backlog, "s" * 1_000 + "." * 50)
    assert backlog.behind_ms <= MOST_S * 1_000
    numbers = [item.n for item in taken(backlog) if isinstance(item, Begin)]
    assert numbers[-1] == 40
    assert numbers == list(range(numbers[0], 41))
    assert backlog.dropped_ms >= (numbers[0] - 1) * 20_000


@given(
    st.lists(st.sampled_from(["speak", "pause", "quiet", "send", "lose", "settle"]), max_size=120),
    st.booleans(),
)
def test_speech_is_sent_in_order_and_again_only_if_it_is_not_settled(steps: list[str], whole: bool) -> None:
    backlog = Backlog(whole=whole)
    n = 0
    link: list[int] = []  # the frames of speech on the link that is open now
    settled: set[int] = set()
    for step in steps:
        if step in ("speak", "pause", "quiet"):
            n += 1
            quiet = step == "quiet"
            backlog.feed(SILENT if quiet else frame(n), speaking=not quiet, voiced=step == "speak")
        elif step == "lose":
            backlog.rewind()
            link = []
        elif step == "settle" and (numbers := backlog.unsettled) and not backlog.inside:
            backlog.settle(numbers[-1])
            settled |= set(link)
            link = []
        elif step == "send" and (item := backlog.peek()) is not None:
            backlog.sent()
            if isinstance(item, bytes) and item != SILENT:
                number = int.from_bytes(item[:4], "little")
                assert number not in settled
                assert not link or link[-1] < number
                link.append(number)

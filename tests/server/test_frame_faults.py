"""What faults make of the frames of a turn."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from livechat.server import wire
from livechat.server.fault_plan import KINDS, Fault
from livechat.server.frame_faults import HUGE, NOISE, RULES, FrameFaults

PIECE = bytes(range(240)) * 20


def sound(pcm: bytes = PIECE) -> wire.Json:
    return {"serverContent": {"modelTurn": wire.sound(pcm, vertex=False)}}


HEARD: wire.Json = {"serverContent": {"inputTranscription": {"text": "Hello."}}}
SAID: wire.Json = {"serverContent": {"outputTranscription": {"text": "Hi "}, **sound()["serverContent"]}}
DONE: wire.Json = {"serverContent": {"generationComplete": True}}
INTERRUPTED: wire.Json = {"serverContent": {"interrupted": True}}
USAGE: wire.Json = {"promptTokenCount": 100, "responseTokenCount": 20, "totalTokenCount": 120}
OVER: wire.Json = {"serverContent": {"turnComplete": True, "interactionStatus": "IDLE"}, "usageMetadata": USAGE}
HANDLE: wire.Json = {"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}}
READY: wire.Json = {"setupComplete": {}}
TURN = [READY, HANDLE, HEARD, SAID, sound(), sound(), sound(), DONE, OVER, HANDLE]
CUT_TURN = [READY, SAID, sound(), INTERRUPTED, OVER]


def sent(kinds: str, frames: list[wire.Json]) -> list[Any]:
    link = FrameFaults({kind: Fault(kind, value=16_000) for kind in kinds.split()})
    return [out for frame in frames for out in link.frames(frame)]


def names(frames: list[Any]) -> list[str]:
    """What is in each frame, in a few letters."""
    letters = {
        "setupComplete": "ready", "sessionResumptionUpdate": "handle", "inputTranscription": "heard",
        "outputTranscription": "text", "modelTurn": "sound", "generationComplete": "done", "interrupted": "cut",
        "turnComplete": "over", "interactionStatus": "status", "usageMetadata": "usage",
    }  # fmt: skip
    found = []
    for frame in frames:
        fields = [*frame.get("serverContent", {}), *(name for name in frame if name != "serverContent")]
        found.append("+".join(letters[name] for name in fields))
    return found


def test_without_faults_nothing_changes() -> None:
    assert sent("", TURN) == TURN
    assert sent("poison deaf no-pong", TURN) == TURN


def test_every_rule_is_of_a_kind_there_is() -> None:
    assert RULES.keys() <= KINDS.keys()


WHOLE = ["ready", "handle", "heard", "text+sound", "sound", "sound", "sound", "done", "over+status+usage", "handle"]


@pytest.mark.parametrize(
    ("kind", "at", "frames"),
    [
        ("setup-noise", slice(0, 1), ["handle", "ready"]),
        ("no-handles", slice(0, 2), ["ready"]),
        ("late-handles", slice(0, 2), ["ready"]),
        ("no-turn-complete", slice(8, 9), ["usage"]),
        ("no-generation-complete", slice(7, 8), []),
        ("early-turn-complete", slice(5, 6), ["sound", "over"]),
        ("double-turn-complete", slice(8, 9), ["over+status+usage"] * 2),
        ("root-idle", slice(8, 9), ["over+usage", "status"]),
        ("no-usage", slice(8, 9), ["over+status"]),
        ("stray-interrupted", slice(0, 1), ["ready", "cut"]),
        ("usage-per-chunk", slice(3, 7), ["text+sound+usage", "sound+usage", "sound+usage", "sound+usage"]),
    ],
)
def test_what_is_left_out_added_or_moved(kind: str, at: slice, frames: list[str]) -> None:
    expected = [*WHOLE]
    expected[at] = frames
    got = names(sent(kind, TURN))
    if kind == "no-handles":
        expected = [name for name in expected if name != "handle"]
    if kind in ("root-idle", "stray-interrupted"):  # something before the answer, too
        before = {"root-idle": "status", "stray-interrupted": "cut"}[kind]
        expected.insert(expected.index("text+sound"), before)
    assert got == expected


def test_an_interruption_comes_late_or_sound_comes_after_it() -> None:
    assert names(sent("late-audio", CUT_TURN)) == [
        "ready", "text+sound", "sound", "cut", "sound", "sound", "over+status+usage",
    ]  # fmt: skip
    assert names(sent("interrupted-late", CUT_TURN)) == ["ready", "text+sound", "sound", "over+status+usage", "cut"]


WORKING: wire.Json = {"serverContent": {"turnComplete": True, "interactionStatus": "IN_PROGRESS"}}


@pytest.mark.parametrize(
    ("where", "working", "idle"),
    [
        ("root", ["over+status"], ["over+usage+status"]),
        ("alone", ["over", "status"], ["over+usage", "status"]),
        ("no-idle", ["over+status"], ["over+usage"]),
        ("stuck", ["over+status"], ["over+status+usage"]),
    ],
)
def test_where_a_status_is_said(where: str, working: list[str], idle: list[str]) -> None:
    link = FrameFaults({"status": Fault("status", reason=where)})
    first, last = link.frames(WORKING), link.frames(OVER)
    assert (names(first), names(last)) == (working, idle)
    assert "IN_PROGRESS" in str(first)
    assert ("IDLE" in str(last), "IN_PROGRESS" in str(last)) == (where in ("root", "alone"), where == "stuck")
    assert link.frames(SAID) == [SAID]


def test_a_status_that_stands_alone_says_what_it_said() -> None:
    assert sent("root-idle", [WORKING])[-1] == {"interactionStatus": "IN_PROGRESS"}
    assert sent("root-idle", [OVER])[-1] == {"interactionStatus": "IDLE"}


def test_an_answer_that_goes_on_is_not_interrupted_for_nothing() -> None:
    assert names(sent("stray-interrupted", [SAID, WORKING, SAID, OVER, SAID])) == [
        "cut", "text+sound", "over+status", "text+sound", "over+status+usage", "cut", "text+sound",
    ]  # fmt: skip


def test_a_question_that_is_not_said_to_be_heard() -> None:
    active = {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "1s"}}
    assert sent("unheard", [active, HEARD, SAID, active]) == [SAID]


def test_counts_by_the_names_of_vertex() -> None:
    usage = {**USAGE, "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 20}]}
    (over,) = sent("candidates-usage", [{**OVER, "usageMetadata": usage}])
    assert over["usageMetadata"] == {
        "promptTokenCount": 100,
        "candidatesTokenCount": 20,
        "totalTokenCount": 120,
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 20}],
    }


def test_an_update_may_hold_no_handle() -> None:
    assert sent("empty-updates", [HANDLE]) == [{"sessionResumptionUpdate": {}}]
    assert sent("no-goaway", [{"goAway": {"timeLeft": "5s"}}]) == []


def test_a_bundle_holds_all_that_its_frames_held() -> None:
    bundled = sent("bundle", [HEARD, SAID, sound(), HANDLE, SAID, DONE, OVER])
    assert names(bundled) == ["heard+text+sound+handle", "text+sound+done", "over+status+usage"]
    assert len(bundled[0]["serverContent"]["modelTurn"]["parts"]) == 2
    assert sent("bundle", [SAID, SAID, DONE])[0]["serverContent"]["outputTranscription"] == {"text": "Hi Hi "}
    assert names(sent("bundle", [sound()] * 9)) == ["sound", "sound"]  # the ninth waits
    assert sent("bundle", [OVER, HANDLE]) == [OVER, HANDLE]


def pcm(frame: Any) -> tuple[bytes, str]:
    blob = frame["serverContent"]["modelTurn"]["parts"][-1]["inlineData"]
    return base64.b64decode(blob["data"]), blob["mimeType"]


def test_sound_of_another_form() -> None:
    assert pcm(sent("odd-pcm", [sound()])[0]) == (PIECE + b"\0", "audio/pcm;rate=24000")
    assert pcm(sent("no-rate", [sound()])[0]) == (PIECE, "audio/pcm")
    slow, mime = pcm(sent("rate", [sound()])[0])
    assert (len(slow), mime) == (len(PIECE) * 2 // 3, "audio/pcm;rate=16000")
    assert "outputTranscription" in sent("odd-pcm", [SAID])[0]["serverContent"]


def test_counts_that_are_missing_empty_or_fall() -> None:
    assert sent("empty-usage", [OVER])[0]["usageMetadata"] == {}
    counts = [frame["usageMetadata"]["promptTokenCount"] for frame in sent("falling-usage", [OVER] * 4)]
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == 4


def test_noise_begins_after_the_setup_and_changes_nothing_else() -> None:
    noisy = sent("noise", TURN * 2)
    assert noisy[0] == READY
    assert [frame for frame in noisy if isinstance(frame, dict) and frame in TURN] == TURN * 2
    assert all(noise in noisy for noise in NOISE)


def test_a_huge_frame_is_one_an_answer() -> None:
    link = FrameFaults({"huge-frame": Fault("huge-frame")})
    sizes = [len(link.data(out)) for frame in (SAID, sound(), OVER, SAID) for out in link.frames(frame)]
    assert [size > HUGE for size in sizes] == [True, False, False, True]


def test_the_bytes_of_a_frame() -> None:
    plain = FrameFaults({}).data(DONE)
    assert plain == b'{\n  "serverContent": {\n    "generationComplete": true\n  }\n}\n'
    assert FrameFaults({"compact": Fault("compact")}).data(DONE) == b'{"serverContent":{"generationComplete":true}}'
    assert FrameFaults({"text-frames": Fault("text-frames")}).data(DONE) == plain.decode()
    pieces = FrameFaults({"fragments": Fault("fragments")}).data(DONE)
    assert isinstance(pieces, list)
    assert (len(pieces), b"".join(pieces)) == (3, plain)
    assert FrameFaults({"text-frames": Fault("text-frames")}).data(b"\xff") == b"\xff"


def test_a_fault_can_begin_in_the_middle() -> None:
    active: dict[str, Fault] = {}
    link = FrameFaults(active)
    assert link.frames(HANDLE) == [HANDLE]
    active["no-handles"] = Fault("no-handles")
    assert link.frames(HANDLE) == []

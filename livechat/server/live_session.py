"""The server's side of one session: what it hears, answers and forgets, and when it ends.

It is told what happens and what time it is, and returns the actions to perform. Its states:

    listening -> hearing -> thinking -> generating -> playing -> listening

An answer is sent faster than it sounds. Playing lasts until the client must have played all of it; only then is the
turn complete (docs/wire.md 1.5). Speech or a question before that interrupts the answer.

A model that answers in several utterances goes from playing back to thinking until it has said the last one. Each
utterance is a turn, and `interactionStatus` says which is the last (docs/wire.md 12).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from livechat.server import wire
from livechat.server.actions import (
    Action,
    AskAgent,
    CloseLink,
    ForgetHandles,
    HistoryTrimmed,
    OfferHandle,
    SendFrame,
    StopAgent,
    TurnKept,
)
from livechat.server.close_reasons import CLOSES
from livechat.server.deadlines import Deadlines, ServerTimes, SessionAge
from livechat.server.history import HistoryTurn, question, said_by, text_tokens, trimmed, weight
from livechat.server.models import WINDOW
from livechat.server.shapes import THOUGHT, AnswerShape
from livechat.server.terms import Terms
from livechat.server.tool_calls import Call
from livechat.server.usage import Asked, usage

MOST_TOKENS = 4 * WINDOW  # of a history that a client loads without asking anything
OUTPUT_BYTES_PER_SECOND = 48_000  # s16le mono at 24 kHz


State = Literal["listening", "hearing", "thinking", "generating", "playing"]


class LiveSession:
    """A session on the link that was opened at `opened`. `history`: what it remembered before. `age`: of the session.

    `now` is in seconds on any steady clock. A method that takes it returns the actions to perform, in order.
    """

    def __init__(
        self,
        terms: Terms,
        history: Sequence[HistoryTurn],
        opened: float,
        now: float,
        times: ServerTimes,
        age: SessionAge | None = None,
    ) -> None:
        self.deadlines = Deadlines(
            times,
            age or SessionAge(),
            opened=opened,
            now=now,
            endless=terms.trigger is not None,
            handles=terms.handles,
        )
        self.terms = terms
        self.system = terms.system
        self.history = list(history)
        self.state: State = "listening"
        # How many turns a handle covers that is issued now: not those that wait for their answer.
        self.covered = len(self.history)
        self._seeding = terms.seeded  # the next complete clientContent is history
        self._waiting: list[HistoryTurn] = []  # questions that came while an answer may not be interrupted
        self._more = False  # another utterance of the same answer will follow
        self._pieces: list[tuple[str, float]] = []  # of the utterance under way: text, seconds
        self._answer: HistoryTurn | None = None  # the one being played, which is in the history
        self._answer_at = 0  # its place there: before what the client adds while it is said
        self._shape = AnswerShape(terms)
        self.calls: dict[str, Call] = {}  # that wait for their results, by id
        self._asked_tokens = Asked()
        self._play_end = now
        self._frames = 0  # pictures that came since the last question

    # ------------------------------------------------------------------------------------------ input

    def video(self, now: float) -> None:
        """A picture arrived."""
        self.deadlines.saw(now)
        self._frames += 1
        # The window slides over them as it does over turns.
        if self.terms.trigger is not None and self._frames * self.terms.frame_tokens > self.terms.trigger:
            self._frames = self.terms.target // self.terms.frame_tokens

    def speech_began(self, offset: float, now: float) -> list[Action]:
        """The person began to speak `offset` seconds into the sound of this link."""
        actions = self._voice("ACTIVITY_START", offset)
        if not self.terms.interrupts and self.state in ("thinking", "generating", "playing"):
            return actions
        actions += self._interrupt(now)
        self.state = "hearing"
        return actions

    def heard(self, text: str, seconds: float, offset: float, now: float) -> list[Action]:
        """The person stopped to speak at `offset`. `text`: what they said; "" if it was no speech after all."""
        actions: list[Action] = []
        if text and self.terms.input_text:
            words = [word + " " for word in text.split()] if self.terms.traits.native_2_5 else [text]
            actions += [SendFrame({"serverContent": {"inputTranscription": {"text": word}}}) for word in words]
        actions += self._voice("ACTIVITY_END", offset)
        if not text:
            if self.state == "hearing":
                self.state = "listening"
            return actions
        return actions + self._question(HistoryTurn("user", text, seconds), now)

    def typed(self, text: str, now: float) -> list[Action]:
        """A realtimeInput.text came. A blank one asks for the answer to what is in the history."""
        if not text.strip():
            asks = self.state == "listening" and question(self.history)
            return self._ask(now) if asks else []
        echo: list[Action] = []
        if self.terms.traits.echoes and self.terms.input_text:
            echo = [SendFrame({"serverContent": {"inputTranscription": {"text": text}}})]
        return echo + self._question(HistoryTurn("user", text), now)

    def content(self, turns: Sequence[tuple[str, str]], complete: bool, now: float) -> list[Action]:
        """A clientContent came: turns for the history, and if it is `complete`, a question."""
        answer = complete and (not self._seeding or self.terms.traits.seed_answers)
        actions = self._interrupt(now) if answer else []
        whole = self.covered == len(self.history)
        for role, text in turns:
            if role == "system":
                self.system = f"{self.system} {text}".strip()
                continue
            turn = HistoryTurn("model" if role == "model" else "user", text)
            self.history.append(turn)
            actions.append(TurnKept(turn))
        if whole and not answer:
            self.covered = len(self.history)
        if not answer and weight(self.history) > MOST_TOKENS:
            actions.append(CloseLink(*CLOSES["invalid"]))
        if complete:
            self._seeding = False
        if answer and question(self.history):
            actions += self._ask(now)
        elif answer:
            actions += [SendFrame({"serverContent": {"turnComplete": True}})]
        return actions

    def whole(self) -> bool:
        """Whether a handle that is issued now covers all questions."""
        return self.covered == len(self.history) and not self._waiting

    def unplayed(self, now: float) -> float:
        """How many seconds of what was said the client has still to play."""
        return max(0.0, self._play_end - now)

    # ----------------------------------------------------------------------------------------- output

    def said(self, text: str, pcm: bytes, now: float, *, written: bool = False) -> list[Action]:
        """The agent's next piece: its text, which may be "", and its sound, s16le mono at 24 kHz.

        `written`: the text is the answer itself, and no transcript of sound.
        """
        self.state = "generating"
        opening = [] if self._pieces else self._shape.opening()
        length = len(pcm) / OUTPUT_BYTES_PER_SECOND
        if text or not self._pieces:
            self._pieces.append((text, length))
        else:  # more sound of the same words
            words, before = self._pieces[-1]
            self._pieces[-1] = (words, before + length)
        self._play_end = max(self._play_end, now) + length
        frames = [*opening, *(self._shape.written(text) if written else self._shape.piece(text, pcm))]
        return [SendFrame(frame) for frame in frames]

    def said_all(self, now: float, *, more: bool = False) -> list[Action]:
        """The answer is complete, or with `more` one of its utterances."""
        self._more = more
        frames = [*self._shape.closing(), {"serverContent": {"generationComplete": True}}]
        actions: list[Action] = [SendFrame(frame) for frame in frames]
        if self._pieces:
            text = "".join(piece for piece, _ in self._pieces).strip()
            self._answer = HistoryTurn("model", text, sum(length for _, length in self._pieces))
            self.history.insert(self._answer_at, self._answer)
            self._answer_at += 1
            actions.append(TurnKept(self._answer))
        if not more:
            self.covered = len(self.history)
        self.state = "playing"
        self._play_end = max(self._play_end, now)
        return actions

    def says_nothing(self, now: float, reason: str = "") -> list[Action]:
        """The question gets no answer. Its turn is complete, with this `reason` if there is one."""
        self.covered = len(self.history)
        return self._turn_complete(now, reason)

    def keeps_silent(self, *, chosen: bool = False) -> None:
        """The question gets no answer, and the client is not told (docs/wire.md 12).

        `chosen`: the model had nothing to say to it. What comes next is a question of its own then.
        """
        if chosen:
            self.history.append(HistoryTurn("model", ""))
        self.covered = len(self.history)
        self.state = "listening"

    def go_away(self, left: float, now: float, told: str | None = None) -> list[Action]:
        """The link ends in `left` seconds. `told`: what GoAway says instead of that; "none" for nothing."""
        self.deadlines.go_away(left, now)
        said = wire.seconds(left) if told is None else told
        return [SendFrame({"goAway": {} if said == "none" else {"timeLeft": said}})]

    # ------------------------------------------------------------------------------------------ functions

    def called(self, call: Call) -> list[Action]:
        """The agent calls a function of the client."""
        self.calls[call.id] = call
        frame: wire.Json = {"toolCall": {"functionCalls": [call.json]}}
        if self.terms.traits.utterances:
            frame["interactionStatus"] = "IN_PROGRESS"
        return [SendFrame(content) for content in [*self._shape.opening(calls=True), frame]]

    def result(self, name: str, *, more: bool) -> Call | None:
        """A result of the call with this id came, and perhaps `more` will. None if none is awaited."""
        return self.calls.get(name) if more else self.calls.pop(name, None)

    def grounded(self, frame: wire.Json) -> list[Action]:
        """The answer rests on a search, of which `frame` tells."""
        return [SendFrame(frame)]

    def result_taken(self, now: float) -> list[Action]:
        """The model has the result it waited for. On Vertex AI that ends a turn, and the next one speaks it."""
        if not self.terms.vertex:
            return []
        frames: list[Action] = [SendFrame({"serverContent": {"generationComplete": True}}), *self._turn_complete(now)]
        self._utter(now)
        return frames

    def speaks_up(self, now: float, *, interrupting: bool) -> list[Action] | None:
        """The agent has something to say that nobody asked for just now; None while it must wait."""
        states = ("listening", "generating", "playing") if interrupting else ("listening",)
        if self.state not in states or self._more:
            return None
        actions = self._interrupt(now)
        self._answer_at = len(self.history)
        self._utter(now)
        return actions

    def informed(self, text: str) -> list[Action]:
        """Something the agent knows now, and says nothing of."""
        known = HistoryTurn("model", text)
        self.history.insert(self.covered, known)
        self.covered += 1
        self._answer_at += 1
        return [TurnKept(known)]

    def _cancel(self, *, all_of_them: bool = False) -> list[Action]:
        """Cancel the calls that the answer under way waits for."""
        gone = [name for name, call in self.calls.items() if all_of_them or call.function.blocking]
        for name in gone:
            del self.calls[name]
        return [SendFrame({"toolCallCancellation": {"ids": gone}})] if gone else []

    # ------------------------------------------------------------------------------------------- time

    def deadline(self) -> float:
        """When `tick` must be called at the latest."""
        return min(self.deadlines.next(), self._play_end) if self.state == "playing" else self.deadlines.next()

    def tick(self, now: float) -> list[Action]:
        due = self.deadlines
        if now >= due.close_at:
            spent: list[Action] = [ForgetHandles()] if due.spent(now) else []
            return [*spent, CloseLink(*CLOSES["overstayed"])]
        if now >= due.idle_at:
            return [CloseLink(*CLOSES["idle"])]
        actions: list[Action] = []
        if due.goaway_at is not None and now >= due.goaway_at:
            left = due.close_at - now
            actions += self.go_away(round(left) if left >= 1 else round(left, 3), now)
        if self.state == "playing" and now >= self._play_end:
            actions += self._turn_complete(now)
            if self._more:
                self._utter(now)
            elif waiting := self._admit():
                actions += [*waiting, *self._ask(now)]
        if due.offer_at is not None and now >= due.offer_at:
            due.offered(now)
            # After a turn a client waits for its handle. What it has asked since is not covered by it.
            busy = self.state in ("thinking", "generating") and self.terms.handles != "after turns"
            actions.append(OfferHandle(not busy and not self._more and not self.calls))
        return actions

    # ------------------------------------------------------------------------------------------ turns

    def tokens(self) -> int:
        """The size of the context, in tokens."""
        return text_tokens(self.system) + weight(self.history) + self._frames * self.terms.frame_tokens

    def _voice(self, kind: str, offset: float) -> list[Action]:
        if not self.terms.traits.activity:
            return []
        return [SendFrame({"voiceActivity": {"type": kind, "audioOffset": wire.seconds(offset)}})]

    def _question(self, turn: HistoryTurn, now: float) -> list[Action]:
        if not self.terms.interrupts and (self.state in ("generating", "playing") or self._more):
            self._waiting.append(turn)
            return [CloseLink(*CLOSES["invalid"])] if weight(self._waiting) > WINDOW else []
        actions = self._interrupt(now)
        turn, self._frames = replace(turn, frames=self._frames, frame_weight=self.terms.frame_tokens), 0
        self.history.append(turn)
        actions.append(TurnKept(turn))
        if self.terms.traits.answers:
            return actions + self._ask(now)
        self.covered = len(self.history)
        return [*actions, SendFrame({"serverContent": {"generationComplete": True}}), *self._turn_complete(now)]

    def _ask(self, now: float) -> list[Action]:
        actions: list[Action] = []
        if self.terms.trigger is not None and self.tokens() > self.terms.trigger:
            before = self.tokens()
            kept = trimmed(self.history, self.terms.target - text_tokens(self.system))
            self.covered = max(0, self.covered - len(self.history) + len(kept))
            self.history = kept
            actions.append(HistoryTrimmed(before, self.tokens()))
        if self.tokens() > WINDOW:
            return [*actions, CloseLink(*CLOSES["invalid"])]
        self._more = False
        self._answer_at = len(self.history)
        self._utter(now)
        return [*actions, AskAgent()]

    def _utter(self, now: float) -> None:
        sound = sum(turn.sound_tokens for turn in self.history)
        seen = sum(turn.frame_tokens for turn in self.history)
        self._asked_tokens = Asked(self.tokens() - sound - seen, sound, seen)
        self._pieces = []
        self._answer = None
        self._play_end = now
        self.state = "thinking"

    def _interrupt(self, now: float) -> list[Action]:
        """End the answer under way. The history keeps what the client must have played by `now`."""
        state, self.state = self.state, "listening"
        more, self._more = self._more, False
        cancelled = self._cancel(all_of_them=self.terms.traits.utterances)
        if state == "thinking" and not more:
            if not cancelled:
                return [StopAgent()]
            self.covered = len(self.history)
            over = [SendFrame({"serverContent": {"interrupted": True}}), *self._turn_complete(now), *self._admit()]
            return [StopAgent(), *cancelled, *over]
        if state in ("listening", "hearing"):
            return []
        length = sum(seconds for _, seconds in self._pieces)
        played = max(0.0, length - max(0.0, self._play_end - now))
        if self._answer is not None:
            self._answer_at -= 1
            del self.history[self._answer_at]
        actions: list[Action] = [StopAgent(), *cancelled, SendFrame({"serverContent": {"interrupted": True}})]
        text = said_by(self._pieces, played)
        if text:
            cut = HistoryTurn("model", text, played, cut=True)
            self.history.insert(self._answer_at, cut)
            actions.append(TurnKept(cut))
        self.covered = len(self.history)
        actions += self._turn_complete(now)
        # The questions that waited come before the one that interrupts. One answer serves all.
        return actions + self._admit()

    def _turn_complete(self, now: float, reason: str = "") -> list[Action]:
        self.state = "listening"
        content: wire.Json = {"turnComplete": True}
        if reason:
            content["turnCompleteReason"] = reason
        if self.terms.traits.utterances:
            content["interactionStatus"] = "IN_PROGRESS" if self._more else "IDLE"
        if self.terms.vertex:
            content["groundingMetadata"] = {}
        self.deadlines.turn_over(now)
        return [SendFrame({"serverContent": content, "usageMetadata": self._usage()})]

    def _admit(self) -> list[Action]:
        """Put the questions that waited into the history."""
        waiting, self._waiting = self._waiting, []
        self.history += waiting
        return [TurnKept(turn) for turn in waiting]

    def _usage(self) -> wire.Json:
        answer = HistoryTurn("model", "".join(text for text, _ in self._pieces), sum(s for _, s in self._pieces))
        thoughts = text_tokens(THOUGHT) if self.terms.thinks and self._pieces and not self.terms.vertex else 0
        return usage(self._asked_tokens, answer, thoughts=thoughts, vertex=self.terms.vertex)

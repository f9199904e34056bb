"""A pipecat bot with Gemini Live, against the server that the environment names."""

import asyncio
import math
import os
import struct
import sys

from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InputTextRawFrame,
    LLMFullResponseEndFrame,
    LLMRunFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineTask
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.google.gemini_live.llm import GeminiLiveLLMService

logger.remove()
logger.add(sys.stderr, level=os.environ.get("LEVEL", "ERROR"))


class Ear(FrameProcessor):
    """Hears what the bot says."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self._words, self._sound = "", 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSTextFrame):
            self._words += frame.text
        elif isinstance(frame, TTSAudioRawFrame):
            self._sound += len(frame.audio)
        elif isinstance(frame, LLMFullResponseEndFrame):
            self.turns.put_nowait((self._words.strip(), self._sound))
            self._words, self._sound = "", 0
        await self.push_frame(frame, direction)


async def main() -> None:
    async def weather(params) -> None:  # type: ignore[no-untyped-def]
        await params.result_callback({"output": f"It rains in {params.arguments['city']}."})

    schema = FunctionSchema("get_weather", "Look up the weather for a city.", {"city": {"type": "string"}}, ["city"])
    settings = GeminiLiveLLMService.Settings(model=os.environ["LIVE_MODEL"])
    llm = GeminiLiveLLMService(api_key="any", settings=settings, tools=ToolsSchema([schema]))
    llm.register_function("get_weather", weather)
    context = LLMContext([{"role": "user", "content": "Hello."}])
    pair = LLMContextAggregatorPair(context)
    ear = Ear()
    task = PipelineTask(Pipeline([pair.user(), llm, ear, pair.assistant()]))
    running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))

    await task.queue_frame(LLMRunFrame())
    words, sound = await ear.turns.get()
    assert words.startswith("Hello"), words
    assert sound > 0
    print("ok      pipecat: the greeting of a bot")

    await task.queue_frame(InputTextRawFrame("What is the weather in Oslo?"))
    words = ""
    while "It rains in Oslo." not in words:
        words += (await ear.turns.get())[0]
    print("ok      pipecat: a function call")

    tone = b"".join(struct.pack("<h", int(9000 * math.sin(2 * math.pi * 300 * n / 16_000))) for n in range(16_000))
    for at in range(0, len(tone) + 64_000, 640):
        frame = (tone + bytes(64_000))[at : at + 640]
        await task.queue_frame(InputAudioRawFrame(frame, 16_000, 1))
        await asyncio.sleep(0.01)
    _, sound = await ear.turns.get()
    assert sound > 0
    print("ok      pipecat: speech")

    lifetime = float(os.environ["LINK_S"])
    if lifetime < 60:
        await asyncio.sleep(lifetime)
        await task.queue_frame(InputTextRawFrame("What did I say?"))
        words, _ = await ear.turns.get()
        assert "Oslo" in words or "said" in words, words
        print("ok      pipecat: GoAway, and the session goes on")
    await task.cancel()
    await asyncio.gather(running, return_exceptions=True)


asyncio.run(asyncio.wait_for(main(), 60))

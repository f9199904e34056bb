"""A bot of pipecat with Gemini Live and the sound card of this machine."""

import asyncio
import os

from pipecat.frames.frames import LLMRunFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineTask
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.services.google.gemini_live.llm import GeminiLiveLLMService
from pipecat.transports.local.audio import LocalAudioTransport, LocalAudioTransportParams


async def main() -> None:
    sound = LocalAudioTransportParams(
        audio_in_enabled=True, audio_out_enabled=True, audio_in_sample_rate=16_000, audio_out_sample_rate=24_000
    )
    transport = LocalAudioTransport(sound)
    settings = GeminiLiveLLMService.Settings(model=os.environ["LIVE_MODEL"])
    model = GeminiLiveLLMService(api_key="any", settings=settings)
    context = LLMContextAggregatorPair(LLMContext())
    parts = [transport.input(), context.user(), model, transport.output(), context.assistant()]
    task = PipelineTask(Pipeline(parts))
    await task.queue_frames([LLMRunFrame()])  # it opens the session
    await PipelineRunner().run(task)


asyncio.run(main())

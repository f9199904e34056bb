"""pydantic-ai's realtime session as its users call it, against the server that the environment names."""

import asyncio
import math
import os
import struct

from google.genai import Client
from pydantic_ai import Agent
from pydantic_ai.messages import SpeechPart, ToolReturnPart
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.realtime import RealtimeSession, RealtimeTurnCompleteEvent
from pydantic_ai.realtime.google import GoogleRealtimeModel

# The SDK forgets a Client nobody holds, and closes its connections.
CLIENT = Client(api_key="any")
QUESTIONS = 3  # after the first ones; with pauses they last longer than a short link

agent = Agent(instructions="Be brief.")


@agent.tool_plain
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"It rains in {city}."


def _last_words(session: RealtimeSession) -> str:
    parts = [part for message in session.all_messages() for part in message.parts if isinstance(part, SpeechPart)]
    return (parts[-1].transcript or "").strip() if parts else ""


async def main() -> None:
    model = GoogleRealtimeModel(os.environ["LIVE_MODEL"], provider=GoogleProvider(client=CLIENT))
    async with agent.realtime(model, model_settings={"reconnect": {}}).session() as session:
        turns: asyncio.Queue[None] = asyncio.Queue()

        async def read() -> None:
            async for event in session:
                if isinstance(event, RealtimeTurnCompleteEvent):
                    turns.put_nowait(None)

        reader = asyncio.create_task(read())

        async def ask(question: str) -> str:
            await session.send(question)
            await turns.get()
            return _last_words(session)

        words = await ask("What is 3 plus 4?")
        assert words == "3 plus 4 is 7.", words
        print("ok      pydantic-ai: a typed turn")

        words = await ask("What is the weather in Oslo?")
        assert words.endswith("It rains in Oslo."), words
        assert any(isinstance(part, ToolReturnPart) for it in session.all_messages() for part in it.parts)
        print("ok      pydantic-ai: a function call")

        waves = (math.sin(2 * math.pi * 300 * n / 16_000) for n in range(16_000))
        tone = b"".join(struct.pack("<h", int(9000 * wave)) for wave in waves)
        for at in range(0, len(tone) + 64_000, 3_200):
            await session.send_audio((tone + bytes(64_000))[at : at + 3_200])
        await turns.get()
        assert _last_words(session).startswith("(your own words"), _last_words(session)
        print("ok      pydantic-ai: speech")

        for n in range(QUESTIONS):
            words = await ask(f"What is {n} plus 4?")
            assert words == f"{n} plus 4 is {n + 4}.", words
            await asyncio.sleep(3)
        print("ok      pydantic-ai: links that end")
        reader.cancel()


asyncio.run(main())

"""An agent of livekit-agents with Gemini Live, to be run as `livekit_agent.py console`."""

import os

from livekit.agents import Agent, AgentSession, JobContext, WorkerOptions, cli
from livekit.plugins import google


async def entrypoint(ctx: JobContext) -> None:
    model = google.realtime.RealtimeModel(model=os.environ["LIVE_MODEL"])
    session: AgentSession = AgentSession(llm=model)
    await session.start(agent=Agent(instructions="Be brief."), room=ctx.room)


cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))

"""Joins the parts of one conversation to a session: the embedded server, the link and the runner."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from livechat.commands.resume_conversation import options_to_keep, resumptions
from livechat.conversations.store import Book
from livechat.errors import Notice
from livechat.events import Output, SystemText, Typed
from livechat.installed import extra, speech_models
from livechat.session.context_replay import Exchange
from livechat.session.events import Begin, Dial, Wire

if TYPE_CHECKING:
    from livechat.commands.hold_conversation import Parts
    from livechat.commands.notices import Notices
    from livechat.server.agent import Agent
    from livechat.server.brain import Brain
    from livechat.server.serve import Server
    from livechat.session.link import Dialler, Link
    from livechat.session.listening import Listening
    from livechat.session.runner import Runner
    from livechat.settings import Settings
    from livechat.video.feed import VideoFeed


async def caption_dialler(
    settings: Settings, notices: Notices, stack: contextlib.AsyncExitStack
) -> Callable[[Dial, Callable[[Wire], None]], Link]:
    """What dials the links of captions. The embedded server, which ends with `stack`, remembers none of them."""
    from livechat.server import fault_plan
    from livechat.session.link import Dialler

    faults = fault_plan.parse(settings.faults or "")
    await _sdk_loaded()
    if settings.backend != "offline":
        return Dialler(settings).dial
    from livechat.server import serve

    agent = _agent(None, spoken_to=True, notices=notices)
    server = await stack.enter_async_context(serve.Server(agent, faults=faults))
    return Dialler(settings, url=server.url, ca_pem=server.ca_pem.decode()).dial


async def embedded_server(parts: Parts, stack: contextlib.AsyncExitStack) -> Server:
    """The server in this process, which ends with `stack`."""
    from livechat.server import serve, session_memory

    agent = parts.agent
    if agent is None:
        agent = _agent(parts.brain, spoken_to=parts.source is not None, notices=parts.notices)
    memory = None
    if parts.memory:
        memory = stack.enter_context(contextlib.closing(session_memory.SessionMemory(parts.memory, time.time)))
        if memory.warning and parts.store.on_disk:  # without a disk the store has said so
            parts.notices(Notice(memory.warning, "its sessions end with this program"))
    return await stack.enter_async_context(serve.Server(agent, faults=parts.faults, memory=memory))


def _agent(brain: Brain | None, *, spoken_to: bool, notices: Notices) -> Agent:
    """The best agent that there is here. What it lacks is said."""
    from livechat.server.agent_choice import make_agent

    agent, lacking = make_agent(brain=brain, spoken_to=spoken_to, notify=notices)
    if lacking:
        notices(Notice(lacking, speech_models()))
    return agent


async def _sdk_loaded() -> None:
    """Import the SDK. It takes a second: not on the loop, where the display runs."""
    from livechat.session.link import load_sdk

    if "google.genai.live" not in sys.modules:
        await asyncio.to_thread(load_sdk)


async def make_runner(
    parts: Parts,
    server: Server | None,
    book: Book,
    turns: list[Exchange],
    show: Callable[[Output], None],
    opened: asyncio.Event,
    stack: contextlib.AsyncExitStack,
) -> Runner:
    """The runner of the conversation of `book`, which has had these `turns`. `opened` is set once a link is open.

    MCP servers end with `stack`.
    """
    from livechat.models import family
    from livechat.session.link import Dialler
    from livechat.session.mcp_servers import with_mcp
    from livechat.session.runner import Runner
    from livechat.session.tools import load
    from livechat.session.trace import Traced
    from livechat.session.transcript import Transcript

    await _sdk_loaded()
    settings, kept, model = parts.settings, parts.resumed, family(parts.settings.model)
    tools = await with_mcp(
        load(settings.tool, search=settings.search), settings.mcp, settings.mcp_functions, extra("tools"), stack
    )
    listened_to = parts.source is not None and settings.input is None
    tools = tools.confirmed(settings.confirm, somebody=listened_to or settings.lines or not parts.one_at_a_time)
    dialler = Dialler(
        settings, tools, url=server.url if server else None, ca_pem=server.ca_pem.decode() if server else None
    )
    stranger = kept is not None and not kept.id  # a handle whose conversation is not kept here
    video = await _video(settings, show)
    lines = _shown_first(video, parts.lines) if parts.lines else None
    return Runner(
        begin=Begin(resumptions(kept), len(turns), only_resume=stranger),
        dial=dialler.dial,
        listening=_listening(parts),
        lines=_after(opened, lines) if stranger and lines else lines,
        one_at_a_time=parts.one_at_a_time,
        commands=parts.display.commands(),
        sink=parts.sink,
        ledger=book,
        show=show,
        transcript=Transcript(turns),
        machine=Traced(
            write=parts.trace,
            random=parts.random,
            ttl=settings.handle_ttl_s,
            answer_s=model.answer_s,
            silent=model.silent,
        ),
        family=model,
        tools=tools,
        instruct=partial(_instruct, parts, dialler, book),
        video=video,
        wall=parts.wall,
    )


async def _video(settings: Settings, show: Callable[[Output], None]) -> VideoFeed:
    """What shows the model pictures, from the beginning with --video."""
    from livechat.models import FRAME_TOKENS
    from livechat.video.feed import VideoFeed
    from livechat.video.sources import source_of

    feed = VideoFeed(
        show,
        partial(source_of, remedy=extra("video"), camera_remedy=extra("camera")),
        fps=settings.fps,
        tokens=FRAME_TOKENS[settings.media_resolution],
        holds=settings.applied_compression[0] if settings.applied_compression else None,
    )
    if settings.video:
        await feed.start(settings.video, must=True)
    return feed


def _listening(parts: Parts) -> Listening:
    from livechat.audio.dsp import level
    from livechat.audio.sources import SilenceSource
    from livechat.audio.vad import SpeechDetector
    from livechat.session.barge_in import BargeIn
    from livechat.session.listening import Listening
    from livechat.session.push_to_talk import Gate

    settings = parts.settings
    return Listening(
        parts.source,
        SilenceSource(),
        gate=Gate(push_to_talk=settings.ptt),
        detector=SpeechDetector() if parts.source else None,
        barge_in=BargeIn(parts.sink) if settings.barge_in == "local" else None,
        level=level,
        fast=settings.fast,
    )


def _instruct(parts: Parts, dialler: Dialler, book: Book, text: str) -> None:
    """The system instruction is `text` from now on: on later links, and when the conversation is resumed."""
    dialler.instruct(text)
    book.reconfigure(options_to_keep(replace(parts.settings, system=text)))
    parts.display.show(SystemText(text))


async def _after(opened: asyncio.Event, lines: AsyncIterator[Typed]) -> AsyncIterator[Typed]:
    """The lines, once a link is open: a handle that the server refuses must not cost a line of the pipe."""
    await opened.wait()
    async for line in lines:
        yield line


async def _shown_first(video: VideoFeed, lines: AsyncIterator[Typed]) -> AsyncIterator[Typed]:
    """The lines, each after the first picture of what is being shown: it may be about that."""
    async for line in lines:
        await video.ready()
        yield line

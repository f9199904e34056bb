"""The clock of the tests: it jumps, and a program can be stopped while its server goes on."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

from tests.support.virtual_time import BEGIN, PROGRAM, VirtualLoop, run


async def ticks(seen: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(1.0)
        seen.append(loop.time() - BEGIN)


def test_what_is_stopped_stands_still_and_all_else_goes_on() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        context = copy_context()
        context.run(PROGRAM.set, True)
        outside: list[float] = []
        inside: list[float] = []
        both = [loop.create_task(ticks(outside)), loop.create_task(ticks(inside), context=context)]
        await asyncio.sleep(2.5)
        loop.stop_program(10.0)
        await asyncio.sleep(12.0)
        for task in both:
            task.cancel()
        assert outside == [float(second) for second in range(1, 15)]
        assert inside == [1.0, 2.0, 12.5, 13.5, 14.5][: len(inside)]
        assert len(inside) >= 4

    run(main())


def test_what_was_sent_to_a_stopped_program_is_there_when_it_goes_on() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        got: list[tuple[float, bytes]] = []

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for word in (b"one\n", b"two\n", b"three\n"):
                writer.write(word)
                await asyncio.sleep(1.0)
            writer.close()

        async def program(port: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while line := await reader.readline():
                got.append((loop.time() - BEGIN, line))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        context = copy_context()
        context.run(PROGRAM.set, True)
        task = loop.create_task(program(server.sockets[0].getsockname()[1]), context=context)
        await asyncio.sleep(0.5)
        loop.stop_program(60.0)
        await task
        assert got == [(0.0, b"one\n"), (60.5, b"two\n"), (60.5, b"three\n")]
        server.close()
        await server.wait_closed()

    run(main())

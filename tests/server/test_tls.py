"""The certificate that the server makes."""

from __future__ import annotations

import asyncio
import ssl

from livechat.server.parrot import Parrot
from livechat.server.serve import Server
from tests.support.virtual_time import run


def test_the_certificate_is_for_this_machine_only() -> None:
    async def main() -> None:
        async with Server(Parrot()) as server:
            context = ssl.create_default_context(cadata=server.ca_pem.decode())
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
            names = writer.get_extra_info("peercert")["subjectAltName"]
            assert set(names) == {
                ("DNS", "localhost"),
                ("IP Address", "127.0.0.1"),
                ("IP Address", "0:0:0:0:0:0:0:1"),
            }
            writer.close()
            await writer.wait_closed()
            assert reader

    run(main())

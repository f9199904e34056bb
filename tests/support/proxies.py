"""Real small proxies on loopback, and a server with a name of its own that only they know.

A proxy here looks names up in its own table, as one in a company does: `live.test` is nowhere but behind it. So a
client that reaches it has gone through the proxy.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from livechat.session.events import Dial, Ended, Wire
from livechat.session.link import Dialler
from livechat.settings import Settings

NAME = "live.test"


@dataclass
class Asked:
    """What was asked of a proxy: where to, and as whom."""

    targets: list[tuple[str, int]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)


@dataclass
class Running:
    """A proxy that listens on `port`."""

    port: int
    asked: Asked


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a free port of 127.0.0.1."""
    writers: list[asyncio.StreamWriter] = []

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(met, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Carry bytes to 127.0.0.1:`port` and back."""
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        sink.close()

    await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))


@contextlib.asynccontextmanager
async def http_proxy(
    names: dict[str, int], *, login: str = "", context: ssl.SSLContext | None = None
) -> AsyncIterator[Running]:
    """An HTTP proxy for CONNECT. `names`: the port on 127.0.0.1 behind each; `login`: USER:PASSWORD it wants."""
    asked = Asked()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        assert method == "CONNECT"
        host, _, port = target.rpartition(":")
        given = [line.split()[-1] for line in head.splitlines() if line.lower().startswith("proxy-authorization:")]
        asked.logins += [base64.b64decode(token).decode() for token in given]
        asked.targets.append((host, int(port)))
        if login and asked.logins[-1:] != [login]:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        elif host not in names:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await tunnel(reader, writer, names[host])

    async with listening(handler, context) as port:
        yield Running(port, asked)


@contextlib.asynccontextmanager
async def socks5_proxy(names: dict[str, int], *, login: str = "", reply: int = 0) -> AsyncIterator[Running]:
    """A SOCKS5 proxy (RFC 1928, 1929). `reply`: what it answers to every request, 0 for what it should."""
    asked = Asked()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        wanted = 2 if login else 0
        writer.write(bytes([5, wanted if wanted in methods else 0xFF]))
        if wanted not in methods:
            return
        if login:
            await reader.readexactly(1)
            user, password = [(await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in "up"]
            asked.logins.append(f"{user}:{password}")
            writer.write(bytes([1, asked.logins[-1] != login]))
            if asked.logins[-1] != login:
                return
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        asked.targets.append((host, int.from_bytes(await reader.readexactly(2))))
        code = reply or (0 if host in names else 4)
        writer.write(bytes([5, code, 0, 1]) + bytes(6))
        if not code:
            await tunnel(reader, writer, names[host])

    async with listening(handler) as port:
        yield Running(port, asked)


@contextlib.asynccontextmanager
async def socks4_proxy(names: dict[str, int], *, reply: int = 0x5A) -> AsyncIterator[Running]:
    """A SOCKS4 proxy that knows names, too (4a)."""
    asked = Asked()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(8)
        await reader.readuntil(b"\0")
        host = str(ipaddress.ip_address(head[4:8]))
        if head[4:7] == bytes(3):
            host = (await reader.readuntil(b"\0"))[:-1].decode()
        asked.targets.append((host, int.from_bytes(head[2:4])))
        writer.write(bytes([0, reply]) + bytes(6))
        if reply == 0x5A:
            await tunnel(reader, writer, names[host])

    async with listening(handler) as port:
        yield Running(port, asked)


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def certified(
    *names: str, begins: timedelta = timedelta(days=-1), ends: timedelta = timedelta(days=1)
) -> tuple[bytes, bytes]:
    """A certificate for these names or numbers, and its key, in PEM. It vouches for itself, so it is the CA to trust.

    `begins` and `ends`: when it is valid, counted from now.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    alternatives: list[x509.GeneralName] = []
    for name in names:
        try:
            alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            alternatives.append(x509.DNSName(name))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(pem), secret


def serving(certificate: bytes, key: bytes) -> ssl.SSLContext:
    """A context that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(certificate + key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


@dataclass
class Live:
    """A Live server that opens every session and closes it again. `ca`: the certificate it shows, in PEM."""

    port: int
    ca: str
    keys: list[str]  # that it was shown


@contextlib.asynccontextmanager
async def live_server(
    *names: str,
    port: int = 0,
    refuse: Callable[[ServerConnection, Request], Response | None] | None = None,
    begins: timedelta = timedelta(days=-1),
    ends: timedelta = timedelta(days=1),
) -> AsyncIterator[Live]:
    """Serve on 127.0.0.1 as all of `names`. `refuse` may answer a request otherwise."""
    certificate, key = certified(*names, begins=begins, ends=ends)
    keys: list[str] = []

    def look(ws: ServerConnection, request: Request) -> Response | None:
        keys.extend(request.headers.get_all("x-goog-api-key"))
        return refuse(ws, request) if refuse else None

    async def handler(ws: ServerConnection) -> None:
        await ws.recv()
        await ws.send(b'{"setupComplete": {}}')
        await ws.close()

    async with serve(
        handler, "127.0.0.1", port, ssl=serving(certificate, key), process_request=look, compression=None
    ) as server:
        yield Live(server.sockets[0].getsockname()[1], certificate.decode(), keys)


async def dial(host: str, ca: str | None, port: int = 443, **settings: Any) -> list[Wire]:
    """One link to https://`host`:`port`, from beginning to end: what it said."""
    posted: list[Wire] = []
    made = {"backend": "endpoint", "endpoint": f"https://{host}:{port}", "key": "k", **settings}
    dialler = Dialler(Settings(**made, api_version="v1"), ca_pem=ca)
    await dialler.dial(Dial(1, None, transparent=False), posted.append).run()
    return posted


def end_of(posted: list[Wire]) -> Ended:
    """The last word, where a link never opened."""
    (end,) = posted
    assert isinstance(end, Ended)
    return end

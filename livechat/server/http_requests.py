"""What the server answers over plain HTTP: its status page, the list of models, and ephemeral tokens."""

import http
import json
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from livechat.server.addresses import key_of, path_of, refused
from livechat.server.auth_tokens import TokenMint, WrongRequestError
from livechat.server.connection import Answer
from livechat.server.history import HistoryTurn
from livechat.server.link_record import LinkRecord
from livechat.server.models import MODELS, WINDOW
from livechat.server.status_page import EVENTS, PAGE, snapshot
from livechat.server.wire import camel_keys

_MODELS = ("/v1/models", "/v1beta/models", "/v1alpha/models")
_PAGES = ("/", "/events", *_MODELS)
_TOKENS = "/v1alpha/auth_tokens"
_JSON, _HTML = "application/json; charset=UTF-8", "text/html; charset=UTF-8"


class HttpRequests:
    """Those of one server. `allowed`: hosts besides this machine's own (addresses.refused)."""

    def __init__(
        self,
        links: Collection[LinkRecord],
        sessions: Mapping[str, tuple[HistoryTurn, ...]],
        tokens: TokenMint,
        allowed: Collection[str],
    ) -> None:
        self._links, self._sessions, self._tokens, self._allowed = links, sessions, tokens, allowed
        self.events: deque[dict[str, Any]] = deque(maxlen=EVENTS)

    def get(self, ws: ServerConnection, request: Request) -> Response | None:
        """The answer to a GET request; None where the path is none of this server's pages."""
        path = _plain_path(request)
        if path == "/":
            return _respond(ws, PAGE, _HTML)
        if path == "/events":
            return _respond(ws, json.dumps(snapshot(list(self._links), self._sessions, list(self.events))), _JSON)
        if path in _MODELS:
            return _respond(ws, json.dumps({"models": [_model(name) for name in MODELS]}), _JSON)
        return None

    def other(self, method: str, request: Request, body: bytes) -> Answer:
        """The answer to a request that is no GET."""
        if why := refused(request, self._allowed):
            return _error(http.HTTPStatus.FORBIDDEN, "PERMISSION_DENIED", why)
        path = _plain_path(request)
        if path not in (*_PAGES, _TOKENS):
            return _error(http.HTTPStatus.NOT_FOUND, "NOT_FOUND", "Not Found")
        if path in _PAGES or method != "POST":
            return _error(http.HTTPStatus.METHOD_NOT_ALLOWED, "UNIMPLEMENTED", f"{method} is not allowed for {path}")
        if not key_of(request):
            return _error(http.HTTPStatus.FORBIDDEN, "PERMISSION_DENIED", "Please use API Key.")
        try:
            asked = camel_keys(json.loads(body or b"{}"))
            if not isinstance(asked, dict):
                raise WrongRequestError("the body is no object")
            return http.HTTPStatus.OK, self._tokens.mint(asked)
        except (ValueError, RecursionError):
            return _error(http.HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", "Invalid JSON payload received.")
        except WrongRequestError as wrong:
            return _error(http.HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", str(wrong))


def _plain_path(request: Request) -> str:
    """Without the slashes that clients put around it."""
    return "/" + path_of(request).strip("/")


def _model(name: str) -> dict[str, Any]:
    methods = ["bidiGenerateContent"]
    return {"name": f"models/{name}", "inputTokenLimit": WINDOW, "supportedGenerationMethods": methods}


def _respond(ws: ServerConnection, text: str, kind: str) -> Response:
    response = ws.respond(http.HTTPStatus.OK, text)
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = kind
    response.headers["Cache-Control"] = "no-store"
    return response


def _error(status: http.HTTPStatus, name: str, message: str) -> Answer:
    return status, {"error": {"code": status.value, "message": message, "status": name}}

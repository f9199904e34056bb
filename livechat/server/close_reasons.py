"""How the real service ends a link: every close code and reason of this server, by a short name.

The codes and texts are those of docs/wire.md 6.1. docs/faults.md lists the names.
"""

# Values in braces differ from case to case: _EXAMPLE has those of a fault plan.
_TEXTS: dict[str, tuple[int, str]] = {
    # key, project, region
    "bad-key": (1007, "API key not valid. Please pass a valid API key."),
    "expired-key": (1007, "API key expired. Please renew the API key."),
    "no-key": (
        1008,
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
        "other form of API consumer identity to call this API.",
    ),
    "region": (1007, "User location is not supported for the API use without a billing account linked."),
    "spending-cap": (
        1011,
        "Your project has exceeded its monthly spending cap. Please go to AI Studio at https://ai.studio/spend to "
        "manage your project spend cap.",
    ),
    # setup
    "no-model": (
        1008,
        "{model} is not found for API version {version}, or is not supported for bidiGenerateContent. Call "
        "ModelService.ListModels to see the list of available models.",
    ),
    "unknown-field": (1007, 'Invalid JSON payload received. Unknown name "{field}"{at}: Cannot find field.'),
    "not-json": (1007, "Invalid JSON payload received. Unexpected token."),
    "not-base64": (1007, "Invalid value at 'realtime_input.audio.data' (TYPE_BYTES), Base64 decoding failed"),
    "wrong-type": (1007, "Invalid value at '{where}' ({kind}), {value}"),
    "role": (1007, "Please use a valid role: user, model."),
    "media-chunks": (
        1007,
        "realtime_input.media_chunks is deprecated. Use audio, video, or text instead.",
    ),
    "invalid": (1007, "Request contains an invalid argument."),
    "precondition": (1007, "Precondition check failed."),
    "activity": (1007, "Explicit activity control is not supported when automatic activity detection is enabled."),
    "thinking": (1007, "Thinking level is not supported for this model."),
    "no-thinking": (1007, "Thinking level must be specified for this model."),
    "blocking": (1007, "BLOCKING function calls are not supported for this model."),
    "modality": (
        1007,
        "The requested combination of response modalities ({modalities}) is not supported by the model.",
    ),
    "no-voices": (1007, "Cannot extract voices from a non-audio request."),
    "no-voice": (1007, "No matching speaker voice found."),
    "language": (1007, "Unsupported language code '{language}' for model {model}"),
    "code-execution": (1007, "Code Execution tool is not supported for this model."),
    # handle
    "bad-handle": (1007, "Invalid session handle"),
    "no-session": (1008, "BidiGenerateContent session not found"),
    "no-entity": (1008, "Requested entity was not found."),
    # time
    "overstayed": (
        1008,
        "Connection aborted because the client failed to close the connection after receiving a GoAway signal "
        "once the session duration limit was reached.",
    ),
    "idle": (1008, "The operation was aborted."),
    "deadline": (1011, "Deadline expired before operation could complete."),
    # the service
    "unsupported": (1008, "Operation is not implemented, or supported, or enabled."),
    "internal": (1011, "Internal error encountered."),
    "internal-occurred": (1011, "Internal error occurred."),
    "unavailable": (1011, "The service is currently unavailable."),
    "keepalive": (1011, "keepalive ping timeout"),
    # quota
    "quota": (
        1011,
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        "error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.",
    ),
    "concurrent": (
        1011,
        "Request trace id: 0, [ORIGINAL ERROR] generic::resource_exhausted: RESOURCE_EXHAUSTED: Maximum concurrent "
        "sessions exceeded for the project.",
    ),
    "exhausted": (1011, "Resource has been exhausted (e.g. check quota)."),
    # no words at all
    "normal": (1000, ""),
    "going-away": (1001, ""),
    "restart": (1012, ""),
}


_EXAMPLE = {
    "at": " at 'setup'", "model": "models/gemini-0", "version": "v1beta", "field": "proactivity", "where": "setup",
    "modalities": "TEXT", "language": "es", "kind": "TYPE_FLOAT", "value": '"hot"',
}  # fmt: skip
CLOSES = {name: (code, text.format(**_EXAMPLE)) for name, (code, text) in _TEXTS.items()}


class Rejected(Exception):  # noqa: N818 - what happened to the request, not a fault of ours
    """The server ends the link with close `code` and `reason`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def closed(name: str, **values: str) -> Rejected:
    """The end of a link by its name in CLOSES. `values` fill what is in braces in its text."""
    code, text = _TEXTS[name]
    return Rejected(code, text.format(**{**_EXAMPLE, **values}))

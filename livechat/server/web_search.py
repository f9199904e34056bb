"""Google Search, as the offline agent has it: it says that it cannot search, and sends the metadata of a search."""

import re

from livechat.server.wire import Json

ANSWER = "I am offline, so I cannot search the web."
_WISH = re.compile(
    r"\b(?:search|google|look (?:it|that|this)? ?up|on the (?:web|internet)|online|news|latest|weather|who won|"
    r"stock price)\b",
    re.IGNORECASE,
)


def wanted(text: str) -> bool:
    """Whether a model with Google Search would use it to answer `text`."""
    return _WISH.search(text) is not None


def grounding(query: str) -> Json:
    """A frame with the groundingMetadata of a search for `query`. Its only source says that it is none."""
    return {
        "serverContent": {
            "groundingMetadata": {
                "searchEntryPoint": {"renderedContent": "<div>no search: the offline agent has no network</div>"},
                "groundingChunks": [
                    {"web": {"uri": "https://offline.invalid/", "title": "the offline agent, which cannot search"}}
                ],
                "groundingSupports": [
                    {"segment": {"endIndex": len(ANSWER), "text": ANSWER}, "groundingChunkIndices": [0]}
                ],
                "webSearchQueries": [query],
            }
        }
    }

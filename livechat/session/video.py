"""What a conversation needs of whatever shows the model pictures (video/feed.py has the real one)."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from livechat.events import Look, Watch


class Video(Protocol):
    """Pictures for one conversation."""

    async def run(self, give: Callable[[bytes], Awaitable[bool]], flowing: Callable[[], bool]) -> None:
        """Until cancelled. `give` sends a JPEG to the link that takes input; False where none does.

        `flowing`: whether one does.
        """

    async def obey(self, wish: Watch | Look) -> None:
        """Show something, show it no more, or send one picture."""

    async def toggle(self) -> None:
        """Show what was shown last, or the screen; or nothing any more."""

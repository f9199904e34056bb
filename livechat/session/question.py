"""What is known of the question that was asked last and has no answer yet."""

from dataclasses import dataclass

PASSED_S = 2.0  # after a question: a handle that comes later says that no answer is being made


@dataclass(slots=True)
class Question:
    """Times are seconds on the caller's clock."""

    ended_at: float | None = None  # when the person fell silent or typed; None once an answer began
    noticed: bool = False  # the server showed that it heard it
    passed_over: bool = False  # the server heard it, and does nothing about it
    overtaken: bool = False  # its answer began before we noticed that the person had stopped
    repeated: bool = False  # it was asked again on this link, because nothing came back
    cuts: int = 0  # how often a lost link cut the answer to it

    def forget(self) -> None:
        """The question is over, or another link has not heard it yet."""
        self.noticed = self.passed_over = self.repeated = False

    def overdue(self, now: float) -> bool:
        """It ended so long ago that its answer would have begun."""
        return self.ended_at is not None and now - self.ended_at > PASSED_S

    def waited_ms(self, now: float) -> float | None:
        """An answer begins: how long it took. None where the end of the question is not known."""
        ended_at, self.ended_at = self.ended_at, None
        return None if ended_at is None else (now - ended_at) * 1000

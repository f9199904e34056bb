"""The details of a conversation's links: events in, rows out."""

from collections import deque
from dataclasses import dataclass

from livechat import events as ev
from livechat.ui.safe_text import age, clean, duration, tokens, validity
from livechat.ui.status import spent

LINKS = 4  # the newest


@dataclass(slots=True)
class _LinkHistory:
    n: int
    began: str  # by the conversation's clock
    opened_at: float | None = None
    setup_ms: float | None = None
    lasted: str = ""
    end: str = ""
    handover: str = ""


class Details:
    """Follows one conversation. `now` is monotonic seconds, the same clock in every call."""

    def __init__(self) -> None:
        self._begun: float | None = None
        self._links: deque[_LinkHistory] = deque(maxlen=LINKS)
        self._handle: ev.HandleState | None = None
        self._handle_at = 0.0
        self._handles = 0
        self._handovers = 0
        self._longest_ms = self._again_ms = self._lost_ms = 0.0
        self._usage: ev.Usage | None = None
        self._spent: ev.Spent | None = None
        self._compressions = 0
        self._compression: ev.Compression | None = None
        self._replies: deque[float] = deque(maxlen=100)  # ms

    def apply(self, event: ev.Output, now: float) -> None:
        """Take in one event that happened at `now`."""
        if self._begun is None or isinstance(event, ev.Start):
            self._begun = now
        match event:
            case ev.LinkState():
                self._link(event, now)
            case ev.HandleState():
                if event.resumable:
                    self._handle, self._handle_at = event, now
                    self._handles += 1
            case ev.Handover():
                self._handovers += 1
                self._longest_ms = max(self._longest_ms, event.gap_ms)
                self._again_ms += event.replayed_ms
                self._lost_ms += event.dropped_ms
                for link in self._links:
                    if link.n == event.n:
                        link.handover = f"{event.how} after {duration(event.gap_ms)}"
            case ev.Usage():
                self._usage = event
            case ev.Spent():
                self._spent = event
            case ev.Compression():
                self._compressions += 1
                self._compression = event
            case ev.Turn() if event.reply_ms is not None:
                self._replies.append(event.reply_ms)
            case _:
                pass

    def rows(self, now: float) -> list[str]:
        """What is known at `now`, in clean rows. What has not happened yet has no row."""
        rows = [_link_row(link, now) for link in reversed(self._links)]
        if self._handle:
            left = self._handle.expires_in_s - (now - self._handle_at)
            valid = f"valid {validity(left)}" if left > 0 else "expired"
            old = age(now - self._handle_at)
            rows.append(f"handle    {clean(self._handle.id)}, {old} old, {valid}; {self._handles} so far")
        if self._handovers:
            again = f", {duration(self._again_ms)} sent again" if self._again_ms else ""
            lost = f"{duration(self._lost_ms)} lost" if self._lost_ms else "nothing lost"
            rows.append(f"handovers {self._handovers}, longest gap {duration(self._longest_ms)}{again}, {lost}")
        if self._usage:
            context, answer = tokens(self._usage.prompt_tokens), tokens(self._usage.response_tokens)
            rows.append(f"tokens    {context} in the context, {answer} in the last answer")
        if self._spent:
            rows.append(f"spent     {spent(self._spent)}")
        if self._compression:
            change = f"{tokens(self._compression.before)}→{tokens(self._compression.after)}"
            rows.append(f"compressed {self._compressions} times, last {change}")
        if self._replies:
            quick, slow = min(self._replies), max(self._replies)
            rows.append(f"replies   {duration(self._replies[-1])} the last, {duration(quick)} to {duration(slow)}")
        return rows

    def _link(self, event: ev.LinkState, now: float) -> None:
        if event.state == "connecting":
            self._links.append(_LinkHistory(event.n, age(now - (self._begun or now))))
        link = next((link for link in self._links if link.n == event.n), None)
        if link is None:
            return
        if event.state == "open":
            link.opened_at, link.setup_ms = now, event.setup_ms
        elif event.state == "closed":
            link.lasted = f"lasted {age(now - link.opened_at)}" if link.opened_at is not None else "never open"
            wire = " ".join(str(part) for part in (event.code, event.reason) if part)
            link.end = clean(": ".join(part for part in (event.why, wire) if part))


def _link_row(link: _LinkHistory, now: float) -> str:
    lasts = link.lasted or (f"open for {age(now - link.opened_at)}" if link.opened_at is not None else "connecting")
    setup = f"set up in {duration(link.setup_ms)}" if link.setup_ms is not None else ""
    end = f"ended: {link.end}" if link.end else ""
    told = (f"since {link.began}", lasts, link.handover, setup, end)
    return f"link {link.n:<4} {', '.join(filter(None, told))}"

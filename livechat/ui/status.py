"""What the screen should say: events and the time go in, a `StatusView` of ready words comes out.

While all is well `StatusView.notice` is empty. When something is late it says what, for how long, and how to
leave; mosh's `terminaloverlay` is the model. The state words; the first that fits is shown:

* waiting to retry: there is no link, and the next one is dialled later
* connecting, handing over: a link is being opened, the first one or a later one
* resting: there is no link, and none is needed until the person speaks or types
* hearing you, speaking: as `Speaking` says; the person first, because a person cuts in
* still working: the server said that more of the answer is to come
* thinking: the person has stopped speaking, or typed, and nothing has come back yet
* muted, press space: the microphone is shut; the second until the key to talk is pressed
* listening; `typing only` where the conversation has no microphone
"""

from dataclasses import dataclass
from typing import Literal

from livechat import events as ev
from livechat.ui.context_gauge import ContextGauge
from livechat.ui.safe_text import age, clean, duration, money, tokens, validity

KEYBOARD = "keyboard"  # `Start.input` of a conversation without a microphone

UNCOMPRESSED_VIDEO_S = 120  # a session with pictures and without compression ends then
LATE_S = 2.0  # a missing link is worth a notice after this
SLOW_S = 10.0  # an answer that has not begun is worth one after this
NOISE_S = 4.0  # a sound without a transcript counts as a question for no longer than this
URGENT_S = 30.0  # the GoAway countdown turns urgent below this
COMPRESSED_S = 10.0  # a compression is shown as news for this long
STALE_S = 1.0  # levels older than this are shown as silence
FLOOR_DB, FULL_DB = -60.0, -6.0  # the two ends of a meter

SIGNS = {
    "connecting": "◌", "listening": "○", "hearing you": "●", "thinking": "…", "speaking": "»", "still working": "…",
    "handing over": "↻", "waiting to retry": "‖", "typing only": "›", "muted": "×", "press space": "␣",
    "resting": "∙", "ended": "■",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StatusView:
    """Everything the status bar says at one moment; "" where there is nothing to say."""

    state: str  # one of SIGNS
    time: str  # since the conversation began
    link: str  # its number
    link_age: str
    goaway: str  # until the link ends: "~6:38" by our own clock, "0:24" by the server's word
    urgent: bool
    handle: str  # age of the newest resumable handle, or "none"
    resumable: bool  # resuming now would lose nothing
    valid: str  # how long that handle lasts: "1h59", or "expired"
    compression: str  # "102k→51k": from trigger to target, or "off"
    context: str  # tokens in the context, predicted between two counts of the server's
    filled: float | None  # context against the trigger, 0 to 1; None with compression off
    compressed: str  # "103k→51k": a compression that has just been seen
    mic: float  # 0 to 1
    shut: bool  # what the microphone hears does not go out
    speaker: float
    lost: str  # what was dropped
    seen: str  # what the model sees, and without compression for how long it may
    reply: str  # last reply latency
    spent: str  # tokens so far, and what they cost
    notice: str


class ViewState:
    """Follows one conversation. `now` is monotonic seconds, the same clock in every call."""

    def __init__(self, *, lifetime_s: float = 590.0) -> None:
        """`lifetime_s`: how long a link lasts before the server's notice says so."""
        self._lifetime_s = lifetime_s
        self._begun: float | None = None
        self._typed_only = False
        self._compression: dict[str, int] | None = None
        self._link: ev.LinkState | None = None
        self._link_at = 0.0  # when _link arrived
        self._down_at: float | None = 0.0  # since when there is no open link
        self._was_open = False
        self._why = ""
        self._goaway_at: float | None = None
        self._handle: ev.HandleState | None = None
        self._handle_at = 0.0
        self._resumable = False
        self._context = ContextGauge()
        self._compressed: ev.Compression | None = None
        self._compressed_at = 0.0
        self._levels = ev.Levels(-90, -90)
        self._levels_at = 0.0
        self._speaking = ev.Speaking(person=False, model=False)
        self._mic: Literal["open", "muted", "held"] = "open"
        self._asked_at: float | None = None  # since when an answer is due
        self._worded = False  # the question was typed or transcribed: it is more than a noise
        self._answering = False
        self._working = False  # the server said that more of the answer is to come
        self._reply_ms: float | None = None
        self._dropped_ms = 0.0
        self._spent: ev.Spent | None = None
        self._seeing: ev.Seeing | None = None
        self._seen_at: float | None = None  # since when the session has had pictures
        self._ended = False

    def apply(self, event: ev.Output, now: float) -> None:
        """Take in one event that happened at `now`."""
        if self._begun is None:
            self._begun = self._down_at = now
        self._context.apply(event, now)
        match event:
            case ev.Start():
                self._begun = now
                self._typed_only = event.input == KEYBOARD
                self._compression = event.compression
            case ev.LinkState():
                self._apply_link(event, now)
            case ev.GoAwayNotice():
                self._goaway_at = now + event.time_left_s
            case ev.HandleState():
                self._resumable = event.resumable
                if event.resumable:
                    self._handle, self._handle_at = event, now
            case ev.Handover():
                self._dropped_ms += event.dropped_ms
            case ev.Compression():
                self._compressed, self._compressed_at = event, now
            case ev.Spent():
                self._spent = event
            case ev.Seeing():
                self._seeing = event if event.on else None
            case ev.PictureSent() if self._seen_at is None:
                self._seen_at = now
            case ev.Mic():
                self._mic = event.state
            case ev.Levels():
                self._levels, self._levels_at = event, now
            case ev.Summary():
                self._ended = True
            case _:
                self._apply_turn(event, now)

    def _apply_turn(self, event: ev.Output, now: float) -> None:
        """Who speaks, whether an answer is due, and whether it comes."""
        match event:
            case ev.UserText() if event.source != "restored" and not self._answering:
                self._asked_at = now if self._asked_at is None else self._asked_at
                self._worded = True
            case ev.Speaking():
                if self._speaking.person and not event.person:
                    self._asked_at = now
                if event.model:
                    self._answering = True
                self._speaking = event
            case ev.ModelText() if not event.restored:
                self._answering = not event.final
                if not event.cut:  # else the question that cut it short still waits
                    self._asked_at, self._worded = None, False
            case ev.Interrupted():
                self._answering = False
            case ev.Turn():
                self._answering, self._reply_ms = False, event.reply_ms
                self._asked_at, self._worded = None, False
            case ev.Working():
                self._working = event.active
                if not event.active:
                    self._answering, self._asked_at, self._worded = False, None, False
            case _:
                pass

    def _apply_link(self, event: ev.LinkState, now: float) -> None:
        if event.state in ("open", "resting"):
            self._was_open, self._down_at, self._why = True, None, ""
        elif self._down_at is None:
            self._down_at = now
        if event.state in ("connecting", "open"):
            self._goaway_at = None
        self._why = clean(event.why) or self._why
        self._link, self._link_at = event, now

    def status(self, now: float) -> StatusView:
        """What to say at `now`."""
        link = self._link
        is_open = link is not None and link.state == "open"
        left = self._time_left(now) if is_open else None
        noticed = is_open and self._goaway_at is not None
        valid_s = self._handle.expires_in_s - (now - self._handle_at) if self._handle else 0.0
        trigger = self._compression["trigger_tokens"] if self._compression else None
        fresh = now - self._levels_at <= STALE_S
        state = self._state(now)
        context = self._context.tokens(now)
        news = self._compressed if now - self._compressed_at < COMPRESSED_S else None
        return StatusView(
            state=state,
            time=age(now - self._begun) if self._begun is not None else age(0),
            link=str(link.n) if link else "",
            link_age=age(now - self._link_at) if is_open else "",
            goaway="" if left is None else f"{'' if noticed else '~'}{age(left)}",
            urgent=noticed or (left is not None and left < URGENT_S),
            handle=age(now - self._handle_at) if self._handle else "none",
            resumable=self._resumable,
            valid="" if not self._handle else validity(valid_s) if valid_s > 0 else "expired",
            compression="off"
            if not self._compression
            else f"{tokens(self._compression['trigger_tokens'])}→{tokens(self._compression['target_tokens'])}",
            context="" if context is None else tokens(context),
            filled=None if trigger is None else (context or 0) / max(1, trigger),
            compressed=f"{tokens(news.before)}→{tokens(news.after)}" if news else "",
            mic=_meter(self._levels.mic) if fresh else 0.0,
            shut=self._mic != "open",
            speaker=_meter(self._levels.speaker) if fresh else 0.0,
            lost=f"lost {duration(self._dropped_ms)}" if self._dropped_ms > 0 else "",
            seen=self._seen(now),
            spent=spent(self._spent) if self._spent else "",
            reply="" if self._reply_ms is None else duration(self._reply_ms),
            notice=self._notice(state, now),
        )

    def _seen(self, now: float) -> str:
        if self._seeing is None:
            return ""
        left = ""
        if self._seeing.holds_s is None and self._seen_at is not None:
            left = f" {age(max(0.0, UNCOMPRESSED_VIDEO_S - (now - self._seen_at)))} left"
        return f"{clean(self._seeing.source)}{left}"

    def _time_left(self, now: float) -> float:
        if self._goaway_at is not None:
            return self._goaway_at - now
        return self._lifetime_s - (now - self._link_at)

    def _state(self, now: float) -> str:
        if self._ended:
            return "ended"
        if self._link is None or self._link.state != "open":
            if self._link is not None and self._link.state == "resting":
                return "resting"
            if self._link is not None and self._link.state == "waiting":
                return "waiting to retry"
            return "handing over" if self._was_open else "connecting"
        if self._speaking.person:
            return "hearing you"
        if self._speaking.model:
            return "speaking"
        if self._working:
            return "still working"
        if self._asked_at is not None and (self._worded or now - self._asked_at < NOISE_S):
            return "thinking"
        if self._mic != "open":
            return "muted" if self._mic == "muted" else "press space"
        return "typing only" if self._typed_only else "listening"

    def _notice(self, state: str, now: float) -> str:
        if self._down_at is not None and self._begun is not None and not self._ended:
            down = now - self._down_at
            why = f": {self._why}" if self._why else ""
            if state == "waiting to retry":
                wait = max(0.0, (self._link.retry_in_s or 0.0 if self._link else 0.0) - (now - self._link_at))
                return f"no link for {down:.0f} s; next try in {wait:.0f} s{why}"
            return f"no link for {down:.0f} s{why}" if down >= LATE_S else ""
        if state == "thinking" and self._asked_at is not None and now - self._asked_at >= SLOW_S:
            return f"no answer for {now - self._asked_at:.0f} s"
        return ""


def spent(event: ev.Spent) -> str:
    """Tokens, and what they cost where that is known: "145k", "145k 0.1230"."""
    cost = "" if event.cost is None else f" {money(event.cost)}"
    return f"{tokens(event.tokens)}{cost}"


def _meter(level: float) -> float:
    return min(1.0, max(0.0, (level - FLOOR_DB) / (FULL_DB - FLOOR_DB)))

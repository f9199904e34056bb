"""What `GET /` and `GET /events` show of a server: links, sessions, events; in a browser or as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from livechat.server.history import HistoryTurn, weight
from livechat.server.link_record import LinkRecord

SHOWN = 50  # links, sessions and turns of a session, the newest
EVENTS = 200  # the newest


def snapshot(
    links: Sequence[LinkRecord], sessions: Mapping[str, Sequence[HistoryTurn]], events: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """All of it, as JSON. `tokens` of a session: of its turns; the system instruction is not among them."""
    newest = list(sessions.items())[-SHOWN:]
    return {
        "links": [asdict(link) for link in list(links)[-SHOWN:]],
        "sessions": [
            {
                "id": session,
                "tokens": weight(turns),
                "turns": [{"role": turn.role, "text": turn.text, "cut": turn.cut} for turn in turns[-SHOWN:]],
            }
            for session, turns in newest
        ],
        "events": list(events),
    }


# All that comes from clients goes through textContent: it is never read as HTML.
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>livechat serve</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
         color-scheme: light dark; }
  h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
  td.open { color: #2a8a3e; } td:nth-child(2) { white-space: nowrap; }
  .cut { opacity: .6; } code { font-size: .85em; }
</style>
</head>
<body>
<h1>livechat serve</h1>
<p id="state">Looking …</p>
<h2>Links</h2><table id="links"></table>
<h2>Sessions</h2><div id="sessions"></div>
<h2>Events</h2><table id="events"></table>
<script>
"use strict";
const at = id => document.getElementById(id);
const cell = (text, name = "td") => {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
};
const row = (...cells) => {
  const made = document.createElement("tr");
  made.append(...cells);
  return made;
};
const heads = (...names) => row(...names.map(name => cell(name, "th")));
function link(it) {
  const state = cell(it.open ? "open" : it.code === null ? "ended" : `${it.code} ${it.reason}`);
  if (it.open) state.className = "open";
  return row(cell(it.n), cell(it.model), cell(it.session.slice(0, 8)), cell(it.resumed ? "resumed" : "new"),
             cell(it.audio_bytes), cell(it.faults.join(", ")), state);
}
function session(it) {
  const made = document.createElement("details");
  made.dataset.id = it.id;
  made.append(cell(`${it.id.slice(0, 8)}: ${it.turns.length} turns, ${it.tokens} tokens`, "summary"));
  for (const turn of it.turns) {
    const line = cell(`${turn.role}: ${turn.text}`, "div");
    if (turn.cut) line.className = "cut";
    made.append(line);
  }
  return made;
}
function event(it) {
  const { type, n, t, ...rest } = it;
  const told = document.createElement("code");
  told.textContent = JSON.stringify(rest);
  const last = document.createElement("td");
  last.append(told);
  return row(cell(n ?? ""), cell(t === undefined ? "" : `${t} s`), cell(type), last);
}
async function look() {
  try {
    const now = await (await fetch("/events")).json();
    const shown = new Set([...document.querySelectorAll("details[open]")].map(one => one.dataset.id));
    at("state").textContent = `${now.links.filter(it => it.open).length} open links, ${now.sessions.length} sessions`;
    at("links").replaceChildren(heads("link", "model", "session", "", "bytes of sound", "faults", "state"),
                                ...now.links.reverse().map(link));
    at("sessions").replaceChildren(...now.sessions.reverse().map(session));
    for (const one of document.querySelectorAll("details")) one.open = shown.has(one.dataset.id);
    at("events").replaceChildren(heads("link", "at", "event", ""), ...now.events.reverse().map(event));
  } catch {
    at("state").textContent = "The server has ended.";
  }
}
look();
setInterval(look, 1000);
</script>
</body>
</html>
"""

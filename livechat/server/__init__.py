"""A Live API server for offline use and for tests.

It speaks the protocol of docs/wire.md as the real one does, its close codes included, and shares no code
with `livechat.session`: one bug cannot hide in both.
"""

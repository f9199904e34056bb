"""A Live API server for offline use and for tests.

It speaks the protocol of docs/wire.md as the real service does, with the same close codes. It shares no code with
`livechat.session`, so that a mistake in one cannot hide in the other.
"""

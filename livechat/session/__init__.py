"""The unbroken session: a pure machine that decides, an outbox that forgets nothing, and the I/O around them."""

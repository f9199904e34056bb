"""Sound in, sound out. Everything at the edges speaks s16le mono: 16 kHz to the server, 24 kHz from it."""

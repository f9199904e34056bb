"""What a person sees, and what a program reads: the screen, plain lines, and `--json`.

`display.Display` is the one interface of all three; `display.choose` says which of them fits.
"""

"""What a person sees, and what a program reads: the screen, plain lines, and `--json`.

`base.Display` is the one interface the three stand behind; `base.choose` says which of them fits.
"""

"""How livechat is proved: README.md. The folders are those of livechat/; the rest is described there."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"  # human speech, with its licence

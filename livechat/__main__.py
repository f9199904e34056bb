"""`python -m livechat`."""

from livechat.cli import main

main()

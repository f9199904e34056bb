"""`python -m livechat`, and the program's entry point."""

from typing import NoReturn

from livechat.errors import INTERRUPTED


def main() -> NoReturn:
    """Run the command line. An interrupt while it is still being loaded ends without a traceback."""
    try:
        from livechat.cli import main as run
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    run()


if __name__ == "__main__":
    main()

"""What C libraries print is kept off the screen."""

from __future__ import annotations

from tests.support.sound_line import python


def test_what_c_libraries_print_is_kept_off_the_screen_and_python_is_not() -> None:
    program = (
        "import os, sys\n"
        "from livechat.audio.quiet_stderr import quiet_stderr\n"
        "with quiet_stderr():\n"
        "    with quiet_stderr():\n"
        "        os.write(2, b'noise ')\n"
        "        print('words', file=sys.stderr)\n"
        "    os.write(2, b'more noise ')\n"
        "os.write(2, b'after')\n"
    )
    with python(program) as process:
        assert process.communicate(timeout=20)[1] == "words\nafter"

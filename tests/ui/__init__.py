"""Tests of livechat/ui.

Without a file of their own: terminal.py, which test_screen.py and tests/whole/test_leaving.py drive at a real
pseudo-terminal; typed_ahead.py, whose work is seen only by the shell that started the program
(tests/whole/test_leaving.py).
"""

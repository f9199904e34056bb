"""Tests of livechat/conversations. records.py has no file of its own: it holds values, and no code."""

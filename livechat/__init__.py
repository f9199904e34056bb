"""A terminal voice chat with the Gemini Live API whose line does not drop."""

__version__ = "0.1.0"

"""Speech into words: what `livechat transcribe` and `livechat translate` do on a line that does not drop."""

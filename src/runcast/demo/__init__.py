"""``runcast demo``: a real training logged to four trackers at once, and read back from each."""

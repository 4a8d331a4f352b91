"""Codecs of foreign file formats: bytes in, values out. They import nothing of runcast but errors."""

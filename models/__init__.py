"""Tokens in, scores out. Knows label names and numbers, and nothing of letters, segmenters or departments."""

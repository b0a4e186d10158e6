"""Labelled letters in, a checked model folder out."""

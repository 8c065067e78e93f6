"""Asks a real upstream what the fixtures say it answers, and tells how the two differ."""

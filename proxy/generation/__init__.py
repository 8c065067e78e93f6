"""Asks a server once or several times for one stream of events."""

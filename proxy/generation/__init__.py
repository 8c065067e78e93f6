"""Asks the server of a model, once or n times, for one stream of events."""

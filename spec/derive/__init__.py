"""Requests made from `spec/`: good ones that show every property and value, and a bad one for every rule."""

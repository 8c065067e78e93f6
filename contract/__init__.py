"""The contract suite: tests any server against both APIs, plays their answers, and records real ones."""

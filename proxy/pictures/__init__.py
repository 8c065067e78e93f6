"""Pictures after they were drawn: stored behind URLs, or re-encoded."""

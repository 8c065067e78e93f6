"""What happens to pictures after they were drawn: they are stored behind URLs, or re-encoded."""

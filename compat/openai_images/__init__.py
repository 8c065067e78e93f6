"""OpenAI's Images API: its requests, answers and errors, read and written."""

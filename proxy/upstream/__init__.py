"""The HTTP client: a body goes out to a server, a status and a stream of bytes come back."""

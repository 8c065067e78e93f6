"""How gunicorn runs the service: its worker, its responses, its log."""

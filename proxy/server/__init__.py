"""How gunicorn runs the service: its worker, responses and log."""

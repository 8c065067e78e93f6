"""A sandbox that plays Google's Gemini image API: no network, no key, no bill, the same wire format."""

from sandbox.app import create_app

__all__ = ["create_app"]

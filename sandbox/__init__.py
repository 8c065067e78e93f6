"""A sandbox that plays Google's Gemini image API and OpenAI's Images API: no network, no key, no bill."""

from sandbox.app import create_app, situations_of_pictures

__all__ = ["create_app", "situations_of_pictures"]

"""The translation between OpenAI's Images API and Google's Gemini API: pure, without network, clock or environment."""

"""OpenAI's chat completions with pictures, in the form that OpenRouter gave them."""

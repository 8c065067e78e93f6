"""Google's generateContent: its requests, answers and errors, read and written."""

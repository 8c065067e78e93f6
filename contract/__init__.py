"""The contract of both APIs: fixtures made from it, and programs that hold servers against it."""

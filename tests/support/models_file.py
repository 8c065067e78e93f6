"""Models files for tests: the built-in model drawn by a server that speaks OpenAI's API."""

from pathlib import Path

PIXELS = 'pixels = "gemini-2.5-flash-image"'


def models_file(folder: Path, base_url: str, *columns: str) -> str:
    """The path of a new file in which `gemini-2.5-flash-image` is drawn at a base URL; `columns` are further lines."""
    file = folder / "models.toml"
    lines = (
        "only = true",
        "[[model]]",
        'name = "gemini-2.5-flash-image"',
        'upstream = "openai"',
        f'base_url = "{base_url}"',
        *(() if any(column.startswith("pixels") for column in columns) else (PIXELS,)),
        *columns,
    )
    file.write_text("\n".join(lines) + "\n")
    return str(file)

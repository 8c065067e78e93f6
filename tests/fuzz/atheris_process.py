"""One check under atheris: python -m tests.fuzz.atheris_process NAME [options and folders, as libFuzzer takes them]."""

import sys

import atheris

TRACED = {  # whose branches show the fuzzer that an input is new
    "json_stream": ["compat.json_stream"],
    "form": ["compat", "proxy.routes", "multipart", "werkzeug.http"],
}


def main(name: str, options: list[str]) -> None:
    """Never returns: libFuzzer ends the process, with 0 if nothing was found."""
    with atheris.instrument_imports(include=TRACED[name]):
        from tests.fuzz.inputs import check_of
    with check_of(name) as check:
        atheris.Setup([sys.argv[0], *options], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

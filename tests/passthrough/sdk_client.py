"""An SDK in a process of its own: what it is asked to do and what it saw travel as lines of JSON."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

SCRIPTS = Path(__file__).with_name("sdk_scripts")


class SdkClient:
    """`with SdkClient(python, script) as sdk: sdk.ask(do="generate", ...)`; one process answers many questions."""

    def __init__(self, python: Path, script: str) -> None:
        self.command = [str(python), str(SCRIPTS / script)]
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        # Nothing of the developer's environment: no key, no base URL, no proxy.
        environment = {"LANG": "C.UTF-8", "SSL_CERT_FILE": os.environ["SSL_CERT_FILE"]}
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)

    def ask(self, **question: Any) -> Any:
        """What the SDK returned; raises SdkError with the fields of its exception."""
        assert self.process is not None and self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the SDK's process ended: {self.command}"
        answer = json.loads(line)
        if "error" in answer:
            raise SdkError(answer["error"])
        return answer["result"]


class SdkError(Exception):
    """An exception that the SDK raised in its process."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(f"{fields['classes'][0]}: {fields['text']}")
        self.classes: Sequence[str] = fields["classes"]
        self.code: int | None = fields.get("code")
        self.status: str | None = fields.get("status")
        self.message: str | None = fields.get("message")
        self.details: Any = fields.get("details")
        self.text: str = fields["text"]

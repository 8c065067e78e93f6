"""docs/gateways.md, made from the stored results."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from contract.rows import all_rows
from contract.suite.row import Row
from contract.yardstick.capabilities import OWN, SUBJECTS, Capability, by_capability
from contract.yardstick.gateways import ABSENT, GATEWAYS, UPSTREAM_PORT, Gateway

WORDS_FOR_NATIVE = "Google's API"
FINDINGS = Path(__file__).with_name("findings.json")  # what a look by hand showed: by gateway and capability
Results = Mapping[str, Any]
States = Mapping[str, str]  # by row id


class Unexplained(Exception):
    """Failed rows without a finding."""


def page(results: Results) -> str:
    """The whole page. Raises Unexplained."""
    gateways = [one for one in GATEWAYS if one.name in results["gateways"]]
    parts = [
        introduction(gateways, results),
        summary_table(results),
        *subject_tables(gateways, results),
        *findings(gateways, results),
        absent(),
        costs(results["bench"]),
        *starts(gateways),
        *failed_rows(gateways, results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def introduction(gateways: Sequence[Gateway], results: Results) -> str:
    """What was tested, with what and when."""
    tested = [
        f"{one.name} {results['gateways'][one.name]['version']} ({results['gateways'][one.name]['date']})"
        for one in gateways
    ]
    sdks = results["gateways"][gateways[0].name]["sdks"]
    listed = ", ".join(f"{name} {sdks[name]}" for name in sorted(sdks))
    return f"""# Gateways compared

How faithfully gateways speak OpenAI's Images API and Google's Gemini API with Google's image model behind them. Each is
tested by [the contract suite](contract-suite.md), offline, with the replaying upstream in Google's place, through
{listed}: {" and ".join(tested)}.

`make yardstick` repeats it: it installs the gateways into `.cache`, tests them and writes this page. A cell says how
many rows of the suite passed. The suite and Twinlens are ours, and grew together: that Twinlens passes is no surprise.
What neither API promises is listed apart, and is not in the summary. Every failed row was checked by hand once: see
[what was found](#findings) and [all failed rows](#failed-rows)."""


def states_of(results: Results, gateway: str) -> States:
    """The states of a gateway's rows."""
    states: States = results["gateways"][gateway]["states"]
    return states


def cell(rows: Sequence[Row], states: States) -> str:
    """How many of some rows passed; rows that are newer than the results do not count."""
    counts = Counter(states[row.id] for row in rows if row.id in states)
    total = counts.total()
    if not total:
        return "not tested"
    if counts["unsupported"] == total:
        return "not offered"
    return f"all {total}" if counts["pass"] == total else f"{counts['pass']} of {total}"


def summary_table(results: Results) -> str:
    """A line for each subject; also in the README."""
    names = [one.name for one in GATEWAYS if one.name in results["gateways"]]
    rows: dict[str, list[Row]] = {subject: [] for subject in SUBJECTS if subject != OWN}
    for capability, covered in by_capability(all_rows()).items():
        if capability.subject != OWN:
            rows[capability.subject] += covered
    titles = [f"{name} {results['gateways'][name]['version']}" if name != "Twinlens" else name for name in names]
    lines = [f"| rows of the contract suite that pass | {' | '.join(titles)} |", "|---" * (len(names) + 1) + "|"]
    for subject, covered in rows.items():
        cells = (cell(covered, states_of(results, name)) for name in names)
        lines.append(f"| {subject[0].lower() + subject[1:]} | {' | '.join(cells)} |".replace("google's", "Google's"))
    return "\n".join(lines)


def subject_tables(gateways: Sequence[Gateway], results: Results) -> Iterator[str]:
    """A table for each subject, with a line for each capability."""
    covered = by_capability(all_rows())
    for subject in SUBJECTS:
        lines = [f"| {' | '.join(['', *(one.name for one in gateways)])} |", "|---" * (len(gateways) + 1) + "|"]
        for capability in (one for one in covered if one.subject == subject):
            cells = (cell(covered[capability], states_of(results, one.name)) for one in gateways)
            lines.append(f"| {capability.words} | {' | '.join(cells)} |")
        yield f"## {subject}\n\n" + "\n".join(lines)


def failing(gateway: Gateway, results: Results) -> dict[Capability, list[Row]]:
    """The rows that a gateway did not pass, by capability."""
    states = states_of(results, gateway.name)
    found = {
        capability: [row for row in rows if states.get(row.id, "pass") != "pass"]
        for capability, rows in by_capability(all_rows()).items()
    }
    return {capability: rows for capability, rows in found.items() if rows}


def findings(gateways: Sequence[Gateway], results: Results) -> Iterator[str]:
    """What a look by hand at the failed rows showed."""
    found = json.loads(FINDINGS.read_text(encoding="utf-8"))
    yield "## Findings"
    for gateway in gateways:
        by_words = found.get(gateway.name, {})
        rows = failing(gateway, results)
        if not rows:
            yield f"**{gateway.name}** passes every row."
            continue
        lines = [f"| {gateway.name} {results['gateways'][gateway.name]['version']} | what it does |", "|---|---|"]
        unexplained = [one.words for one in rows if one.subject != OWN and one.words not in by_words]
        if unexplained:
            raise Unexplained(
                f"rows fail that nobody has looked at; {FINDINGS.name} needs {gateway.name}: {unexplained}"
            )
        lines += [f"| {one.words} | {by_words[one.words]} |" for one in rows if one.subject != OWN]
        yield "\n".join(lines)


def absent() -> str:
    """The gateways that do not take part."""
    lines = "\n".join(f"- **{one.title}**: {one.reason}" for one in ABSENT)
    return f"## Not tested\n\n{lines}"


def costs(bench: Mapping[str, Any]) -> str:
    """CPU, memory and waiting callers, from `make yardstick COSTS=1`."""
    heading = "## What a picture costs\n\n"
    if not bench:
        return (
            heading
            + "Not measured with these versions: `make yardstick COSTS=1`. [Performance](performance.md) has others."
        )
    lines = ["| | CPU per picture | times nginx | peak memory |", "|---|---|---|---|"]
    for name, one in bench["cpu"].items():
        lines.append(f"| {contender(name)} | {one['ms']:.2f} ms | {one['times']:.1f} | {one['mib']:,.0f} MiB |")
    held = [
        f"| {bench['callers']:,} callers, each answer after 5 s | answers | errors | peak memory |",
        "|---|---|---|---|",
    ]
    for name, one in bench["held"].items():
        cells = (f"{one['answers']:,} of {one['possible']:,}", f"{one['errors']:,}", f"{one['mib']:,.0f} MiB")
        held.append(f"| {contender(name)} | {' | '.join(cells)} |")
    return (
        f"{heading}`make yardstick COSTS=1` measures it ([method](performance.md#method)): Twinlens {bench['commit']}, "
        f"{bench['machine']}; {bench['rounds']} rounds, a picture of 1.4 MB, two workers each. nginx forwards the "
        "answer and reads nothing of it.\n\n" + "\n".join(lines) + "\n\n" + "\n".join(held)
    )


def contender(name: str) -> str:
    """What the bench calls by its name: nginx, another gateway, or a way through Twinlens."""
    if name.startswith("nginx"):
        return name
    other = next((one.title for one in GATEWAYS if one.name == name), "")
    return f"{other}, b64_json" if other else f"Twinlens, {name.replace('native', WORDS_FOR_NATIVE)}"


def starts(gateways: Sequence[Gateway]) -> Iterator[str]:
    """How each gateway is installed, configured and started."""
    yield (
        "## How they were started\n\n"
        f"The replaying upstream listens at 127.0.0.1:{UPSTREAM_PORT} (`python -m contract --upstream-port`)."
    )
    for gateway in gateways:
        folder = f".cache/yardstick/{gateway.title.replace(' ', '-').lower()}"
        lines = [shlex.join(shown(command, folder)) for command in gateway.install]
        settings = " ".join(f"{name}={value}" for name, value in gateway.environment.items())
        lines.append(" ".join(shown((settings, *gateway.start), folder)))
        text = f"**{gateway.title}**\n\n```sh\n" + "\n".join(lines) + "\n```"
        for name, content in gateway.files.items():
            text += f"\n\n`{name}`:\n\n```yaml\n{content}```"
        yield "\n\n".join([text, *(["\n".join(f"- {one}" for one in gateway.remarks)] if gateway.remarks else [])])


def shown(command: Sequence[str], folder: str) -> list[str]:
    """A command with the folder and a Python in their places."""
    return [part.replace("{folder}", folder).replace("{python}", "python3") for part in command]


def failed_rows(gateways: Sequence[Gateway], results: Results) -> Iterator[str]:
    """Every row that did not pass."""
    yield "## Failed rows"
    for gateway in gateways:
        states = states_of(results, gateway.name)
        for capability, rows in failing(gateway, results).items():
            listed = "\n".join(f"  - {row.sentence} ({row.sdk}, {states.get(row.id)})" for row in rows)
            yield f"- **{gateway.name}**, {capability.words}:\n{listed}"

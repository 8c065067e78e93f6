"""What gateways are compared by: capabilities in the words of users, each a set of rows of the suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from contract.suite.row import Row


@dataclass(frozen=True)
class Capability:
    """One line of the table. A row belongs to the first capability with a pattern for its id or its `api: group`."""

    subject: str
    words: str
    patterns: tuple[str, ...]

    def covers(self, row: Row) -> bool:
        """Whether a pattern matches the row."""
        return any(fnmatchcase(name, one) for one in self.patterns for name in (row.id, f"{row.api}: {row.group}"))


OWN = "Promises of Twinlens alone"  # beyond both APIs; other gateways are not counted by them
PICTURES, SIZES, EDITS, REFUSALS, MONEY, CHATS, GOOGLE = (
    "Pictures",
    "Sizes",
    "Edits",
    "Refusals and errors",
    "Limits and money",
    "Chats",
    "Google's API",
)
CAPABILITIES: Sequence[Capability] = (
    Capability(
        OWN,
        "a request that is sent again with its `Idempotency-Key` is not bought again",
        ("openai: Idempotency keys", "gemini: Idempotency keys"),
    ),
    Capability(
        OWN,
        "Google's options in `extra_body`, model names with a prefix, Google's path for OpenAI clients, `text`",
        ("openai: Google's extras", "*/*_with_a_prefix/*"),
    ),
    Capability(OWN, "chats: pictures as Markdown, Google's path, models by what they draw", ("chat: Extras",)),
    Capability(
        OWN,
        "forms, keys and members that neither API promises",
        (
            "openai_forms/numbered_files/*",
            "openai_forms/data_url_in_a_form/*",
            "openai_generations/nothing_is_null/*",
            "gemini_wire/key_location/bearer/*",
            "gemini_wire/no_key_in_a_url/*",
            "gemini_mistakes/unknown_method/*",
        ),
    ),
    Capability(SIZES, "`size` gives a picture of that shape", ("*/size_gives_shape/*", "*/takes_a_size/*")),
    Capability(SIZES, "`size` and `output_format` of the answer are true", ("*/size_is_the_pictures/*",)),
    Capability(SIZES, "an edit without a size keeps the shape of its picture", ("*/keeps_its_shape/*",)),
    Capability(SIZES, "`aspect_ratio` on Google's API", ("gemini_generate/aspect_ratio/*",)),
    Capability(PICTURES, "`n` gives several pictures", ("*/three_pictures/*", "*/two_answers/*")),
    Capability(
        PICTURES,
        "`response_format` is obeyed: base64 or a URL",
        (
            "*/base64_on_request/*",
            "*/url_on_request/*",
            "*/one_of_the_two/*",
            "*/answers_in_base64/*",
            "*/answers_with_*",
        ),
    ),
    Capability(
        PICTURES,
        "`output_format` is obeyed: png, jpeg, webp",
        ("*/output_format_is_kept/*", "*/compressed_webp/*", "*/answers_in_a_format/*"),
    ),
    Capability(
        MONEY,
        "a rate limit's delay reaches the SDK",
        ("openai_repetition/waits/*", "openai_repetition/rounded_up/*", "openai_repetition/never_too_long/*"),
    ),
    Capability(
        MONEY, "what may be billed already or cannot succeed is not retried", ("openai_repetition/asked_once/*",)
    ),
    Capability(MONEY, "a passing failure is retried", ("openai_repetition/asked_again/*",)),
    Capability(MONEY, "`usage` counts tokens by kind", ("*/usage_is_reported/*", "*/usage_counts_pictures/*")),
    Capability(MONEY, "`usage` of several pictures is their sum", ("*/usage_is_summed/*",)),
    Capability(
        MONEY,
        "tokens on Google's API: usage and countTokens",
        (
            "gemini_generate/usage/*",
            "gemini: Counting tokens",
            "gemini: Situations of counting",
            "*/count_whole_request/*",
        ),
    ),
    Capability(
        REFUSALS,
        "a refused picture raises an error that says why",
        ("openai: Refusals", "openai_streams/refusal/*"),
    ),
    Capability(REFUSALS, "an answer without a picture raises an error", ("openai: Answers without a picture",)),
    Capability(
        REFUSALS,
        "if one of several pictures fails, the others arrive; if all fail, that is an error",
        ("*/some_of_several/*", "*/none_of_several/*", "openai_streams/one_of_two/*"),
    ),
    Capability(
        REFUSALS,
        "an answer that breaks off or cannot be read raises an error",
        ("openai: Broken answers", "openai_streams/broken_off/*"),
    ),
    Capability(
        REFUSALS,
        "an upstream's error has OpenAI's class, status and code",
        ("openai: Errors of the upstream",),
    ),
    Capability(
        REFUSALS,
        "a caller's mistake raises BadRequestError and names the parameter",
        ("openai: Mistakes", "openai_streams/mistake_before_the_stream/*"),
    ),
    Capability(REFUSALS, "a caller's mistake on Google's API", ("gemini: Mistakes", "gemini_streams/unknown_model/*")),
    Capability(PICTURES, "`stream=True` sends OpenAI's events", ("openai: Streams",)),
    Capability(PICTURES, "parameters that clients commonly send are accepted", ("openai: Parameters",)),
    Capability(PICTURES, "every form of a model's answer gives the right pictures", ("openai: Forms of an answer",)),
    Capability(PICTURES, "a prompt gives a picture that OpenAI's SDK accepts", ("openai: Generations",)),
    Capability(PICTURES, "the list of models", ("openai: Models",)),
    Capability(EDITS, "a mask", ("*mask/*",)),
    Capability(EDITS, "one to sixteen input pictures", ("openai: Edits",)),
    Capability(EDITS, "forms and JSON as other clients send them", ("openai: Forms of other clients",)),
    Capability(EDITS, "variations", ("openai: Variations",)),
    Capability(EDITS, "input pictures on Google's API", ("gemini: Input pictures",)),
    Capability(CHATS, "a chat draws: pictures in `message.images`, words beside them", ("chat: Drawing",)),
    Capability(CHATS, "what was drawn is changed in the next turn, however a client sends it back", ("chat: Turns",)),
    Capability(CHATS, "a stream has each picture whole, in a chunk of its own", ("chat: Streams",)),
    Capability(CHATS, "refusals and errors are raised, and name their place", ("chat: Refusals and errors",)),
    Capability(
        GOOGLE,
        "Google's SDK gets what Google answers: pictures, refusals, errors",
        ("gemini: Situations", "gemini: Situations of a stream"),
    ),
    Capability(GOOGLE, "options, chats and streams", ("gemini: Generating content", "gemini: Streams")),
    Capability(GOOGLE, "clients other than Google's SDK", ("gemini: Other clients of Google's API",)),
    Capability(GOOGLE, "the list of models", ("gemini: Models",)),
)
SUBJECTS = (PICTURES, SIZES, EDITS, REFUSALS, MONEY, CHATS, GOOGLE, OWN)


def by_capability(rows: Sequence[Row]) -> Mapping[Capability, list[Row]]:
    """The rows of each capability, in the order of the table. Raises ValueError for a row without one."""
    ordered = sorted(CAPABILITIES, key=lambda one: SUBJECTS.index(one.subject))
    found: dict[Capability, list[Row]] = {one: [] for one in ordered}
    for row in rows:
        try:
            found[next(one for one in CAPABILITIES if one.covers(row))].append(row)
        except StopIteration:
            raise ValueError(f"no capability covers {row.id}") from None
    return found

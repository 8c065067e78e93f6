"""The limits that are not settings. Settings, which operators change, are in settings.py."""

KIB = 1024
MIB = 1024 * KIB

READ_CHUNK = 256 * KIB  # bytes asked for at once from a socket
CONNECT_SECONDS = 10.0  # to reach the upstream
TAIL = 16 * KIB  # bytes at the end of an answer that are kept to read its usage from
LONGEST_ERROR_BODY = MIB  # bytes of an upstream error that are read
LONGEST_CHUNK_FRAME = 8 * KIB  # bytes of a chunk-size line, or of trailers, that are held until they are whole
MOST_INTERIM_ANSWERS = 10  # 1xx answers of the upstream before the final one
BODY_SECONDS = 60.0  # for one read or write of a body, and a second more for each SLOWEST_BODY bytes of it
SLOWEST_BODY = 16 * KIB
LONGEST_REQUEST_LINE = 4094  # bytes; gunicorn's limit_request_line, and below its _fields and _field_size
MOST_HEADERS = 100
LONGEST_HEADER = 8190
MOST_JSON_LEVELS = 100
MOST_FORM_PARTS = 200
MORE_CONNECTIONS = 500  # above MAX_IN_FLIGHT, so that callers get the error about it, and /healthz its answer
FILES_FOR_A_CALL = 3  # the caller's socket, the upstream's, and a picture being stored
FILES_IN_RESERVE = MORE_CONNECTIONS + 100  # open files of a worker besides its calls: libraries, logs, metrics, threads
HEADER_WAIT_SECONDS = 75  # that an idle connection is kept, and that a request line and its headers may take
READINESS_SECONDS = 5.0  # that /readyz reuses its last result
REACH_SECONDS = 3.0  # to connect to the upstream, for /readyz
STORE_THREADS = 10  # per worker, for a remote image store
STORE_ANSWER_SECONDS = 60.0  # for a remote store to put or get a picture; obstore gives up a request after 30
STORE_SECONDS = 3.0  # for the store to take a probe, for /readyz
SWEEP_SECONDS = 60.0  # between two searches for expired pictures
LEFTOVER_SECONDS = 3600.0  # after which an unfinished picture of a killed worker is deleted
MOST_PIXELS = 100_000_000  # of a picture that is decoded
SILENCE_SECONDS = 15.0  # without an event, before a comment keeps a stream's connection open
OVERLOADED_RETRY_SECONDS = 1.0


def seconds_for(length: int) -> float:
    """Seconds that a caller may take to send or to receive so many bytes of a body."""
    return BODY_SECONDS + length / SLOWEST_BODY

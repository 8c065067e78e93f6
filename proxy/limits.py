"""The limits that are no settings. Settings, which operators change, are in settings.py."""

KIB = 1024
MIB = 1024 * KIB

READ_CHUNK = 256 * KIB  # bytes asked for at once from a socket
CONNECT_SECONDS = 10.0  # to reach the upstream
TAIL = 16 * KIB  # bytes at the end of an answer that are kept to read its usage from
LONGEST_ERROR_BODY = MIB  # bytes of an upstream error that are read
LONGEST_CHUNK_FRAME = 8 * KIB  # bytes of an upstream chunk's size with its extensions, or of trailers, that are held
MOST_INTERIM_ANSWERS = 10  # of 1xx, before the upstream's answer that counts
BODY_SECONDS = 60.0  # for what is waited for of a body, and a second more for each SLOWEST_BODY of its bytes
SLOWEST_BODY = 16 * KIB
LONGEST_REQUEST_LINE = 4094  # bytes; gunicorn knows the three as limit_request_line, _fields and _field_size
MOST_HEADERS = 100
LONGEST_HEADER = 8190
MOST_JSON_LEVELS = 100
MOST_FORM_PARTS = 200
MORE_CONNECTIONS = 500  # above MAX_IN_FLIGHT, to be told that it is reached, and for /healthz
FILES_FOR_A_CALL = 3  # the caller's socket, the upstream's, and a picture on its way to the store
FILES_IN_RESERVE = MORE_CONNECTIONS + 100  # of a worker, whatever it does: libraries, logs, metrics, threads
HEADER_WAIT_SECONDS = 75  # an idle connection is kept, and a request line and its headers are waited for
READINESS_SECONDS = 5.0  # for which /readyz remembers what it found
REACH_SECONDS = 3.0  # to connect to the upstream, for /readyz
STORE_THREADS = 10  # of a worker, for a store that several machines share
STORE_ANSWER_SECONDS = 60.0  # for that store to take or to find a picture; obstore gives up a request after 30
PROBE_SECONDS = 3.0  # for the store to take a picture, and for the database to take a row, for /readyz
DATABASE_CONNECTIONS = 10  # of a worker
DATABASE_WAIT_SECONDS = 2.0  # for a lock of the database, or a connection to it
DATABASE_ANSWER_SECONDS = 3.0  # more than that for a transaction, whatever it waits for
MIGRATION_SECONDS = 10.0  # for either of them while the database is migrated
LONGEST_MIGRATION_SECONDS = 60.0  # for the process that migrates it
SWEEP_SECONDS = 60.0  # between two looks for expired pictures
LEFTOVER_SECONDS = 3600.0  # after which an unfinished picture of a killed worker is deleted
MOST_PIXELS = 100_000_000  # of a picture that is decoded
SILENCE_SECONDS = 15.0  # before a stream's line is kept open by a comment
LONGEST_RETRY_SECONDS = 60.0  # that a caller is told to wait
OVERLOADED_RETRY_SECONDS = 1.0


def seconds_for(length: int) -> float:
    """How long a caller may take for so many bytes of a body: those of his request, or those of his answer."""
    return BODY_SECONDS + length / SLOWEST_BODY

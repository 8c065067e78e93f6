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
FILES_FOR_A_JOB = 2  # the same without a caller
FILES_IN_RESERVE = MORE_CONNECTIONS + 100  # open files of a worker besides its calls: libraries, logs, metrics, threads
PORT_SECONDS = 2.0  # for which a taken port is tried again at the start
HEADER_WAIT_SECONDS = 75  # that an idle connection is kept, and that a request line and its headers may take
READINESS_SECONDS = 5.0  # that /readyz reuses its last result
REACH_SECONDS = 3.0  # to connect to the upstream, for /readyz
STORE_THREADS = 10  # per worker, for a remote image store
STORE_ANSWER_SECONDS = 60.0  # for a remote store to put or get a picture; obstore gives up a request after 30
PROBE_SECONDS = 3.0  # for the store to take a picture, and for the database to take a row, for /readyz
DATABASE_CONNECTIONS = 10  # of a worker
DATABASE_WAIT_SECONDS = 2.0  # for a lock of the database, or a connection to it
DATABASE_ANSWER_SECONDS = 3.0  # more than that for a transaction, whatever it waits for
MIGRATION_SECONDS = 10.0  # for either of them while the database is migrated
LONGEST_MIGRATION_SECONDS = 60.0  # for the process that migrates it
SWEEP_SECONDS = 60.0  # between two searches for expired pictures
LEFTOVER_SECONDS = 3600.0  # after which an unfinished picture of a killed worker is deleted
MOST_PIXELS = 100_000_000  # of a picture that is decoded
MOST_INPUT_PIXELS = 50_000_000  # of an input picture that is decoded, whoever sends it
INPUT_THREADS = 2  # per worker, for input pictures: each needs up to 500 MB
INPUT_SECONDS = 60.0  # for them to be decoded, and to wait for a thread before
SILENCE_SECONDS = 15.0  # without an event, before a comment keeps a stream's connection open
OVERLOADED_RETRY_SECONDS = 1.0
SPOOL_MEMORY = 48 * MIB  # of a worker, for pictures of answers that are not whole: 64 MiB as base64; more goes to files
ABANDONED_SECONDS = 15.0  # for which a call goes on without its caller; an SDK's retry comes within 8
KEPT_SECONDS = 60.0  # for which the answer of such a call is kept
READ_SECONDS = 1.0  # after an answer was written, for the news that its caller had hung up before it arrived
RETRY_LOOK_SECONDS = 1.0  # for which a retry looks for what its first try has left
LOOK_SECONDS = 0.1  # between two looks into the database for a call that another worker makes
HEARTBEAT_SECONDS = 10.0  # between two renewals of the leases of running calls
LEASE_SECONDS = 30.0  # after which a worker that renews nothing counts as gone
KEY_SECONDS = 4.0  # for which a worker remembers what the database says of a caller's key; 5 are promised
UNKNOWN_KEY_SECONDS = 1.0  # the same of a key that is in no table
MOST_REMEMBERED_KEYS = 10_000  # of a worker
KEY_USE_SECONDS = 60.0  # between two records of when a key was last used
HELD_SECONDS = 5.0  # until a caller whose budget is held by running requests may try again
SETTLE_SECONDS = 0.02  # until what a call cost is recorded, unless this worker writes earlier
CALL_LIST_SECONDS = 86400.0  # after which a paid call is added to the sums of its day
WORDS_ALLOWANCE = 600  # tokens of words and thoughts that each picture may have besides, in what is reserved for it
INPUT_PICTURE_TOKENS = 1290  # at most, of an input picture: Gemini's models report 258 to 1120
REFUSED_KEY_SECONDS = 300.0  # that a refused key of the upstream is left alone
LIMITED_KEY_SECONDS = 10.0  # the same of one at its limit, where the upstream gives no delay
RECORD_WAIT_SECONDS = 1.0  # at most, for the record of a keyed call, before its caller has all of its answer
RECORD_TRIES = 6  # to record the end of a call while the database is away
LONGEST_RECORD_PAUSE = 10.0  # seconds between two of them
MORE_RECORD_TRIES = 60  # the same for a job, whose caller is patient
JOB_LOOK_SECONDS = 1.0  # between two looks into the database for jobs that can start, and for events to deliver
JOB_POLL_SECONDS = 2  # between two questions for a job's state, as its answers recommend
LONGEST_JOB_WAIT_SECONDS = 60.0  # of `Prefer: wait`
LONGEST_BACKOFF_SECONDS = 60.0  # between two attempts of a job, unless the upstream says more
LANE_SECONDS = 60.0  # without a 429, after which an upstream key and model take any number of jobs at once again
MOST_QUEUED_JOBS = 10_000  # of all workers together
WEBHOOK_SECONDS = 15.0  # for a receiver to answer
WEBHOOKS_AT_ONCE = 10  # per worker
FIRST_WEBHOOK_PAUSE = 1.0  # seconds between the first two tries to deliver an event; then twice as much each time
LONGEST_WEBHOOK_PAUSE = 3600.0
WEBHOOK_DAY = 86400.0  # for which an event is delivered again and again
SUCCESSOR_SECONDS = 3600.0  # for which a key's calls go to a model's successor before the model is tried again
MOST_SUCCESSION_KEYS = 10_000  # keys for which that is remembered in a worker


def seconds_for(length: int) -> float:
    """Seconds that a caller may take to send or to receive so many bytes of a body."""
    return BODY_SECONDS + length / SLOWEST_BODY

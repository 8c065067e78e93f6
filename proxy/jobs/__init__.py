"""Pictures that take minutes: a job is a record of a purchase whose caller left at once.

The queue is ours, over the records. A queue of others would have to run on SQLite without a server and on PostgreSQL,
start a job at most once, take an outcome that nobody knows for an end, and be fair between callers. Read on 2026-11-30:

- procrastinate 3.10.0 knows PostgreSQL alone (its connectors are psycopg's), and a job of a stalled worker can only be
  retried or failed. No fairness: priority, then id.
- dramatiq 2.2.1 needs RabbitMQ or Redis (`dramatiq/brokers`), acknowledges after the work, and so delivers a job again
  when its worker dies: a picture would be bought twice.
- huey 3.5.4 runs on both (`contrib/sql_huey.py`), through peewee, a second library beside SQLAlchemy. It deletes a job
  as it hands it out: at most once, but a worker that is killed leaves nothing to tell its caller. The arguments, which
  are prompts and pictures, lie pickled in the database. No fairness: priority, then id.

None of them knows that some jobs can run only where their caller's key is.
"""

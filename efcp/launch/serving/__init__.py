"""How requests reach threads: `gunicorn --config efcp/launch/gunicorn_config.py efcp.asgi`.

A thread is taken only once a request is complete, and given back once its response is handed over, so that
slow clients hold connections and never threads. Compared for this:

- gunicorn's gthread worker and granian bind a thread while a body comes;
- waitress has one process, and writes whole uploads to disk before any permission is checked;
- gevent stands still while MariaDB's C library waits;
- uvicorn has no limit on the time of a head, and hypercorn holds uploads in memory; both bring a second
  supervisor;
- nginx in front is one more program to install for a trial.

What waits for a thread for over a second is refused with 503 and Retry-After.

gunicorn's own asyncio worker was installed already: `connections` adds the limits that it lacks, `bridge` and
`lanes` lead to the WSGI application.
"""

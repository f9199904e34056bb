"""Programs of other people's client libraries, run against the local server by `python -m tests.clients FOLDER`."""

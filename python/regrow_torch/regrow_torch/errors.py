"""The error that is shown to people, without a traceback."""


class JobError(Exception):
    """The job cannot go on. The text says what was found, what was expected, and where."""

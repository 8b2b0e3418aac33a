"""Errors of a study's environment: its files or its cluster."""


class StudyError(Exception):
    """A study cannot start or continue; recorded runs are kept, and the message gives a remedy."""


def reason_of(error: OSError) -> str:
    return (error.strerror or str(error)).lower()

"""Errors of a study's environment, such as its files or its cluster."""


class StudyError(Exception):
    """Failure to start or continue a study; recorded runs are kept, and the message gives a remedy."""

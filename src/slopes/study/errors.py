"""Errors of a study's environment, such as its files or its cluster."""


class StudyError(Exception):
    """A study cannot start or continue; its recorded runs are kept, and the message gives a remedy."""

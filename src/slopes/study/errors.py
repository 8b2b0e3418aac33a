"""What goes wrong around a study rather than in the numbers."""


class StudyError(Exception):
    """A study cannot start or go on; what it has recorded is kept, and the message says what would do."""

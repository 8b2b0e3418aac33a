"""Audit of many subjects: of all losses and activations in files and folders, side by side, in several formats.

`find_cases` lists the subjects, `audit_cases` yields a result for each, and a class of `formats.FORMATS` writes them.
"""

from __future__ import annotations

from slopes.auditing.survey.cases import Case, CaseResult, catalogue_cases, find_cases
from slopes.auditing.survey.formats import FORMATS
from slopes.auditing.survey.running import audit_cases

__all__ = ["FORMATS", "Case", "CaseResult", "audit_cases", "catalogue_cases", "find_cases"]

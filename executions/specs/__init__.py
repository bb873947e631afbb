"""Task group specs: text in, checked nouns out, every error with its place; and back to text.

Knows no Django and no broker: what the site has and which runners there are is given.
"""

from executions.specs.checking import CheckPayload, SiteLimits, structure_faults, validate
from executions.specs.faults import Fault, SpecInvalidError, SpecTooLargeError
from executions.specs.limits_file import (
    LaneLimit,
    LimitsFile,
    ResourceLimit,
    limits_read,
    limits_text,
)
from executions.specs.numbers import KEY_DIGITS, whole_number
from executions.specs.parsing import load, load_data, load_several, parse, parse_data
from executions.specs.reading import LARGE_SPEC_BYTES, SPEC_BYTES, SpecFormat
from executions.specs.shapes import (
    LimitsSpec,
    RequirementSpec,
    ResourceSpec,
    TaskGroupSpec,
    TaskSpec,
)
from executions.specs.writing import dump, dump_several, group_of, json_schema, limits_with, plain

__all__ = [
    "KEY_DIGITS",
    "LARGE_SPEC_BYTES",
    "SPEC_BYTES",
    "CheckPayload",
    "Fault",
    "LaneLimit",
    "LimitsFile",
    "LimitsSpec",
    "RequirementSpec",
    "ResourceLimit",
    "ResourceSpec",
    "SiteLimits",
    "SpecFormat",
    "SpecInvalidError",
    "SpecTooLargeError",
    "TaskGroupSpec",
    "TaskSpec",
    "dump",
    "dump_several",
    "group_of",
    "json_schema",
    "limits_read",
    "limits_text",
    "limits_with",
    "load",
    "load_data",
    "load_several",
    "parse",
    "parse_data",
    "plain",
    "structure_faults",
    "validate",
    "whole_number",
]

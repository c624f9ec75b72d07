"""A client of OpenSIPS's management interface: JSON-RPC 2.0 over HTTP to one proxy.

It knows nothing of Django. What proxies answer was recorded in `tests/vectors/mi.json.gz`.
"""

from efcp.mi.authority import MAX_PEM, certificates_in
from efcp.mi.client import MAX_ANSWER_BYTES, RELOAD_TIMEOUT_S, TIMEOUT_S, MiClient
from efcp.mi.core import CommandNames, Uptime, Version
from efcp.mi.destinations import Destination, DestinationSet, DestinationState, DsList, Partition
from efcp.mi.dialplan import DialplanPartition, DialplanPartitions, Translation
from efcp.mi.endpoint import Endpoint, EndpointError
from efcp.mi.errors import (
    MiError,
    NotMiError,
    Obstacle,
    RefusedError,
    Stage,
    TooLargeError,
    TooSlowError,
    UnfinishedReplyError,
    UnknownCommandError,
    UnreachableError,
    WrongShapeError,
    not_offered,
)
from efcp.mi.jsonrpc import as_text
from efcp.mi.reply import Done, Reply
from efcp.mi.reports import IdentifierReports, LoadCount, Report, ReportList, StateSwitch

__all__ = [
    "MAX_ANSWER_BYTES",
    "MAX_PEM",
    "RELOAD_TIMEOUT_S",
    "TIMEOUT_S",
    "CommandNames",
    "Destination",
    "DestinationSet",
    "DestinationState",
    "DialplanPartition",
    "DialplanPartitions",
    "Done",
    "DsList",
    "Endpoint",
    "EndpointError",
    "IdentifierReports",
    "LoadCount",
    "MiClient",
    "MiError",
    "NotMiError",
    "Obstacle",
    "Partition",
    "RefusedError",
    "Reply",
    "Report",
    "ReportList",
    "Stage",
    "StateSwitch",
    "TooLargeError",
    "TooSlowError",
    "Translation",
    "UnfinishedReplyError",
    "UnknownCommandError",
    "UnreachableError",
    "Uptime",
    "Version",
    "WrongShapeError",
    "as_text",
    "certificates_in",
    "not_offered",
]

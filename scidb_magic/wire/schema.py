"""Schemas of SciDB arrays: parse, print, compare.

The printed form is that of SciDB's ``show`` (ArrayDesc.cpp, printSchema)::

    A@1<a:int64 NOT NULL,b:string DEFAULT 'x'> [i=0:*:0:1000000; j=-2:2:0:5]
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_COORDINATE = 2**62 - 1
"""Bound of every coordinate; printed as ``*`` (Coordinate.h)."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: `type` is SciDB's type name, `default` and `compression` AFL texts or None."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    compression: str | None = None


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension: bounds are inclusive, ``None`` is ``*`` (open, or chunk chosen by SciDB)."""

    name: str
    low: int = 0
    high: int | None = None
    overlap: int = 0
    chunk: int | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """Attributes and dimensions of an array or a result."""

    attributes: tuple[Attribute, ...]
    dimensions: tuple[Dimension, ...]
    name: str = ""
    emptyable: bool = True

"""Shapes of JSON, and how two of them differ."""

from __future__ import annotations

from chaosproxy.lab.verify.shapes import DEPTH, Clash, compare, shape_of


def test_a_shape_has_every_path_with_its_types() -> None:
    """All documents together; an array's elements share a path."""
    shape = shape_of(['{"a": [{"b": 1}, {"b": null}], "c": {}}', '{"a": [true], "c": 1.5}'])

    assert shape == {
        "": {"object"},
        "a": {"array"},
        "a[]": {"object", "boolean"},
        "a[].b": {"number", "null"},
        "c": {"object", "number"},
    }


def test_documents_with_a_type_are_kept_apart() -> None:
    """Events of different types may use one name for different things."""
    shape = shape_of(['{"type": "start", "x": 1}', '{"type": "stop", "x": "s"}'])

    assert (shape["start.x"], shape["stop.x"]) == ({"number"}, {"string"})


def test_null_goes_with_every_type() -> None:
    """What may be absent is often written so."""
    difference = compare(shape_of(['{"a": null, "b": 1}']), shape_of(['{"a": "x", "b": null}']))

    assert (difference.alike, difference.wrong) == (3, [])


def test_another_type_is_wrong_and_another_member_is_not() -> None:
    """Of a member that is missing, what is inside of it is not told."""
    ours = shape_of(['{"a": 1, "old": {"in": 1}}'])
    theirs = shape_of(['{"a": "1", "new": [{"in": 1}]}'])

    difference = compare(ours, theirs)

    assert difference.wrong == [Clash("a", "number", "string")]
    assert (difference.more, difference.less) == ({"new": "array"}, {"old": "object"})


def test_a_shape_has_a_bottom() -> None:
    """However deep a live answer nests."""
    shape = shape_of(["[" * 500 + "]" * 500])

    assert max(path.count("[]") for path in shape) == DEPTH

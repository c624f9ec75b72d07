"""`{{ value|place:axis }}`: where a value lies on a chart's axis."""

from django import template

from efcp.charts.axes import ValueAxis

register = template.Library()


@register.filter
def place(value: float | None, axis: ValueAxis) -> str:
    """`value` as a coordinate, with its per cent sign; None lies at 0."""
    return f"{axis.place(value or 0.0):.2f}%"


@register.filter
def percent(value: float) -> str:
    """A place or width in per cent as an SVG coordinate."""
    return f"{value:.2f}%"

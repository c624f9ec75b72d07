"""Addresses under /cp/preview/, by subject."""

from django.urls import include, path
from django.views.generic import RedirectView

from efcp.preview.takes.views import takes

app_name = "preview"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="preview:call", query_string=True), name="home"),
    path("call/", include("efcp.preview.calls.urls")),
    path("routes/", include("efcp.preview.routes.urls")),
    path("numbers/", include("efcp.preview.numbers.urls")),
    path("effect/", include("efcp.preview.effects.urls")),
    path("takes/<int:destination_id>/", takes, name="takes"),
    path("spread/", include("efcp.preview.spread.urls")),
    path("outage/", include("efcp.preview.outages.urls")),
    path("algorithms/", include("efcp.preview.algorithms.urls")),
]

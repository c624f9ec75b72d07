"""Addresses of operations on the dialplan: its reload, under /cp/system/dialplan/."""

from django.urls import path

from efcp.operations.models import Module
from efcp.operations.reload import dialplan_views
from efcp.operations.reload.views import run_page

app_name = "operations_dialplan"

urlpatterns = [
    path("reload/", dialplan_views.reload_page, name="reload"),
    path("reload/held/", dialplan_views.held, name="held"),
    path("reload/held/ask/", dialplan_views.ask_held, name="ask-held"),
    path("reload/<int:run_id>/", run_page, {"module": Module.DIALPLAN}, name="run"),
]

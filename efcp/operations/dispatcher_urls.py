"""Addresses of operations on the dispatcher: reload and live states, under /cp/system/dispatcher/."""

from django.urls import path

from efcp.operations.board import views as board
from efcp.operations.history import views as history
from efcp.operations.maintenance import views as maintenance
from efcp.operations.probes import views as probes
from efcp.operations.reload import views as reload
from efcp.operations.states import views as states

app_name = "operations"

urlpatterns = [
    path("reload/", reload.reload_page, name="reload"),
    path("reload/<int:run_id>/", reload.run_page, name="run"),
    path("<int:destination_id>/", history.destination, name="destination"),
    path("<int:destination_id>/probe/", probes.probe, name="probe"),
    path("<int:destination_id>/state/", states.state_of_one, name="state"),
    path("maintenance/", maintenance.maintenance_list, name="maintenance"),
    path("maintenance/<int:maintenance_id>/end/", maintenance.end, name="maintenance-end"),
    path("maintenance/<int:maintenance_id>/extend/", maintenance.extend, name="maintenance-extend"),
    path("<int:destination_id>/maintenance/", maintenance.begin, name="maintenance-begin"),
    path("state/", board.state_board, name="board"),
    path("state/everything/", states.everything, name="everything"),
    path("state/choose/", states.choose, name="choose"),
    path("state/set/", states.set_state, name="set-state"),
    path("state/<int:run_id>/", states.state_run, name="state-run"),
    path("state/<int:run_id>/undo/", states.undo_run, name="undo-state"),
]

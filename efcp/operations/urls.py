"""URLs of operations, under those of the dispatcher and the dialplan, and of the alerts."""

from django.urls import path

from efcp.operations.alerts import views as alerts
from efcp.operations.board import views as board
from efcp.operations.history import views as history
from efcp.operations.maintenance import views as maintenance
from efcp.operations.probes import views as probes
from efcp.operations.reloads import views as reloads
from efcp.operations.states import views as states

dispatcher_urls = (
    [
        path("reload/", reloads.dispatcher_reload_page, name="reload"),
        path("reload/<int:run_id>/", reloads.run_page, {"module": "dispatcher"}, name="run"),
        path("<int:destination_id>/", history.destination, name="destination"),
        path("set/<int:setid>/", history.set_page, name="set"),
        path("sets/", history.all_sets, name="all-sets"),
        path("<int:destination_id>/calls/", history.calls, name="calls"),
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
    ],
    "operations",
)

dialplan_urls = (
    [
        path("reload/", reloads.dialplan_reload_page, name="reload"),
        path("reload/loaded/", reloads.loaded_rules, name="loaded-rules"),
        path("reload/loaded/ask/", reloads.ask_cases, name="ask-cases"),
        path("reload/<int:run_id>/", reloads.run_page, {"module": "dialplan"}, name="run"),
    ],
    "operations_dialplan",
)

alert_urls = (
    [
        path("", alerts.rules, name="list"),
        path("add/", alerts.add, name="add"),
        path("alerts/", alerts.alerts, name="alerts"),
        path("alerts/acknowledge/", alerts.acknowledge, name="acknowledge"),
        path("messages/", alerts.message_log, name="messages"),
        path("messages/<slug:key>/", alerts.message, name="message"),
        path("silences/", alerts.silences, name="silences"),
        path("silences/<int:silence_id>/end/", alerts.end_silence, name="end-silence"),
        path("<int:rule_id>/", alerts.rule, name="rule"),
        path("<int:rule_id>/edit/", alerts.edit, name="edit"),
        path("<int:rule_id>/delete/", alerts.delete, name="delete"),
        path("<int:rule_id>/test/", alerts.test, name="test"),
    ],
    "notifications",
)

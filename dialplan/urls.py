"""Addresses of the dialplan's pages, under /cp/system/dialplan/."""

from django.urls import path

from dialplan import dry_run_views, schedules, views
from dialplan.cases import views as cases

app_name = "dialplan"

urlpatterns = [
    path("export.<str:kind>", views.export, name="export"),
    path("", views.rule_list, name="list"),
    *views.EDITOR.urls(),
    path("try/", dry_run_views.try_rules, name="try"),
    path("<int:rule_id>/disabled/", views.set_disabled, name="disabled"),
    path("<int:rule_id>/move/", views.move, name="move"),
    path("ask/", dry_run_views.ask, name="ask"),
    path("ask/<int:question_id>/", dry_run_views.answers, name="answers"),
    path("cases/with-rule/", cases.with_rule, name="cases-with-rule"),
    path("cases/<number:dpid>/", cases.cases, name="cases"),
    path("cases/<number:dpid>/save/", cases.save, name="save-case"),
    path("case/<int:case_id>/delete/", cases.delete, name="delete-case"),
    path("pending/", views.pending, name="pending"),
    path("order/<number:dpid>/", views.order, name="order"),
    path("order/<number:dpid>/separate/", views.separate, name="separate"),
    path("schedule/", schedules.schedule, name="schedule"),
    path("schedule/words/", schedules.words, name="words"),
    path("names/<number:dpid>/", views.name_dialplan, name="name"),
]

"""Addresses of the dialplan's pages, under /cp/system/dialplan/."""

from django.urls import path

from dialplan import views

app_name = "dialplan"

urlpatterns = [
    path("", views.rule_list, name="list"),
    path("add/", views.add, name="add"),
    path("check/", views.check, name="check"),
    path("try/", views.try_rules, name="try"),
    path("<int:rule_id>/edit/", views.edit, name="edit"),
    path("<int:rule_id>/clone/", views.clone, name="clone"),
    path("<int:rule_id>/delete/", views.delete, name="delete"),
    path("<int:rule_id>/disabled/", views.set_disabled, name="disabled"),
    path("<int:rule_id>/move/", views.move, name="move"),
    path("restore/<int:record_id>/", views.restore, name="restore"),
    path("names/<int:dpid>/", views.name_dialplan, name="name"),
]

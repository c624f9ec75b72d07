"""Addresses of the notifications, under /cp/system/notifications/."""

from django.urls import path

from efcp.operations.notifications import views

app_name = "notifications"

urlpatterns = [
    path("", views.rules, name="list"),
    path("add/", views.add, name="add"),
    path("<int:rule_id>/", views.rule, name="rule"),
    path("<int:rule_id>/edit/", views.edit, name="edit"),
    path("<int:rule_id>/delete/", views.delete, name="delete"),
    path("<int:rule_id>/test/", views.test, name="test"),
]

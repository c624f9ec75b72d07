"""Addresses of the preview: what a change would do."""

from django.urls import path

from efcp.preview.effects import views

urlpatterns = [
    path("edit/", views.edit, name="effect-add"),
    path("edit/<int:destination_id>/", views.edit, name="effect-edit"),
    path("delete/<int:destination_id>/", views.deletion, name="effect-delete"),
    path("state/", views.state, name="effect-state"),
    path("reload/", views.reload, name="effect-reload"),
]

"""Addresses of the route map."""

from django.urls import path

from efcp.preview.routes import views

urlpatterns = [
    path("", views.routes, name="routes"),
    path("save/", views.save, name="save-lead"),
    path("<int:lead_id>/delete/", views.delete, name="delete-lead"),
]

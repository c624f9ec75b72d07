"""Addresses of the preview: many numbers through a dialplan."""

from django.urls import path

from efcp.preview.numbers import views

urlpatterns = [
    path("", views.numbers, name="numbers"),
    path("<int:log_id>/", views.ask, name="numbers-log"),
    path("runs/<int:job_id>/", views.run, name="numbers-run"),
    path("runs/<int:job_id>/rules.csv", views.download, name="numbers-download"),
    path("runs/<int:job_id>/cancel/", views.cancel, name="numbers-cancel"),
]

"""Addresses of the preview: how many calls spread."""

from django.urls import path

from efcp.preview.spread import log_views, views

urlpatterns = [
    path("", views.generated, name="spread"),
    path("logs/", log_views.logs, name="spread-logs"),
    path("logs/upload/", log_views.upload, name="spread-upload"),
    path("logs/<int:log_id>/", log_views.log, name="spread-log"),
    path("logs/<int:log_id>/count/", log_views.count, name="spread-log-count"),
    path("logs/<int:log_id>/delete/", log_views.delete, name="spread-log-delete"),
    path("counts/<int:job_id>/", log_views.run, name="spread-count"),
    path("counts/<int:job_id>/cancel/", log_views.cancel, name="spread-count-cancel"),
]

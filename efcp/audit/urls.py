"""Addresses of the audit pages, under /cp/audit/."""

from django.urls import path

from efcp.audit import views

app_name = "audit"
urlpatterns = [
    path("", views.record_list, name="list"),
    path("<int:record_id>/", views.record_page, name="record"),
]

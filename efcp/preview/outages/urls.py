"""Addresses of the preview: an outage."""

from django.urls import path

from efcp.preview.outages import views

urlpatterns = [path("", views.outage, name="outage")]

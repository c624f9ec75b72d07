"""Addresses of the preview: how many calls spread."""

from django.urls import path

from efcp.preview.spread import views

urlpatterns = [path("", views.generated, name="spread")]

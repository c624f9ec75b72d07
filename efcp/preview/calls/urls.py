"""Addresses of the preview: one call."""

from django.urls import path

from efcp.preview.calls import views

urlpatterns = [path("", views.one_call, name="call")]

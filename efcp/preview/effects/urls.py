"""Addresses of the preview: what a change would do."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

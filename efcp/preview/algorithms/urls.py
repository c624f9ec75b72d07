"""Addresses of the preview: the same calls under each algorithm."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

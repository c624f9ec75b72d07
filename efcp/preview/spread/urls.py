"""Addresses of the preview: how many calls spread."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

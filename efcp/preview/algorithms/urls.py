"""Addresses of the preview: the same calls under each algorithm."""

from django.urls import path

from efcp.preview.algorithms import views

urlpatterns = [path("", views.algorithms, name="algorithms")]

"""Addresses of operations on the dispatcher: reload and state, under /cp/system/dispatcher/."""

from django.urls import URLPattern

app_name = "operations"
urlpatterns: list[URLPattern] = []

"""Addresses of the proxies' pages, under /cp/system/proxies/."""

from django.urls import URLPattern

app_name = "proxies"
urlpatterns: list[URLPattern] = []

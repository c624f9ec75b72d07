"""Addresses of what the home page fetches and sends, under /cp/home/."""

from django.urls import path

from efcp.operations.home import views

app_name = "panel"
urlpatterns = [
    path("search/", views.search, name="search"),
    path("help/", views.help_page, name="help"),
    path("pending/", views.pending, name="pending"),
    path("calls/", views.calls, name="calls"),
    path("first-steps/hide/", views.hide_first_steps, name="hide-first-steps"),
]

"""Addresses of the script's pages, under /cp/system/script/."""

from django.urls import path

from efcp.script import views
from efcp.script.views import write_page

app_name = "script"

urlpatterns = [
    path("", views.check_page, name="check"),
    path("write/", write_page, name="write"),
]

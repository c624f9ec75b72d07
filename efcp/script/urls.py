"""Addresses of the script's pages, under /cp/system/script/."""

from django.urls import path

from efcp.script import views

app_name = "script"

urlpatterns = [path("", views.check_page, name="check")]

"""Addresses of the proxies' pages, under /cp/system/proxies/."""

from django.urls import path

from efcp.operations.registry import views

app_name = "proxies"
urlpatterns = [
    path("", views.proxy_list, name="list"),
    path("dots/", views.dots, name="dots"),
    path("add/", views.add, name="add"),
    path("try/", views.try_new, name="try-new"),
    path("<int:proxy_id>/edit/", views.edit, name="edit"),
    path("<int:proxy_id>/try/", views.try_edited, name="try-edited"),
    path("<int:proxy_id>/delete/", views.delete, name="delete"),
    path("<int:proxy_id>/test/", views.test, name="test"),
]

"""Addresses of the dispatcher's pages, under /cp/system/dispatcher/."""

from django.urls import path

from dispatcher import views

app_name = "dispatcher"

urlpatterns = [
    path("", views.destination_list, name="list"),
    path("pending/", views.pending, name="pending"),
    *views.EDITOR.urls(),
    path("export.<str:kind>", views.export, name="export"),
    path("sets/<number:setid>/name/", views.name_set, name="name-set"),
]

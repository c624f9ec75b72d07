"""Addresses of the dispatcher's pages, under /cp/system/dispatcher/."""

from django.urls import path

from dispatcher import views

app_name = "dispatcher"

urlpatterns = [
    path("", views.destination_list, name="list"),
    path("add/", views.add, name="add"),
    path("check/", views.check, name="check"),
    path("pending/", views.pending, name="pending"),
    path("<int:destination_id>/edit/", views.edit, name="edit"),
    path("<int:destination_id>/clone/", views.clone, name="clone"),
    path("<int:destination_id>/delete/", views.delete, name="delete"),
    path("restore/<int:record_id>/", views.restore, name="restore"),
    path("sets/<number:setid>/name/", views.name_set, name="name-set"),
]

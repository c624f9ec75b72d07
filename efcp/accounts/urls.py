"""Addresses of signing in and of the users' pages, under /cp/accounts/."""

from django.urls import path

from efcp.accounts import token_views, views

app_name = "accounts"
urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("preferences/", views.own_preferences, name="preferences"),
    path("time-zone/", views.time_zone, name="time-zone"),
    path("time-zone/browser/", views.browser_time_zone, name="browser-time-zone"),
    path("password/", views.change_password, name="password"),
    path("tokens/", token_views.token_list, name="tokens"),
    path("tokens/add/", token_views.add_token, name="add-token"),
    path("tokens/<int:token_id>/revoke/", token_views.revoke_token, name="revoke-token"),
    path("users/", views.users, name="users"),
    path("users/add/", views.add_user, name="add-user"),
    path("users/<int:user_id>/edit/", views.edit_user, name="edit-user"),
    path("users/<int:user_id>/password/", views.set_password, name="user-password"),
    path("users/<int:user_id>/delete/", views.delete_user, name="delete-user"),
]

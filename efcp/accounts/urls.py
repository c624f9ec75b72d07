"""Addresses of signing in and of the users' pages, under /cp/accounts/."""

from django.urls import path

from efcp.accounts import external_views, factor_views, password_links, token_views, views

app_name = "accounts"
urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("sign-in/second-factor/", factor_views.second_factor, name="second-factor"),
    path("sign-in/passkey/", factor_views.passkey_sign_in, name="passkey-sign-in"),
    path("sign-in/at/<slug:key>/", external_views.begin, name="oidc-begin"),
    path("sign-in/at/<slug:key>/callback/", external_views.callback, name="oidc-callback"),
    path("confirm/at/<slug:key>/", external_views.begin_confirming, name="oidc-confirm"),
    path("security/link/<slug:key>/", external_views.begin_linking, name="oidc-link"),
    path("security/accounts/<int:account_id>/unlink/", external_views.unlink, name="unlink"),
    path("confirm/", factor_views.confirm, name="confirm"),
    path("security/", factor_views.security, name="security"),
    path("security/app/", factor_views.add_app, name="add-app"),
    path("security/key/", factor_views.add_key, name="add-key"),
    path("security/codes/", factor_views.renew_codes, name="renew-codes"),
    path("security/factors/<int:factor_id>/remove/", factor_views.remove_factor, name="remove-factor"),
    path("security/sessions/<int:session_id>/end/", factor_views.end_session, name="end-session"),
    path("security/sessions/end/", factor_views.end_sessions, name="end-sessions"),
    path("policy/", factor_views.sign_in_policy, name="policy"),
    path("users/<int:user_id>/factors/", factor_views.reset_factors, name="reset-factors"),
    path("preferences/", views.own_preferences, name="preferences"),
    path("time-zone/", views.time_zone, name="time-zone"),
    path("time-zone/browser/", views.browser_time_zone, name="browser-time-zone"),
    path("password/", views.change_password, name="password"),
    path("password/<int:user_id>/<slug:token>/", password_links.choose_password, name="choose-password"),
    path("tokens/", token_views.token_list, name="tokens"),
    path("tokens/add/", token_views.add_token, name="add-token"),
    path("tokens/<int:token_id>/revoke/", token_views.revoke_token, name="revoke-token"),
    path("users/", views.users, name="users"),
    path("users/add/", views.add_user, name="add-user"),
    path("users/<int:user_id>/edit/", views.edit_user, name="edit-user"),
    path("users/<int:user_id>/password/", views.set_password, name="user-password"),
    path("users/<int:user_id>/delete/", views.delete_user, name="delete-user"),
]

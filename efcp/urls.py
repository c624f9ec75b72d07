"""The panel's addresses, all under /cp/."""

from django.urls import include, path, register_converter

from efcp.editing.listing import NumberConverter
from efcp.health import healthz, readyz
from efcp.operations.home.views import home_page, start
from efcp.operations.metrics import metrics
from efcp.operations.urls import alert_urls, dialplan_urls, dispatcher_urls

register_converter(NumberConverter, "number")

urlpatterns = [
    path("cp/healthz", healthz, name="healthz"),
    path("cp/readyz", readyz, name="readyz"),
    path("cp/metrics", metrics, name="metrics"),
    path("", start, name="start"),
    path("cp/", home_page, name="home"),
    path("cp/home/", include("efcp.operations.home.urls")),
    path("cp/accounts/", include("efcp.accounts.urls")),
    path("cp/api/v1/", include("efcp.api.urls")),
    path("cp/audit/", include("efcp.audit.urls")),
    path("cp/preview/", include("efcp.preview.urls")),
    path("cp/system/dispatcher/", include(dispatcher_urls)),
    path("cp/system/dispatcher/", include("dispatcher.urls")),
    path("cp/system/dialplan/", include(dialplan_urls)),
    path("cp/system/dialplan/", include("dialplan.urls")),
    path("cp/system/notifications/", include(alert_urls)),
    path("cp/system/script/", include("efcp.script.urls")),
    path("cp/system/proxies/", include("efcp.operations.registry.urls")),
]

handler500 = "efcp.errors.server_error"

"""URLs under /cp/preview/. Paths stay as people bookmarked them; names follow the packages."""

from django.urls import include, path
from django.views.generic import RedirectView

from efcp.preview import call_share, outages
from efcp.preview.algorithms import views as algorithms
from efcp.preview.bulk_translation import views as bulk_translation
from efcp.preview.calls import views as calls
from efcp.preview.distribution import views as distribution
from efcp.preview.impact import views as impact
from efcp.preview.routes import views as routes

app_name = "preview"

_ROUTES = [
    path("", routes.routes, name="routes"),
    path("save/", routes.save, name="save-target"),
    path("<int:target_id>/delete/", routes.delete, name="delete-target"),
]
_BULK_TRANSLATION = [
    path("", bulk_translation.logs, name="bulk-translation"),
    path("<int:log_id>/", bulk_translation.question, name="bulk-translation-log"),
    path("runs/<int:job_id>/", bulk_translation.run, name="bulk-translation-run"),
    path("runs/<int:job_id>/rules.csv", bulk_translation.download, name="bulk-translation-download"),
    path("runs/<int:job_id>/cancel/", bulk_translation.cancel, name="bulk-translation-cancel"),
]
_DISTRIBUTION = [
    path("", distribution.generated, name="distribution"),
    path("logs/", distribution.logs, name="distribution-logs"),
    path("logs/upload/", distribution.upload, name="distribution-upload"),
    path("logs/<int:log_id>/", distribution.log, name="distribution-log"),
    path("logs/<int:log_id>/count/", distribution.count, name="distribution-log-count"),
    path("logs/<int:log_id>/delete/", distribution.delete, name="distribution-log-delete"),
    path("counts/<int:job_id>/", distribution.run, name="distribution-count"),
    path("counts/<int:job_id>/cancel/", distribution.cancel, name="distribution-count-cancel"),
]
_IMPACT = [
    path("edit/", impact.edit, name="impact-add"),
    path("edit/<int:destination_id>/", impact.edit, name="impact-edit"),
    path("delete/<int:destination_id>/", impact.deletion, name="impact-delete"),
    path("state/", impact.state, name="impact-state"),
    path("reload/", impact.reload, name="impact-reload"),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="preview:call", query_string=True), name="home"),
    path("call/", calls.one_call, name="call"),
    path("routes/", include(_ROUTES)),
    path("numbers/", include(_BULK_TRANSLATION)),
    path("impact/", include(_IMPACT)),
    path("call-share/<int:destination_id>/", call_share.call_share, name="call-share"),
    path("spread/", include(_DISTRIBUTION)),
    path("outage/", outages.outage, name="outage"),
    path("algorithms/", algorithms.algorithms, name="algorithms"),
]

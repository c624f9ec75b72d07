"""The panel's addresses, and the debug toolbar's."""

from debug_toolbar.toolbar import debug_toolbar_urls

from efcp.urls import handler500 as handler500
from efcp.urls import urlpatterns as panel

urlpatterns = [*panel, *debug_toolbar_urls(prefix="cp/__debug__")]

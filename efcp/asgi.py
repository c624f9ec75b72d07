"""The application that gunicorn serves (efcp/launch/serving/)."""

from efcp.launch.serving.bridge import Bridge
from efcp.launch.serving.lanes import kind_of
from efcp.wsgi import application as wsgi

application = Bridge(wsgi, kind_of)

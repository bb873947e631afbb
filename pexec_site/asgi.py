"""What Daphne serves: pages and REST over HTTP, live frames over WebSockets."""

from __future__ import annotations

import gc
import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pexec_site.settings")
http = get_asgi_application()  # loads the applications that the consumers need

from executions.consumers import DashboardConsumer, ExecutionConsumer  # noqa: E402
from pexec_site.origins import SameOriginOnly  # noqa: E402

websocket_urlpatterns = [
    re_path(r"^ws/executions/(?P<public_id>PEXEC-[0-9]{1,18})/$", ExecutionConsumer.as_asgi()),
    re_path(r"^ws/dashboard/$", DashboardConsumer.as_asgi()),
]
"""Every socket; tests walk this table."""

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": SameOriginOnly(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)

gc.collect()
gc.freeze()  # what is loaded by now stays: looking at it again costs every large page a third

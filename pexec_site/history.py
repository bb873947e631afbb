"""Earlier versions of rows in the admin: who may see them, and who brings one back."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest
from simple_history.admin import SimpleHistoryAdmin


class HistoryAdmin(SimpleHistoryAdmin):  # type: ignore[misc]
    """Earlier versions are for who sees the row, to bring back for who may change it.

    The views they come from ask neither, and their list has a style of its own, which our policy
    refuses.
    """

    object_history_list_template = "admin/executions/history_list.html"

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Every version."""
        self._seen(request, object_id)
        return super().history_view(request, object_id, extra_context)

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: Any = None
    ) -> Any:
        """One of them; a POST brings it back."""
        row = self._seen(request, object_id)
        if request.method == "POST" and not self.has_change_permission(request, row):
            raise PermissionDenied
        return super().history_form_view(request, object_id, version_id, extra_context)

    def _seen(self, request: HttpRequest, object_id: str) -> Model:
        row: Model | None = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        return row

"""Who was given which right, by whom: users, roles, members and tokens in the audit.

Whoever does it is known from the request it comes with; on the command line it is the site.
A new password ends the tokens of its user, as Django ends their sessions; so does it to be made
inactive, or active again: what was known before gets nobody in after.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.dispatch import receiver
from knox.models import AuthToken
from simple_history.models import HistoricalRecords

from executions.models.audit import audit_add
from executions.models.groups import TaskGroup
from executions.models.limits import Team
from executions.models.tokens import TokenScope

User = get_user_model()
RIGHTS = ("is_active", "is_staff", "is_superuser")
LISTS = (
    User.groups.through,
    User.user_permissions.through,
    Group.permissions.through,
    Team.members.through,
    TaskGroup.owning_teams.through,
)
ACTIONS = {"post_add": "added", "post_remove": "removed", "pre_clear": "removed"}


def _asker() -> Any | None:
    user = getattr(getattr(HistoricalRecords.context, "request", None), "user", None)
    return user if user is not None and user.is_authenticated else None


def _kind(model: type[Model]) -> str:
    return "role" if model is Group else str(model._meta.verbose_name)  # noqa: SLF001 (Django documents _meta)


@receiver(m2m_changed)
def _list_changed(
    sender: Any, instance: Model, action: str, model: type[Model], pk_set: set[Any] | None, **_: Any
) -> None:
    """A role, a right, a member or an owning team was given or taken."""
    if sender not in LISTS or action not in ACTIONS or pk_set == set():
        return
    rows = model._default_manager.filter(pk__in=pk_set or ())  # noqa: SLF001 (Django documents it)
    names = "all" if pk_set is None else ", ".join(sorted(map(str, rows)))
    details = {f"{_kind(model)} {ACTIONS[action]}": names}
    audit_add(_asker(), "change", f"{_kind(type(instance))} {instance}", details)


@receiver(pre_save, sender=User)
def _user_looked_up(instance: Any, update_fields: Any = None, **_: Any) -> None:
    is_sign_in = update_fields is not None and set(update_fields) == {"last_login"}
    found = None if is_sign_in or instance.pk is None else User.objects.filter(pk=instance.pk)
    instance.as_it_was = found.first() if found is not None else None
    # Django hashes a password that it was given at sign-in anew where the way to do so changed
    is_rehash = update_fields is not None and set(update_fields) == {"password"}
    instance.is_same_password = is_rehash and instance._password is None  # noqa: SLF001 (as Django's save does)


@receiver(post_save, sender=User)
def _user_saved(instance: Any, created: bool, **_: Any) -> None:  # noqa: FBT001 (Django's)
    """A user was added, or what they may as a user was changed."""
    was = instance.as_it_was
    if created:
        given = {name: True for name in RIGHTS[1:] if getattr(instance, name)}
        audit_add(_asker(), "add", f"user {instance}", given)
    elif was is not None:
        changed: dict[str, Any] = {
            name: [getattr(was, name), getattr(instance, name)]
            for name in ("username", *RIGHTS)
            if getattr(was, name) != getattr(instance, name)
        }
        is_new_password = was.password != instance.password and not instance.is_same_password
        if is_new_password:
            changed["password"] = "changed"  # noqa: S105 (a word)
        if changed:
            audit_add(_asker(), "change", f"user {instance}", changed)
        if is_new_password or "is_active" in changed:
            AuthToken.objects.filter(user=instance).delete()


@receiver(post_delete, sender=User)
def _user_deleted(instance: Any, **_: Any) -> None:
    audit_add(_asker(), "delete", f"user {instance}", {})


@receiver(post_save, sender=TokenScope)
def _token_made(instance: TokenScope, created: bool, **_: Any) -> None:  # noqa: FBT001 (Django's)
    if created:
        token = instance.token
        details = {"scope": instance.scope, "until": token.expiry and token.expiry.isoformat()}
        audit_add(_asker() or token.user, "add", f"token of {token.user}", details)


@receiver(post_delete, sender=AuthToken)
def _token_ended(instance: AuthToken, **_: Any) -> None:
    audit_add(_asker(), "delete", f"token of {instance.user}", {})

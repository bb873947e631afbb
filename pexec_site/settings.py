"""Every setting; the only reader of the environment."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import secrets
import stat
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from pexec_site import sqlite
from pexec_site.logs import FORMATS, logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

VAR_DIR = Path(env.str("PEXEC_VAR", default=str(BASE_DIR / "var"))).resolve()
"""Everything made at run time: database, sockets, key, logs, scratch."""
try:
    VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(f"{VAR_DIR} cannot be made ({error}): set PEXEC_VAR") from None

Number = TypeVar("Number", int, float)


def _number(name: str, default: Number) -> Number:
    """What a variable says, of the kind of the default."""
    text = env.str(name, default="")
    try:
        found = type(default)(text) if text else default
    except ValueError:
        found = -1
    if not 0 <= found < math.inf:
        kind = "whole number" if isinstance(default, int) else "number"
        raise ImproperlyConfigured(f"{name} is {text!r}, not a {kind} of at least 0")
    return found


DEBUG = env.bool("DEBUG", default=False)


def _secret_key() -> str:
    """`SECRET_KEY`, else one generated once into `var/`, readable by its owner only."""
    given = env.str("SECRET_KEY", default="")
    if given:
        return str(given)
    path = VAR_DIR / "secret_key"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{path} cannot be made ({error}): set SECRET_KEY") from None
    key = secrets.token_urlsafe(50)
    with os.fdopen(handle, "w") as file:
        file.write(key)
    return key


SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
"""Earlier keys: sessions they signed and secrets they sealed still open."""
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "rest_framework",
    "knox",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "django_htmx",
    "axes",
    "simple_history",
    "django_celery_beat",
    "django_structlog",
    "executions",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "pexec_site.slashes.SlashMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
]

ROOT_URLCONF = "pexec_site.urls"
ASGI_APPLICATION = "pexec_site.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# ---------------------------------------------------------------- storage

WAL_RESET_FIXED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
"""SQLite releases without the WAL-reset bug: the first, and patches of the other two branches."""


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite may use the write-ahead log."""
    newest, *patched = WAL_RESET_FIXED
    return version >= newest or any(version[:2] == p[:2] and version >= p for p in patched)


SQLITE_JOURNAL = "WAL" if wal_is_safe(sqlite.VERSION) else "PERSIST"


PEXEC_DATABASE_POOL = _number("PEXEC_DATABASE_POOL", 0)
"""How many sessions of PostgreSQL a process keeps and shares at most; 0: one for each thread.

The web server keeps some (see web.py): a session made anew costs more than what it is asked.
"""
POOL_WAIT_S = 5.0


def _database() -> dict[str, Any]:
    config: dict[str, Any] = env.db(
        "DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'pexec.sqlite3'}"
    )
    config["CONN_MAX_AGE"] = 0
    if config["ENGINE"].endswith("sqlite3"):
        config["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}  # a file, as processes share it
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": f"PRAGMA journal_mode={SQLITE_JOURNAL};PRAGMA synchronous=FULL;"
            "PRAGMA foreign_keys=ON;",
        }
    else:
        config["OPTIONS"] = {
            # a leader that stands still in a transaction must not hold the others up for ever
            "options": "-c statement_timeout=30000 -c lock_timeout=20000"
            " -c idle_in_transaction_session_timeout=15000",
            "connect_timeout": 5,
            # a server that is cut off is given up within seconds, not after the system's minutes
            "keepalives_idle": 5,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "tcp_user_timeout": 15000,
            # of use only to cursors that send values apart from statements, see rows.py
            "prepare_threshold": 5,
        }
        if PEXEC_DATABASE_POOL:
            config["CONN_HEALTH_CHECKS"] = True  # a session that was ended meanwhile is left
            config["OPTIONS"]["pool"] = {
                "min_size": 0,
                "max_size": PEXEC_DATABASE_POOL,
                "timeout": POOL_WAIT_S,
                "max_idle": 60.0,
            }
    return config


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ---------------------------------------------------------------- Redis, Channels, Celery

SOCKET_PATH_BYTES = 100
"""A socket's path may have 103 bytes on some systems, 107 on others; a clone may lie deeper."""


def redis_socket(var: Path) -> Path:
    """In `var/`; where that is too deep for a socket, in a short directory only we may enter."""
    path = var / "redis.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    directory = Path(tempfile.gettempdir()) / f"pexec-{os.geteuid()}-{digest}"
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o170077 != stat.S_IFDIR:
        raise ImproperlyConfigured(f"{directory} is open to others: remove it, or set REDIS_URL")
    return directory / path.name


REDIS_URL = env.str("REDIS_URL", default="") or f"unix://{redis_socket(VAR_DIR)}"
PEXEC_PREFIX = env.str("PEXEC_PREFIX", default="pexec")
"""Put before every key in Redis, so that several sites may share one server."""

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_timeout": None, "max_connections": 5000}],
            "prefix": f"{PEXEC_PREFIX}:channels",
        },
    }
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DIRECT = True  # each worker has a queue of its own, for its lanes
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "health_check_interval": 5,  # one whose Redis fell silent connects anew after so long, or twice
    "global_keyprefix": f"{PEXEC_PREFIX}:celery:",
}

# ---------------------------------------------------------------- logs

PEXEC_LOG = env.str("PEXEC_LOG", default="plain")
if PEXEC_LOG not in FORMATS:
    raise ImproperlyConfigured(f"PEXEC_LOG is {PEXEC_LOG!r}, not one of {', '.join(FORMATS)}")
LOGGING = logging_config(PEXEC_LOG, env.str("PEXEC_LOG_LEVEL", default="INFO"))
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO

# ---------------------------------------------------------------- people

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"
AXES_HANDLER = "pexec_site.sign_in.SignInHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "username", "ip_address"]
"""Ten failures for a name from an address; a hundred for either alone (pexec_site/sign_in.py)."""
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # one address cannot lock a name everywhere

# ---------------------------------------------------------------- what browsers are told

HTTPS = env.bool("HTTPS", default=False)
"""Whether people reach the site over https only; on for every site that is not on loopback."""
SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = _number("HSTS_SECONDS", 31_536_000) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# ---------------------------------------------------------------- pages and REST

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "pexec_site.static_files.ModuleStorage"},
}

PEXEC_PROXIES = _number("PEXEC_PROXIES", 0)
"""How many proxies of ours a request comes through; with 0 nobody's X-Forwarded-For is believed."""
AXES_CLIENT_IP_CALLABLE = "executions.api.permissions.address_of"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "knox.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": [
        "executions.api.parsing.StrictJsonParser",
        "executions.api.parsing.YamlParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "executions.api.openapi.Described",
    "EXCEPTION_HANDLER": "executions.api.problems.handle",
    "URL_FORMAT_OVERRIDE": None,  # `format` belongs to reports
    "NUM_PROXIES": PEXEC_PROXIES,
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.AnonRateThrottle",
        "rest_framework.throttling.UserRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": "60/min",
        "user": env.str("PEXEC_API_RATE", default="6000/min"),
    },
}
KNOX_TOKEN_MODEL = "knox.AuthToken"  # noqa: S105 (a model)
REST_KNOX = {"TOKEN_TTL": timedelta(days=90), "TOKEN_LIMIT_PER_USER": 50}
SPECTACULAR_SETTINGS = {
    "TITLE": "pexec",
    "VERSION": "1",
    "DESCRIPTION": "Sign in with a session, or send `Authorization: Token …`. Lists come in pages; "
    "errors are `application/problem+json`, every fault with its place.",
    "OAS_VERSION": "3.1.0",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "COMPONENT_SPLIT_PATCH": False,  # a change of a limit must say the limit
    "ENUM_NAME_OVERRIDES": {
        "TaskStateEnum": "executions.scheduling.model.TaskState",
        "ExecutionStateEnum": "executions.scheduling.model.ExecutionState",
        "AttemptStateEnum": "executions.scheduling.model.AttemptState",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "executions.api.openapi.with_refusals",
    ],
}

# ---------------------------------------------------------------- the product's own

PEXEC_RUNNERS = env.list("PEXEC_RUNNERS", default=["noop", "sleep", "http", "external"])
PEXEC_PYTHON_CALLABLES = env.list("PEXEC_PYTHON_CALLABLES", default=[])
PEXEC_HTTP_ALLOW_PRIVATE = env.list("PEXEC_HTTP_ALLOW_PRIVATE", default=[])
PEXEC_TEMPO = _number("PEXEC_TEMPO", 1.0)
"""Scales every window of leadership and liveness (see executions/dispatch/timing.py)."""
PEXEC_KEEP_DAYS = _number("PEXEC_KEEP_DAYS", 0.0)
PEXEC_KEEP_RUNS = _number("PEXEC_KEEP_RUNS", 0)
"""Executions that ended longer ago, or lie beyond the newest ones, are removed; 0: never."""
PEXEC_KEEP_EXPORTS = env.str("PEXEC_KEEP_EXPORTS", default="")
"""A directory for the report of each execution that is removed; empty: none is written."""
PEXEC_CHORES = ["executions.services.retention.prune_some"]
"""What the leader does every minute beside dispatching."""
PORT = _number("PORT", 8000)

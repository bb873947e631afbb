# One image for web, dispatcher and workers; docker-compose.yml says which is which.
FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PEXEC_VAR=/var/lib/pexec
WORKDIR /srv/pexec
COPY requirements.txt .
RUN pip install --no-cache-dir --no-deps -r requirements.txt
COPY . .
RUN useradd --create-home pexec && install -d -o pexec -g pexec -m 700 /var/lib/pexec
USER pexec
RUN SECRET_KEY=build python manage.py collectstatic --noinput
CMD ["python", "-m", "pexec_site.web", "-b", "0.0.0.0", "-p", "8000", "pexec_site.asgi:application"]

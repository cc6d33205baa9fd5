# Apache Superset for the tests alone: its own small database beside this file's copy, no limits on who asks.
import os

HERE = os.path.dirname(os.path.abspath(__file__))
SECRET_KEY = "clients"
SQLALCHEMY_DATABASE_URI = "sqlite:///" + os.path.join(HERE, "meta.db")
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
RATELIMIT_ENABLED = False

"""Connection options by which a session notices within two minutes that the network is cut.

Otherwise one that waits for an answer would wait for hours. They also keep firewalls from
dropping a session that is idle for minutes because it waits for dbt.
"""

KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
    # milliseconds: else, if something was sent that does not arrive, TCP alone decides
    "tcp_user_timeout": 120_000,
}

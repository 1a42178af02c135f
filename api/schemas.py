"""JSON schemas, for the OpenAPI document: of SQL types, and of the columns that are JSON."""

from typing import Any

Schema = dict[str, Any]

# by column type
TYPES: dict[str, Schema] = {
    "text": {"type": "string"},
    "uuid": {"type": "string", "format": "uuid"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    # a generated client would take 32 bits
    "bigint": {"type": "integer", "format": "int64"},
    "double precision": {"type": "number"},
    "date": {"type": "string", "format": "date"},
    "timestamptz": {"type": "string", "format": "date-time"},
    # text, so that no client rounds it
    "numeric": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
    # the source decides the type of its ids
    "id": {"type": ["string", "integer"]},
}


def nullable(schema: Schema) -> Schema:
    """Return the schema with null allowed, too."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*types, *(["null"] if "null" not in types else [])]}


def array_of(items: Schema) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": items}


def object_of(properties: dict[str, Schema]) -> Schema:
    """Return the schema of an object that always has these properties, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def _rule(rules: Schema, inputs: dict[str, Schema], threshold: str, **fires: Schema) -> Schema:
    return object_of(
        {
            "rule": rules,
            "fired": TYPES["boolean"],
            "inputs": object_of(inputs),
            "threshold": object_of({threshold: NUMBER}),
            **fires,
        }
    )


ID, TEXT, DATE, INSTANT = (TYPES[kind] for kind in ("id", "text", "date", "timestamptz"))
# of exact numbers, too, within JSON
NUMBER = TYPES["double precision"]
PACE = {
    "last_order_date": DATE,
    "cadence_days": TYPES["integer"],
    "cadence_source": _one_of("MEASURED", "FALLBACK"),
    "next_expected_order_date": DATE,
}
REVENUE = {
    "revenue_basis": _one_of("EVALUATED", "INSUFFICIENT_HISTORY", "MIXED_CURRENCY"),
    "recent_orders_count": TYPES["integer"],
    "recent_average_amount": nullable(NUMBER),
    "baseline_orders_count": TYPES["integer"],
    "baseline_average_amount": nullable(NUMBER),
    "currency": nullable(TEXT),
}

# columns that are JSON in the mart, by name; none is ever NULL there
JSON_COLUMNS: dict[str, Schema] = {
    "reasons": array_of(
        {
            "oneOf": [
                _rule(_one_of("DORMANT"), PACE, "dormant_days", fires_on=DATE),
                _rule(_one_of("AT_RISK_CADENCE"), PACE, "grace_days", fires_on=DATE),
                _rule(
                    _one_of("AT_RISK_REVENUE"),
                    REVENUE,
                    "revenue_decline_pct",
                    fires_after_pct=nullable(NUMBER),
                ),
            ]
        }
    ),
    "booking_notes": array_of(
        object_of(
            {
                "booking_id": ID,
                "start_at": INSTANT,
                "status": TEXT,
                "customer_note": nullable(TEXT),
                "seller_note": nullable(TEXT),
            }
        )
    ),
    "last_engagements": array_of(
        object_of(
            {
                "engagement_id": ID,
                "type": nullable(TEXT),
                "title": nullable(TEXT),
                "outcome": nullable(TEXT),
                "completed_at": INSTANT,
            }
        )
    ),
    "open_goals": array_of(
        object_of(
            {
                "goal_id": ID,
                "title": nullable(TEXT),
                "goal_status": _one_of("at_risk", "on_track"),
                "progress_rate": nullable(NUMBER),
                "target_date": nullable(DATE),
                "forecast_date": nullable(DATE),
            }
        )
    ),
    "score_trend": array_of(object_of({"score_date": DATE, "health_score": nullable(NUMBER)})),
}

# what a query computes: a history of statuses
HISTORY: Schema = {
    **array_of(
        object_of(
            {
                "status": TEXT,
                "valid_from": DATE,
                "valid_to": {
                    **nullable(DATE),
                    "description": "The day after its last day; null if it has no end.",
                },
            }
        )
    ),
    "description": "The steps of the history, oldest first, including future ones.",
}

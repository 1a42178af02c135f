-- SQLMesh: recompute customers with an order that was updated in the interval, from all
-- their orders, and merge them. A deleted order is in no interval. The benchmark adds
-- the statement of risk_status.sql.
MODEL (
    name sqlmesh_way.risk_status,
    kind INCREMENTAL_BY_UNIQUE_KEY (unique_key (tenant_id, customer_id)),
    cron '@hourly'
);


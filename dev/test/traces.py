"""What uninstalling the module has to leave: nothing."""
from psycopg2 import sql

SCHEMA = {
    'tables': """
        SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'""",
    'columns': """
        SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = 'public'""",
    'constraints': """
        SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'""",
    'indexes': "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
}
# Odoo's own bookkeeping: who logged in, what is cached, which assets were compiled, what changed
BOOKKEEPING = {
    'ir_attachment', 'ir_logging', 'ir_cron_trigger', 'res_users_log', 'bus_bus', 'bus_presence',
    'res_device_log', 'mail_message', 'mail_notification', 'ir_profile',
    # Odoo itself writes the foreign keys of dropped columns down once more; the real ones are
    # compared above
    'ir_model_constraint',
}


def _values(cluster, database, query):
    with cluster.cursor(database) as cursor:
        cursor.execute(query)
        return {value for value, in cursor.fetchall()}


def _counts(cluster, database, tables):
    with cluster.cursor(database) as cursor:
        counts = {}
        for table in sorted(tables):
            cursor.execute(sql.SQL('SELECT count(*) FROM {}').format(sql.Identifier(table)))
            counts[table] = cursor.fetchone()[0]
        return counts


def compare(cluster, before, after):
    """Compare a database that had the module with one that never did.

    :return: for each kind of trace its name and what was found, ideally nothing
    """
    for name, query in SCHEMA.items():
        old, new = _values(cluster, before, query), _values(cluster, after, query)
        yield name, [f'{"left" if value in new else "missing"}: {value}'
                     for value in sorted(old ^ new)]
    tables = _values(cluster, before, """
        SELECT table_name FROM information_schema.tables
        WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
            AND table_name NOT LIKE 'orm\\_signaling\\_%'""") - BOOKKEEPING
    old, new = _counts(cluster, before, tables), _counts(cluster, after, tables)
    yield 'rows', [f'{table}: {old[table]} before, {new[table]} after'
                   for table in sorted(tables) if old[table] != new[table]]
    # Odoo lists the modules it sees: the demo's too, where `make demo` was the first to need Odoo
    yield 'external ids', sorted(_values(cluster, after, """
        SELECT module || '.' || name FROM ir_model_data
        WHERE module = 'payment_btcpay' OR name LIKE '%btcpay%'
            AND NOT (module = 'base' AND model = 'ir.module.module')"""))
    # Of tables that Odoo itself writes in all the time: what is about ours
    yield 'messages, files and filters', sorted(_values(cluster, after, """
        SELECT 'mail_message ' || id FROM mail_message
        WHERE model LIKE '%btcpay%' OR model = 'payment.provider' OR body LIKE '%BTCPay%'
        UNION SELECT 'ir_attachment ' || id FROM ir_attachment
        WHERE res_model LIKE '%btcpay%' OR res_field LIKE '%btcpay%' OR url LIKE '%btcpay%'
            OR (res_model = 'payment.provider' AND res_field IS NULL)
        UNION SELECT 'payment_provider ' || id FROM payment_provider
        WHERE code = 'btcpay'
        UNION SELECT 'ir_filters ' || id FROM ir_filters
        WHERE model_id LIKE 'btcpay%' OR domain LIKE '%btcpay_%'"""))
    yield 'settings', sorted(_values(cluster, after, """
        SELECT key FROM ir_config_parameter WHERE key LIKE '%btcpay%'"""))

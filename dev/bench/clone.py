"""Rows by the thousand, made of one by PostgreSQL itself."""
from psycopg2 import sql


def clone(cr, table, source_id, count, **changes):
    """Make copies of a row.

    :param str changes: columns, as expressions in which `n` is the number of the copy, from 1
    :return: the ids, in the order of `n`
    """
    cr.execute(
        'SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 '
        "AND NOT attisdropped AND attname <> 'id' AND attgenerated = ''", [table])
    columns = [name for name, in cr.fetchall()]
    values = [sql.SQL(changes[name]) if name in changes else sql.SQL('t.') + sql.Identifier(name)
              for name in columns]
    query = sql.SQL(
        'INSERT INTO {table} ({columns}) SELECT {values} FROM {table} t, '
        'generate_series(1, {count}) n WHERE t.id = {source} ORDER BY n RETURNING id')
    cr.execute(query.format(
        table=sql.Identifier(table), count=sql.Literal(count), source=sql.Literal(source_id),
        columns=sql.SQL(', ').join(map(sql.Identifier, columns)),
        values=sql.SQL(', ').join(values)).as_string(cr._cnx))
    return sorted(row_id for row_id, in cr.fetchall())

"""Alembic's entry: runs the revisions over the connection that it is handed, and opens none of its own.

Whoever migrates (:mod:`models.schema.migrate`) passes the connection in; nothing of ours is imported here, so that history does
not move when a table does. ``metadata`` is passed by whoever drafts a new revision, and by the test that compares.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("metadata"),
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

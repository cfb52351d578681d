//! Freeing and deleting rows of inboxes; those of a whole group at a time.

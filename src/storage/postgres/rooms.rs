//! Room in inboxes: the quota of a session, without counting for every message.

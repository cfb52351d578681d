//! Beginning and ending sessions: each is one transaction, with everything that follows from it.
